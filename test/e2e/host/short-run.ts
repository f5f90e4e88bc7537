/** In the extension host: runs a short spec by its command, until there is a tuned model. For desktop VS Code (`npm run desktop`). */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commands, extensions, Uri, workspace } from 'vscode';
import { reportFile } from '../support/report.ts';
import { reinforceSpec } from '../support/spec.ts';

const patience = 600_000;

export async function run(): Promise<void> {
  const extension = extensions.getExtension('cola-studio.cola-studio');
  if (extension === undefined) throw new Error('The extension is not installed.');
  await extension.activate();
  const known = new Set(await commands.getCommands(true));
  const missing = extension.packageJSON.contributes.commands
    .map(({ command }: { command: string }) => command)
    .filter((command: string) => !known.has(command));
  if (missing.length > 0) throw new Error(`These commands are not registered: ${missing.join(', ')}`);
  const [folder] = workspace.workspaceFolders ?? [];
  const at = (...parts: string[]) => join(folder.uri.fsPath, ...parts);
  const spec = at('short.cola.yaml');
  writeFileSync(
    spec,
    reinforceSpec({ model: 'builtin:nano', steps: 2, maxNew: 4, evaluateEvery: 2, checkpointEvery: 1 }),
  );
  await commands.executeCommand('cola.runSpec', Uri.file(spec));
  const model = at('.cola/runs/short/model/config.json');
  for (const end = Date.now() + patience; !existsSync(model); await delay(500))
    if (Date.now() > end) throw new Error(`There is no ${model} after ${patience / 60_000} minutes.`);
  writeFileSync(at(reportFile), JSON.stringify({ commands: known.size, model }));
}
