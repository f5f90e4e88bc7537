/** What a text is that an action would write: a call, a declaration, an end. Knows nothing of the editor. */

import { t } from '../l10n.ts';
import type { ActionRow } from './rows.ts';

export type Follows = 'call' | 'declaration' | 'statement' | 'name' | 'value' | 'comment' | 'end' | 'other';

/** What a group of rows is called, and its icon of the editor's. */
export const followsWords: Readonly<Record<Follows, { readonly title: string; readonly icon: string }>> = {
  call: { title: t('calls'), icon: 'symbol-method' },
  declaration: { title: t('declarations'), icon: 'symbol-variable' },
  statement: { title: t('statements'), icon: 'symbol-keyword' },
  name: { title: t('names'), icon: 'symbol-field' },
  value: { title: t('values'), icon: 'symbol-constant' },
  comment: { title: t('comments'), icon: 'comment' },
  end: { title: t('ends'), icon: 'symbol-namespace' },
  other: { title: t('signs'), icon: 'symbol-operator' },
};

/** Words of the usual languages with which something begins to be there. */
const declaring =
  /^(?:abstract|class|const|constructor|declare|def|enum|export|fn|from|func|function|impl|import|interface|let|module|namespace|package|private|protected|pub|public|readonly|static|struct|trait|type|use|using|val|var)\b/;
const stating =
  /^(?:async|await|break|case|catch|continue|default|defer|delete|do|elif|else|finally|for|foreach|if|match|pass|raise|return|switch|throw|try|unless|until|while|with|yield)\b/;
const constant = /^(?:true|false|null|undefined|None|True|False|nil|new|this|self|typeof|void|["'`\d[{(/]|-\d)/;
const comment = /^(?:\/\/|\/\*|\*(?:\s|$)|<!--|--\s)/;
/** Languages in which a `#` begins a comment. */
const hashes = new Set(['python', 'shellscript', 'yaml', 'ruby', 'perl', 'r', 'toml', 'makefile', 'dockerfile']);
const identifier = /^(?:\?\.|\.)?[\p{L}_$][\p{L}\p{N}_$]*/u;
/** A name, its members and type arguments, and the bracket that calls it. */
const calling = /^(?:\?\.|\.)?[\p{L}_$][\p{L}\p{N}_$.?]*(?:<[^<>()]*>)?\(/u;

/** A line may be as long as a file; a word is not. */
const longestWord = 200;

/** The text with the word at the cursor, where it goes on in it or is called. */
function goingOn(text: string, before: string): { readonly whole: string; readonly word: string } {
  const word = /[\p{L}\p{N}_$]*$/u.exec(before.slice(-longestWord))?.[0] ?? '';
  return { whole: (/^[\p{L}\p{N}_$(<]/u.test(text) ? word + text : text).trim(), word };
}

/** @param before the line up to the cursor: a word that stands there goes on in the text */
export function followsOf(text: string, before: string, languageId: string): Follows {
  const line = before.trimStart();
  if (comment.test(line) || (hashes.has(languageId) && line.startsWith('#'))) return 'comment';
  const { whole, word } = goingOn(text, before);
  if (comment.test(whole) || (hashes.has(languageId) && whole.startsWith('#'))) return 'comment';
  if (whole === '' || /^[)\]};]/.test(whole)) return 'end';
  // A member is one, whatever words of the language it is called by.
  const member = /(?:\?\.|\.)$/.test(before.slice(0, before.length - word.length));
  if (!member && declaring.test(whole)) return 'declaration';
  if (!member && stating.test(whole)) return 'statement';
  if (!member && constant.test(whole)) return 'value';
  if (calling.test(whole)) return 'call';
  return identifier.test(whole) ? 'name' : 'other';
}

/** The name that a text begins with, for those who know what it stands for; undefined where it begins with none. */
export function nameIn(text: string, before: string): string | undefined {
  const { whole } = goingOn(text, before);
  return whole.match(identifier)?.[0].replace(/^\??\./, '');
}

export interface RowGroup {
  readonly follows: Follows;
  readonly rows: readonly ActionRow[];
}

/** Rows by what follows; the group of the likeliest row is the first, and in a group the likeliest row is. */
export function rowGroups(rows: readonly ActionRow[], before: string, languageId: string): RowGroup[] {
  const groups = new Map<Follows, ActionRow[]>();
  for (const row of rows) {
    const follows = followsOf(row.preview.text, before, languageId);
    groups.set(follows, [...(groups.get(follows) ?? []), row]);
  }
  return [...groups].map(([follows, own]) => ({ follows, rows: own }));
}
