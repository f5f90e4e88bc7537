/** What the first five minutes need beside the commands that are there anyway. */
import { commands, type Position, Selection, window, workspace } from 'vscode';
import { registerCommand } from './commands.ts';
import type { Studio } from './studio.ts';

const example = `/** Sum of the prices of all items. */
export function total(items: { price: number }[]): number {
  let sum = 0;
  for (const item of items) {
    `;

export function registerWalkthrough(studio: Studio): void {
  registerCommand(studio, 'cola.openWalkthrough', () =>
    commands.executeCommand('workbench.action.openWalkthrough', `${studio.context.extension.id}#cola.firstMinutes`),
  );
  registerCommand(studio, 'cola.tryCompletion', async () => {
    const document = await workspace.openTextDocument({
      language: 'typescript',
      content: `${example}\n  }\n  return sum;\n}\n`,
    });
    const editor = await window.showTextDocument(document);
    const at: Position = document.positionAt(example.length);
    editor.selection = new Selection(at, at);
    await commands.executeCommand('editor.action.inlineSuggest.trigger');
  });
}
