/** Pages about runs and about latent actions. */
import type { Contribution } from './contribution.ts';

export const dashboard = {
  commands: {
    'cola.openDashboard': { title: 'Open Run Dashboard…', icon: '$(graph)' },
    'cola.compareRuns': { title: 'Compare Runs…', icon: '$(git-compare)' },
    'cola.compareBeforeAfter': { title: 'Compare Before and After…' },
    'cola.showActions': { title: 'Show Latent Actions', icon: '$(symbol-color)' },
    'cola.markActions': { title: 'Mark Latent Actions in This File…', icon: '$(paintcan)', enablement: 'editorIsOpen' },
    'cola.markBetterMoves': {
      title: 'Mark Better Moves in This File',
      icon: '$(lightbulb)',
      enablement: 'editorIsOpen',
    },
    'cola.clearActionMarks': { title: 'Clear Marks of Latent Actions', palette: 'cola.actionsMarked' },
  },
  contextKeys: ['cola.actionsMarked'],
  keybindings: [
    {
      command: 'cola.clearActionMarks',
      key: 'escape',
      when: 'cola.actionsMarked && editorTextFocus && !suggestWidgetVisible && !inlineSuggestionVisible && !findWidgetVisible && !editorHasSelection && !editorHasMultipleSelections && !inSnippetMode && !renameInputVisible && !parameterHintsVisible',
    },
  ],
  menus: {
    'view/title': [{ command: 'cola.compareRuns', when: 'view == cola.runs', group: 'navigation@2' }],
  },
} as const satisfies Contribution;
