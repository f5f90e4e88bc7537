/** The handlers of all pages, to be bundled for a test: they know `vscode`. */
export { knownErrorIds } from '../../../server/errors.ts';
export { fromWire } from '../../../server/protocol/errors.ts';
export { actionsPanels } from '../../../src/panels/actions-panel.ts';
export { comparePanels } from '../../../src/panels/compare-panel.ts';
export { conversationPanels } from '../../../src/panels/conversation-panel.ts';
export { runPanels } from '../../../src/panels/run-panel.ts';
export { TreePanels } from '../../../src/panels/tree-panel.ts';
