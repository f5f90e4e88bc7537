/** A model is copied out of a run: all of its folder, or nothing. */
import { basename } from 'node:path';
import { commands, ProgressLocation, Uri, window, workspace } from 'vscode';
import { protocolErrors } from '../../server/protocol/errors.ts';
import type { ListedModel } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import { studioErrors } from '../errors.ts';
import { t } from '../l10n.ts';
import { type ModelShelf, modelFrom, pickModel } from '../models.ts';
import { modelName } from '../status-text.ts';
import type { Studio } from '../studio.ts';
import { folderOf, keyFrom } from './run-key.ts';

/** A GGUF file has no folder to copy. */
const isFolder = ({ folder, source }: ListedModel) => source !== 'ollama' && !/\.gguf$/i.test(folder);

export function registerExport(studio: Studio, shelf: ModelShelf): void {
  registerCommand(studio, 'cola.exportModel', async (target) => {
    const run = keyFrom(target);
    const model =
      run === undefined
        ? (modelFrom(target) ?? (await pickModel(studio, shelf, t('Which model to export?'), isFolder)))
        : { name: run.run, folder: Uri.joinPath(folderOf(run), 'model').fsPath };
    if (model === undefined) return;
    const name = modelName(model.name);
    const [into] =
      (await window.showOpenDialog({
        canSelectFolders: true,
        canSelectFiles: false,
        openLabel: t('Export Here'),
        title: t('Export {name}: a folder of that name is made in the one you choose', { name }),
      })) ?? [];
    if (into === undefined) return;
    const made = await copyWhole(Uri.file(model.folder), into, name);
    const choice = await window.showInformationMessage(
      t('{name} is in {fsPath}.', { name, fsPath: made.fsPath }),
      t('Reveal'),
    );
    if (choice !== undefined) await commands.executeCommand('revealFileInOS', made);
  });
}

/** Copies a folder under a temporary name and gives it its own at the end. @throws studio.exists */
async function copyWhole(from: Uri, into: Uri, name: string): Promise<Uri> {
  const target = Uri.joinPath(into, name);
  const names = (await workspace.fs.readDirectory(into)).map(([each]) => each);
  if (names.includes(basename(target.path))) throw studioErrors.exists(target.fsPath);
  const partial = target.with({ path: `${target.path}.partial` });
  const files = (await workspace.fs.readDirectory(from)).map(([each]) => each);
  const options = {
    location: ProgressLocation.Notification,
    title: t('Exporting {name}', { name }),
    cancellable: true,
  };
  return window.withProgress(options, async (progress, token) => {
    await workspace.fs.createDirectory(partial);
    try {
      for (const file of files) {
        if (token.isCancellationRequested) throw protocolErrors.cancelled();
        progress.report({ message: file, increment: 100 / files.length });
        await workspace.fs.copy(Uri.joinPath(from, file), Uri.joinPath(partial, file), { overwrite: true });
      }
      await workspace.fs.rename(partial, target);
    } catch (error) {
      await workspace.fs.delete(partial, { recursive: true });
      throw error;
    }
    return target;
  });
}
