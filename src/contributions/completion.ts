/** Inline completion: its settings, the commands on latent actions, and the keys that step through alternatives. */
import type { Contribution } from './contribution.ts';

const ghost = 'cola.ghostText && inlineSuggestionVisible && !editorReadonly';

export const completion = {
  commands: {
    'cola.pickAction': { title: 'Pick Latent Action', icon: '$(list-selection)', palette: 'editorIsOpen' },
    'cola.pinAction': { title: 'Pin Latent Action…', icon: '$(pin)' },
    'cola.unpinActions': {
      title: 'Free All Latent Actions',
      icon: '$(pinned)',
      enablement: 'cola.actionMode && cola.actionMode != free',
    },
    'cola.setActionSequence': { title: 'Set Sequence of Latent Actions…', icon: '$(list-ordered)' },
    'cola.banAction': { title: 'Ban Latent Action…', icon: '$(circle-slash)' },
    'cola.snoozeCompletion': { title: 'Snooze Completion, or End Snoozing' },
    'cola.toggleCompletionHere': { title: 'Switch Completion On or Off for This Language', palette: 'editorIsOpen' },
    'cola.toggleActionStrip': { title: 'Toggle Action Strip', icon: '$(symbol-color)', palette: 'editorIsOpen' },
    'cola.nextAlternative': { title: 'Show Next Alternative', palette: ghost },
    'cola.previousAlternative': { title: 'Show Previous Alternative', palette: ghost },
    'cola.hideCompletion': { title: 'Hide Completion', palette: ghost },
    'cola.completion.accepted': { title: 'Note Accepted Completion', palette: false },
  },
  settings: {
    'cola.completion.languages': {
      type: 'object',
      default: { '*': true, scminput: false },
      additionalProperties: { type: 'boolean' },
      markdownDescription:
        'Where completion is on, by [language identifier](https://code.visualstudio.com/docs/languages/identifiers). `*` stands for all that are not listed.',
      scope: 'window',
      order: 20,
    },
    'cola.completion.alternatives': {
      type: 'integer',
      default: 8,
      minimum: 1,
      maximum: 16,
      markdownDescription:
        'How many alternatives there are to step through with `Alt+]` and `Alt+[`. Each begins with another latent action. While you type, only the most likely is computed.',
      scope: 'language-overridable',
      order: 21,
    },
    'cola.completion.maxTokens': {
      type: 'integer',
      default: 48,
      minimum: 1,
      maximum: 512,
      markdownDescription:
        'The longest completion, in tokens. A token of the model in the box is three to four characters of code.',
      scope: 'language-overridable',
      order: 22,
    },
    'cola.completion.multiline': {
      type: 'boolean',
      default: false,
      markdownDescription: 'Complete up to the end of the block, and not only of the line. Takes longer.',
      scope: 'language-overridable',
      order: 23,
    },
    'cola.completion.fillInTheMiddle': {
      type: 'boolean',
      default: true,
      markdownDescription:
        'Let the model read what stands behind the cursor too. Only where its tokenizer has the marks for it; others read what stands before.',
      scope: 'language-overridable',
      order: 24,
    },
    'cola.completion.otherFiles': {
      type: 'boolean',
      default: true,
      markdownDescription:
        'Let what stands in the other files of the folder, in the same language, have a say in completions: names and lines of a project come again. The files are read on this machine, as far as git does not ignore them, and kept in memory alone; the model learns nothing from them. Only in folders that are trusted.',
      scope: 'language-overridable',
      order: 25,
    },
    'cola.completion.debounce': {
      type: 'integer',
      default: 0,
      minimum: 0,
      maximum: 5000,
      markdownDescription:
        'Milliseconds without a keystroke before the model is asked. The editor waits about 50 ms by itself; more saves battery.',
      scope: 'language-overridable',
      order: 26,
    },
    'cola.completion.actionStrip': {
      type: 'boolean',
      default: false,
      markdownDescription:
        'Show under accepted completions which latent action each token came from: a line in its colour, and its number. The pointer on such a token says more in any case.',
      scope: 'window',
      order: 27,
    },
  },
  contextKeys: ['cola.ghostText', 'cola.actionMode'],
  keybindings: [
    { command: 'cola.nextAlternative', key: 'alt+]', when: ghost },
    { command: 'cola.previousAlternative', key: 'alt+[', when: ghost },
    // An editor in the manner of vi leaves its insert mode with this key: there it is not taken.
    {
      command: 'cola.hideCompletion',
      key: 'escape',
      when: 'cola.ghostText && inlineSuggestionVisible && !suggestWidgetVisible && !vim.active && !neovim.init',
    },
    { command: 'cola.pickAction', key: 'ctrl+k alt+a', mac: 'cmd+k alt+a', when: 'editorTextFocus && !editorReadonly' },
  ],
  menus: {
    'editor/context': [{ command: 'cola.pickAction', when: '!editorReadonly', group: '1_cola@1' }],
  },
} as const satisfies Contribution;
