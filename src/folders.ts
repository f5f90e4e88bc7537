/** Which folder a command is about, and whether it may run what is in it. */
import { dirname } from 'node:path';
import { Uri, type WorkspaceFolder, window, workspace } from 'vscode';
import { studioErrors } from './errors.ts';
import { folderNames } from './folder-names.ts';
import { t } from './l10n.ts';
import { activeFolder } from './notebooks.ts';
import { diskFolders } from './runs/runs.ts';

/**
 * The folder of the workspace to work in: the only one, that of the open file, or one that the person chooses.
 *
 * @param what the command in words, for the sentence that is said where there is no folder
 * @returns undefined where the person chose none
 * @throws studio.noFolder, studio.virtual
 */
export async function pickFolder(what: string): Promise<WorkspaceFolder | undefined> {
  const folders = diskFolders();
  if ((workspace.workspaceFolders ?? []).length === 0) throw studioErrors.noFolder(what);
  if (folders.length === 0) throw studioErrors.virtual(what);
  if (folders.length === 1) return folders[0];
  const own = activeFolder();
  const items = folders.map((folder) => ({
    label: folder.name,
    description: folder.uri.fsPath,
    ...(folder === own ? { detail: t('holds the open file') } : {}),
    folder,
  }));
  items.sort((a, b) => Number(b.folder === own) - Number(a.folder === own));
  const placeHolder = t('{what}: which folder?', { what });
  return (await window.showQuickPick(items, { placeHolder, matchOnDescription: true }))?.folder;
}

/** @throws studio.untrusted */
export function needTrust(what: string): void {
  if (!workspace.isTrusted) throw studioErrors.untrusted(what);
}

/** What a list says of where a path lies: the name of the open folder that holds it, where there are several. */
export function folderWords(path: string): string[] {
  const folders = diskFolders().map(({ name, uri }) => ({ name, path: uri.fsPath }));
  const holding = workspace.getWorkspaceFolder(Uri.file(path))?.uri.fsPath;
  const name = folders.length < 2 || holding === undefined ? undefined : folderNames(folders).get(holding);
  return name === undefined ? [] : [name];
}

/** The folder whose `.cola/runs` holds the runs of a spec: that of the workspace it lies in, or its own. */
export function rootOf(spec: Uri): string {
  return workspace.getWorkspaceFolder(spec)?.uri.fsPath ?? dirname(spec.fsPath);
}
