/** The first five minutes. */
import type { Contribution } from './contribution.ts';

const args = (value: unknown) => encodeURIComponent(JSON.stringify([value]));
const media = (name: string, altText: string) => ({ svg: `assets/walkthrough/${name}.svg`, altText });

export const walkthrough = {
  commands: {
    'cola.openWalkthrough': { title: 'First Five Minutes' },
    'cola.tryCompletion': { title: 'Try Completion' },
  },
  contextKeys: ['cola.tuned'],
  other: {
    walkthroughs: [
      {
        id: 'cola.firstMinutes',
        title: 'First Five Minutes with CoLA Studio',
        description: 'From a completion to a model tuned by you, offline.',
        steps: [
          {
            id: 'complete',
            title: 'See it complete',
            description: `A small model that is in the box writes on where your cursor is, in grey. Tab takes it. The status bar names the latent action it came from.\n[Open an Example](command:cola.tryCompletion)`,
            media: media('complete', 'Ghost text in an editor with a row of coloured chips'),
            completionEvents: ['onCommand:cola.tryCompletion', 'onCommand:cola.completion.accepted'],
          },
          {
            id: 'pick',
            title: 'Pick an action',
            description:
              'The list has all latent actions, the most likely first. Move through it and the editor previews each; Enter inserts.\n[Pick Latent Action](command:cola.pickAction)\n[What the Actions Mean](command:cola.showActions)',
            media: media('pick', 'A list of latent actions, each with a preview'),
            completionEvents: ['onCommand:cola.pickAction'],
          },
          {
            id: 'tree',
            title: 'Open a tree',
            description:
              'A search tries actions after actions, keeps what earns reward, and shows all of it as a tree you can steer: force a branch, ban it, score it.\n[Open Tree](command:cola.openTree)',
            media: media('tree', 'A tree of continuations with visits and values'),
            completionEvents: ['onCommand:cola.openTree', 'onCommand:cola.searchFromPrompt'],
          },
          {
            id: 'tune',
            title: 'Tune for two minutes',
            description: `A run spec is written into your folder: the game countdown, twelve rounds of reinforcement. Press Run above its first setting, and watch the reward in the status bar.\n[Write the Spec](command:cola.train?${args({ goal: 'answers', data: 'countdown', reward: 'countdown', short: true })})\n[Run It](command:cola.runSpec)`,
            media: media('tune', 'A curve of reward that rises'),
            completionEvents: ['onContext:cola.tuned'],
          },
          {
            id: 'yours',
            title: 'Make it yours',
            description: `Train on your own files or your own questions, and let the model that comes out of it complete here.\n[Train on My Files](command:cola.train?${args({ goal: 'code' })})\n[Select Model](command:cola.selectModel)`,
            media: media('yours', 'A run spec for the files of the folder'),
            completionEvents: ['onCommand:cola.trainModel', 'onCommand:cola.selectModel', 'onCommand:cola.useModel'],
          },
        ],
      },
    ],
  },
} as const satisfies Contribution;
