/** What the editor's own language support, such as TypeScript's, knows of the names at a place: each with its icon. */
import { CompletionItemKind, type CompletionList, commands, type Position, type TextDocument } from 'vscode';

const icons = new Map<CompletionItemKind, string>([
  [CompletionItemKind.Method, 'symbol-method'],
  [CompletionItemKind.Function, 'symbol-function'],
  [CompletionItemKind.Constructor, 'symbol-constructor'],
  [CompletionItemKind.Field, 'symbol-field'],
  [CompletionItemKind.Variable, 'symbol-variable'],
  [CompletionItemKind.Class, 'symbol-class'],
  [CompletionItemKind.Interface, 'symbol-interface'],
  [CompletionItemKind.Module, 'symbol-module'],
  [CompletionItemKind.Property, 'symbol-property'],
  [CompletionItemKind.Enum, 'symbol-enum'],
  [CompletionItemKind.EnumMember, 'symbol-enum-member'],
  [CompletionItemKind.Constant, 'symbol-constant'],
  [CompletionItemKind.Struct, 'symbol-struct'],
  [CompletionItemKind.TypeParameter, 'symbol-type-parameter'],
]);

/** By name; empty where nobody knows the language. */
export async function symbolIcons(document: TextDocument, at: Position): Promise<ReadonlyMap<string, string>> {
  const list = await commands.executeCommand<CompletionList | undefined>(
    'vscode.executeCompletionItemProvider',
    document.uri,
    at,
  );
  const found = new Map<string, string>();
  for (const { label, kind } of list?.items ?? []) {
    const icon = kind === undefined ? undefined : icons.get(kind);
    const name = (typeof label === 'string' ? label : label.label).replace(/[?(].*$/, '');
    if (icon !== undefined && !found.has(name)) found.set(name, icon);
  }
  return found;
}
