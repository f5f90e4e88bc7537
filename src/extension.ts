/** Where the editor starts and ends the extension. */
import type { ExtensionContext } from 'vscode';
import { registerCore } from './core.ts';
import { Studio } from './studio.ts';

let studio: Studio | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  studio = new Studio(context);
  context.subscriptions.push(studio);
  registerCore(studio);
  await studio.start();
}

export async function deactivate(): Promise<void> {
  await studio?.dispose();
}
