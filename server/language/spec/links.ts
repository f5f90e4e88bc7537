/** Links from the paths in a run spec to the files. */
import type { DocumentLink } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { linksIn } from './paths.ts';
import { fileOf } from './uri.ts';

export async function links(text: string, uri: string): Promise<DocumentLink[]> {
  const file = fileOf(uri);
  if (file === undefined) return [];
  const document = TextDocument.create(uri, 'yaml', 0, text);
  const found = await linksIn(text, file);
  return found.map(({ start, end, target }) => ({
    range: { start: document.positionAt(start), end: document.positionAt(end) },
    target,
  }));
}
