/** Where feedback is kept. */
import { type ExtensionContext, type Uri, workspace } from 'vscode';
import { pickFolder } from '../folders.ts';
import { activeFolder } from '../notebooks.ts';
import { setting } from '../settings.ts';

/** Folder of log and versions for a file; undefined for one that is in no folder of this machine. */
export function rootFor(context: ExtensionContext, uri: Uri): { root: string; folder: string } | undefined {
  const folder = workspace.getWorkspaceFolder(uri);
  if (folder === undefined || folder.uri.scheme !== 'file' || uri.scheme !== 'file') return undefined;
  const global = setting('cola.feedback.scope') === 'global';
  return { root: global ? context.globalStorageUri.fsPath : folder.uri.fsPath, folder: folder.uri.fsPath };
}

/** Folder of log and versions for a command; undefined where the person chose none. @throws studio.noFolder */
export async function chosenRoot(context: ExtensionContext, what: string): Promise<string | undefined> {
  if (setting('cola.feedback.scope') === 'global') return context.globalStorageUri.fsPath;
  return (activeFolder() ?? (await pickFolder(what)))?.uri.fsPath;
}

/** Folder whose version completion uses: of the active editor, else of the first folder. */
export function activeRoot(context: ExtensionContext): string | undefined {
  if (setting('cola.feedback.scope') === 'global') return context.globalStorageUri.fsPath;
  const folder = activeFolder() ?? workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file');
  return folder?.uri.scheme === 'file' ? folder.uri.fsPath : undefined;
}
