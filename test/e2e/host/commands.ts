/** In the extension host: runs every command of the extension, and closes whatever it asks. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commands, extensions, workspace } from 'vscode';
import { reportFile } from '../support/report.ts';

const patience = 60_000;

/** How a command ended: `answered`, what it threw, or that it never did. */
async function outcome(command: string): Promise<string> {
  let outcome: string | undefined;
  void commands.executeCommand(command).then(
    () => {
      outcome = 'answered';
    },
    (error: unknown) => {
      outcome = String(error);
    },
  );
  const deadline = Date.now() + patience;
  while (outcome === undefined && Date.now() < deadline) {
    await delay(30);
    await commands.executeCommand('workbench.action.closeQuickOpen');
    await commands.executeCommand('notifications.clearAll');
  }
  return outcome ?? 'never answered';
}

export async function run(): Promise<void> {
  const extension = extensions.getExtension('cola-studio.cola-studio');
  await extension?.activate();
  const outcomes: Record<string, string> = {};
  for (const { command } of extension?.packageJSON.contributes.commands ?? [])
    outcomes[command] = await outcome(command);
  const [folder] = workspace.workspaceFolders ?? [];
  const file = join(folder.uri.fsPath, reportFile);
  writeFileSync(`${file}.part`, JSON.stringify(outcomes));
  renameSync(`${file}.part`, file);
}
