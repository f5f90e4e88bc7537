/** What a setting means, its unit, its default, and what the paper used. */
import { type Hover, MarkupKind, type Position } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { isStageName, stages } from '../../spec/stages.ts';
import { describeSetting, isStage, schemasAt } from './schema.ts';
import { type Path, placeAt } from './yaml-place.ts';

export function hover(text: string, position: Position): Hover | undefined {
  const document = TextDocument.create('', 'yaml', 0, text);
  const place = placeAt(text, document.offsetAt(position));
  if (place === undefined) return undefined;
  const value = describePath(place.path);
  if (value === undefined) return undefined;
  const range = { start: document.positionAt(place.start), end: document.positionAt(place.end) };
  return { contents: { kind: MarkupKind.Markdown, value }, range };
}

/** An entry of a list is described by its list. */
function describePath(path: Path): string | undefined {
  const at = path.findLastIndex((part) => typeof part === 'string');
  const name = path[at];
  if (typeof name !== 'string') return undefined;
  if (isStage(path.slice(0, at)) && isStageName(name)) return `**${name}**: ${stages[name].notes}`;
  const [schema] = schemasAt(path.slice(0, at + 1));
  return schema === undefined ? undefined : describeSetting(name, schema);
}
