/** VS Code's chat: models of this machine in it, and `@cola`. */
import type { Contribution } from './contribution.ts';

export const chat = {
  commands: {
    'cola.askInChat': {
      title: 'Ask in Chat',
      icon: '$(comment-discussion)',
      palette: '!config.chat.disableAIFeatures',
    },
    'cola.judgeAnswer': { title: 'Judge Answer', palette: false },
  },
  other: {
    languageModelChatProviders: [{ vendor: 'cola', displayName: 'CoLA Studio' }],
    chatParticipants: [
      {
        id: 'cola-studio.cola',
        name: 'cola',
        fullName: 'CoLA Studio',
        description: 'Ask the model that completes, and see the latent actions behind its answer',
        isSticky: true,
      },
    ],
  },
} as const satisfies Contribution;
