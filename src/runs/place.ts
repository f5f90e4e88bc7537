/** Places in files that messages name: where they are, and how they are opened. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Range, Uri, window } from 'vscode';
import { type FilePlace, placeIn } from './news-text.ts';

/** The first place that a message names. @param root folder that a relative path counts from */
export const placeOf = (message: string, root = ''): FilePlace | undefined =>
  placeIn(message, (path) => isFile(resolve(root, path)));

/** Shows a place in its file. @param root folder that a relative path counts from */
export async function openPlace({ file, line }: FilePlace, root = ''): Promise<void> {
  const at = new Range(line - 1, 0, line - 1, 0);
  await window.showTextDocument(Uri.file(resolve(root, file)), { selection: at });
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // Not there, or no path at all.
    return false;
  }
}
