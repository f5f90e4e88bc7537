/** Cells of notebooks are documents of their own, of no folder and no file: both are those of the notebook. */
import { type NotebookDocument, type Uri, type WorkspaceFolder, window, workspace } from 'vscode';

const cellScheme = 'vscode-notebook-cell';

/** The notebook that holds a cell; undefined for a document that is none. */
export function notebookOf(uri: Uri): NotebookDocument | undefined {
  if (uri.scheme !== cellScheme) return undefined;
  const wanted = uri.toString();
  return workspace.notebookDocuments.find((notebook) =>
    notebook.getCells().some(({ document }) => document.uri.toString() === wanted),
  );
}

/** Where a document is kept: of a cell the notebook. */
export const keptAt = (uri: Uri): Uri => notebookOf(uri)?.uri ?? uri;

/** The folder of the workspace in which the active file or notebook lies. */
export function activeFolder(): WorkspaceFolder | undefined {
  const uri = window.activeTextEditor?.document.uri ?? window.activeNotebookEditor?.notebook.uri;
  return uri === undefined ? undefined : workspace.getWorkspaceFolder(keptAt(uri));
}
