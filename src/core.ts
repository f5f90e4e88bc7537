/** The commands and the status-bar item that are there whatever else is. */
import { MarkdownString, StatusBarAlignment, ThemeColor, window } from 'vscode';
import { getStatus, restartEngine, type Status } from '../server/protocol/index.ts';
import { registerCommand } from './commands.ts';
import type { Studio } from './studio.ts';

export function registerCore(studio: Studio): void {
  const item = window.createStatusBarItem('cola.status', StatusBarAlignment.Right, 90);
  item.name = 'CoLA Studio';
  item.command = 'cola.showStatus';
  item.text = '$(pulse) CoLA';
  item.show();
  studio.context.subscriptions.push(item);
  studio.onStatus((status) => {
    item.text = statusText(status);
    item.tooltip = new MarkdownString(status.message);
    item.backgroundColor =
      status.health === 'ok' ? undefined : new ThemeColor(`statusBarItem.${status.health}Background`);
  });
  registerCommand(studio, 'cola.showLog', () => studio.log.show());
  registerCommand(studio, 'cola.restartServer', () => studio.request(restartEngine, {}));
  registerCommand(studio, 'cola.showStatus', async () => {
    const status = await studio.request(getStatus, {});
    await window.showInformationMessage(statusText(status));
  });
}

function statusText({ model, device, engine }: Status): string {
  const name = model?.split(/[\\/]/).at(-1);
  return name === undefined ? `$(pulse) CoLA · ${engine}` : `$(pulse) ${name} · ${device}`;
}
