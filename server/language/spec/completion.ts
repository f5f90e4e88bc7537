/** Completion in a run spec: keys that are still free, and the words a value can be. */
import {
  type CompletionItem,
  CompletionItemKind,
  InsertTextFormat,
  MarkupKind,
  type Position,
  type Range,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { isStageName, stages } from '../../spec/stages.ts';
import { defaultOf, describeSetting, isStage, type KeyNote, keysAt, typeOf, valuesAt } from './schema.ts';
import { type Path, typingPlace } from './yaml-place.ts';

export function completions(text: string, position: Position): CompletionItem[] {
  const document = TextDocument.create('', 'yaml', 0, text);
  const place = typingPlace(text, document.offsetAt(position));
  if (place === undefined) return [];
  const range = { start: document.positionAt(place.start), end: document.positionAt(place.end) };
  const colon = !/^\s*:/.test(text.slice(place.end));
  if (place.kind === 'key') return keyItems(place.path, place.siblings, range, colon);
  if (isStage(place.path)) return keyItems(place.path, [], range, colon);
  const values = valuesAt(place.path).map((value) => valueItem(value, place.path, range));
  return place.ownLine ? [...values, ...keyItems(place.path, [], range, colon)] : values;
}

function keyItems(path: Path, siblings: readonly string[], range: Range, colon: boolean): CompletionItem[] {
  // A stage has one name.
  if (isStage(path)) return siblings.length > 0 ? [] : keysAt(path).map((key) => stageItem(key, range, colon));
  return keysAt(path, siblings)
    .filter(({ name }) => !siblings.includes(name))
    .map((key, i) => keyItem(key, i, range, colon));
}

function keyItem({ name, schema, required }: KeyNote, order: number, range: Range, colon: boolean): CompletionItem {
  const standard = defaultOf(schema);
  return {
    label: name,
    kind: CompletionItemKind.Property,
    detail: `${typeOf(schema)}${standard === undefined ? '' : ` = ${standard}`}${required ? ' (needed)' : ''}`,
    documentation: { kind: MarkupKind.Markdown, value: describeSetting(name, schema) },
    // What is needed comes first, then in the order of the documentation.
    sortText: `${required ? 0 : 1}${String(order).padStart(3, '0')}`,
    textEdit: { range, newText: colon ? `${name}: ` : name },
  };
}

function stageItem({ name }: KeyNote, range: Range, colon: boolean): CompletionItem {
  const needed = keysAt(['stages', 0, name]).filter(({ required }) => required);
  const settings = needed.map((key, i) => `${key.name}: $${i + 1}`).join(', ');
  return {
    label: name,
    kind: CompletionItemKind.Module,
    ...(isStageName(name) ? { documentation: stages[name].notes } : {}),
    insertTextFormat: InsertTextFormat.Snippet,
    textEdit: { range, newText: colon ? `${name}: { ${settings === '' ? '$1' : settings}$0 }` : name },
  };
}

function valueItem(value: string, path: Path, range: Range): CompletionItem {
  const last = path[path.length - 1];
  return {
    label: value,
    kind: CompletionItemKind.EnumMember,
    ...(typeof last === 'string' ? { detail: last } : {}),
    textEdit: { range, newText: value },
  };
}
