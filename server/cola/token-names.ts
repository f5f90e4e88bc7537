/** What a token is called in words, and what kind of thing it is in program text. */

export type TokenKind =
  | 'line'
  | 'space'
  | 'digit'
  | 'keyword'
  | 'open'
  | 'close'
  | 'quote'
  | 'operator'
  | 'mark'
  | 'capital'
  | 'member'
  | 'word'
  | 'part'
  | 'special';

/** Words for the kinds, where tokens of one kind share a code. */
export const kindNames: Readonly<Record<TokenKind, string>> = {
  line: 'new line',
  space: 'white space',
  digit: 'any digit',
  keyword: 'any keyword',
  open: 'open bracket',
  close: 'close bracket',
  quote: 'text quote',
  operator: 'any operator',
  mark: 'punctuation mark',
  capital: 'capital name',
  member: 'property name',
  word: 'whole word',
  part: 'word part',
  special: 'special token',
};

/** Keywords of TypeScript with what they begin. */
const keywords: Readonly<Record<string, string>> = {
  const: 'declare const',
  let: 'declare let',
  var: 'declare var',
  function: 'declare function',
  class: 'declare class',
  interface: 'declare interface',
  type: 'declare type',
  enum: 'declare enum',
  import: 'import module',
  export: 'export name',
  from: 'from module',
  return: 'return value',
  if: 'branch if',
  else: 'branch else',
  switch: 'branch switch',
  case: 'branch case',
  for: 'loop for',
  while: 'loop while',
  of: 'loop of',
  in: 'inside in',
  new: 'create new',
  this: 'this object',
  super: 'super object',
  await: 'await promise',
  async: 'async function',
  throw: 'throw error',
  try: 'try block',
  catch: 'catch error',
  typeof: 'test typeof',
  instanceof: 'test instanceof',
  null: 'value null',
  undefined: 'value undefined',
  true: 'value true',
  false: 'value false',
  string: 'type string',
  number: 'type number',
  boolean: 'type boolean',
  void: 'type void',
  any: 'type any',
  unknown: 'type unknown',
  extends: 'extends type',
  implements: 'implements type',
  readonly: 'readonly member',
  private: 'private member',
  public: 'public member',
  static: 'static member',
  default: 'default value',
  as: 'cast as',
};

/** Marks and pairs of marks. */
const marks: Readonly<Record<string, readonly [TokenKind, string]>> = {
  '(': ['open', 'open paren'],
  ')': ['close', 'close paren'],
  '{': ['open', 'open brace'],
  '}': ['close', 'close brace'],
  '[': ['open', 'open bracket'],
  ']': ['close', 'close bracket'],
  '<': ['open', 'open angle'],
  '>': ['close', 'close angle'],
  '()': ['close', 'empty parens'],
  '{}': ['close', 'empty object'],
  '[]': ['close', 'empty list'],
  '({': ['open', 'open object'],
  '([': ['open', 'open list'],
  '})': ['close', 'close object'],
  '});': ['close', 'end callback'],
  ');': ['close', 'end call'],
  '();': ['close', 'end call'],
  '};': ['close', 'end block'],
  '],': ['close', 'next after list'],
  '),': ['close', 'next after call'],
  '},': ['close', 'next after object'],
  ').': ['mark', 'chain call'],
  '().': ['mark', 'chain call'],
  ')}': ['close', 'close call'],
  '>(': ['open', 'generic call'],
  "('": ['open', 'call with text'],
  '("': ['open', 'call with text'],
  "'": ['quote', 'single quote'],
  '"': ['quote', 'double quote'],
  '`': ['quote', 'back quote'],
  "';": ['quote', 'end text'],
  '";': ['quote', 'end text'],
  "',": ['quote', 'next text'],
  '",': ['quote', 'next text'],
  "')": ['quote', 'close text call'],
  '")': ['quote', 'close text call'],
  "');": ['quote', 'end text call'],
  '");': ['quote', 'end text call'],
  "['": ['quote', 'text key'],
  '["': ['quote', 'text key'],
  ';': ['mark', 'end statement'],
  ',': ['mark', 'next item'],
  '.': ['mark', 'member dot'],
  '?.': ['mark', 'optional member'],
  '...': ['mark', 'spread items'],
  ':': ['mark', 'colon'],
  '?': ['mark', 'question mark'],
  '//': ['mark', 'line comment'],
  '/**': ['mark', 'open doc'],
  '/*': ['mark', 'open comment'],
  '*': ['mark', 'doc star'],
  '*/': ['mark', 'close doc'],
  '@': ['mark', 'doc tag'],
  '#': ['mark', 'hash sign'],
  '-': ['operator', 'minus dash'],
  '=': ['operator', 'assign value'],
  '=>': ['operator', 'arrow function'],
  '===': ['operator', 'compare equal'],
  '!==': ['operator', 'compare unequal'],
  '==': ['operator', 'compare equal'],
  '!=': ['operator', 'compare unequal'],
  '<=': ['operator', 'at most'],
  '>=': ['operator', 'at least'],
  '&&': ['operator', 'logical and'],
  '||': ['operator', 'logical or'],
  '??': ['operator', 'else default'],
  '!': ['operator', 'logical not'],
  '|': ['operator', 'union type'],
  '+': ['operator', 'plus sign'],
  '+=': ['operator', 'add to'],
  '++': ['operator', 'count up'],
  '/': ['operator', 'slash sign'],
  _: ['part', 'under score'],
};

/** Words of which names are made, but those that say that a token is a piece of one. */
export const nameWords: ReadonlySet<string> = new Set(
  [
    ...Object.values(kindNames),
    ...Object.values(keywords),
    ...Object.keys(keywords),
    ...Object.values(marks).map(([, name]) => name),
    ...['blank line', 'indent', 'tab', 'spaces', 'digit', 'property', 'capital', 'quote', 'end document', 'end turn'],
  ]
    .flatMap((name) => name.split(' '))
    .filter((word) => word !== 'part'),
);

export interface TokenName {
  readonly kind: TokenKind;
  /** Two or three words for this very token. */
  readonly name: string;
}

/** A vocabulary may hold any text; a name is told by less. */
const longestToken = 200;

/**
 * @param text of one token
 * @param special whether it is a mark of the format, such as the end of a turn
 * @param before text of the token before it, where that is nearly always the same
 */
export function nameToken(text: string, special: boolean, before?: string): TokenName {
  if (special) return { kind: 'special', name: specialName(text) };
  if (text.length > longestToken) return nameToken(text.slice(0, longestToken), special, before);
  if (/^\s*$/.test(text)) return blank(text);
  const bare = text.trim();
  if (/^\d+$/.test(bare)) return { kind: 'digit', name: `digit ${bare}` };
  if (Object.hasOwn(keywords, bare) && !/[\w.]$/.test(before ?? '')) return { kind: 'keyword', name: keywords[bare] };
  if (Object.hasOwn(marks, bare)) {
    const [kind, name] = marks[bare];
    return { kind, name };
  }
  if (!/[\p{L}\p{N}]/u.test(bare)) return { kind: 'mark', name: `marks ${bare}` };
  const word = bare.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
  if (bare.startsWith('.') || before?.endsWith('.') === true) return { kind: 'member', name: `property ${word}` };
  if (/^['"`]/.test(bare)) return { kind: 'quote', name: `quote ${word}` };
  if (bare.startsWith('</')) return { kind: 'close', name: `close ${word}` };
  if (bare.startsWith('<')) return { kind: 'open', name: `open ${word}` };
  if (word !== bare) return { kind: 'part', name: `part ${bare}` };
  if (/^\p{Lu}/u.test(bare)) return { kind: 'capital', name: `capital ${bare}` };
  return text !== bare ? { kind: 'word', name: `word ${bare}` } : { kind: 'part', name: `part ${bare}` };
}

function specialName(text: string): string {
  const words = text.replace(/[^\p{L}\p{N}]+/gu, ' ').trim();
  const known: Readonly<Record<string, string>> = { endoftext: 'end document', end: 'end turn' };
  return known[words] ?? `mark ${words}`;
}

function blank(text: string): TokenName {
  const lines = text.split('\n').length - 1;
  const rest = text.slice(text.lastIndexOf('\n') + 1);
  const indent = rest.includes('\t') ? `tab ${rest.length}` : `${rest.length}`;
  if (lines === 0) return { kind: 'space', name: text === '' ? 'empty token' : `spaces ${indent}` };
  const name = lines === 1 ? 'new line' : 'blank line';
  return { kind: 'line', name: rest === '' ? name : `${name} indent ${indent}` };
}
