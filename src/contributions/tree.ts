/** The tree explorer: how a search is begun and opened. */
import type { Contribution } from './contribution.ts';

const text = 'editorTextFocus && !editorReadonly';
/** The editor goes back and forth with these, which the page needs for itself. */
const inTree = "activeWebviewPanelId == 'cola.tree'";
const moves = ['left', 'right', 'up', 'down'] as const;

export const tree = {
  commands: {
    'cola.openTree': { title: 'Open Tree…', icon: '$(list-tree)' },
    'cola.searchFromSelection': { title: 'Search From Selection', palette: 'editorHasSelection' },
    'cola.searchFromCursor': { title: 'Search From Cursor' },
    'cola.searchFromPrompt': { title: 'Search From Prompt…' },
    'cola.searchFromRow': { title: 'Search From Data Row', palette: 'resourceExtname == .jsonl' },
    'cola.moveInTree': { title: 'Move in Tree', palette: false },
  },
  keybindings: moves.map((key) => ({ command: 'cola.moveInTree', key: `alt+${key}`, when: inTree })),
  menus: {
    'editor/context': [
      { command: 'cola.searchFromSelection', when: `${text} && editorHasSelection`, group: 'cola@1' },
      { command: 'cola.searchFromCursor', when: `${text} && !editorHasSelection`, group: 'cola@1' },
      { command: 'cola.searchFromRow', when: 'resourceExtname == .jsonl', group: 'cola@2' },
    ],
    'view/title': [{ command: 'cola.searchFromPrompt', when: 'view == cola.searches', group: 'navigation@1' }],
  },
} as const satisfies Contribution;
