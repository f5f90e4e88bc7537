/** Labels of latent actions, made from what the codes were seen to do. */
import { isRude } from '../../cola/rude.ts';
import { kindNames, nameToken, type TokenKind } from '../../cola/token-names.ts';

/** A token with how much of a code it makes up. */
export interface LabelToken {
  readonly text: string;
  readonly special: boolean;
  /** Share of the code's positions. */
  readonly share: number;
}

export interface LabelEvidence {
  readonly code: number;
  /** Share of the text; decides who takes a name that two could have. */
  readonly usage: number;
  /** All tokens of the code, most telling first. */
  readonly tokens: readonly LabelToken[];
  /** Text of the token that most often stands before, and its share. */
  readonly before?: { readonly text: string; readonly share: number };
}

/** From this share on one token, kind or neighbour speaks for the whole code. */
const most = 0.45;
const longest = 40;

/** One label a code, in the order of the evidence; no two are equal. Codes that were never used are `unused` with their number. */
export function labelActions(evidence: readonly LabelEvidence[]): string[] {
  const labels = new Map<number, string>();
  const taken = new Set<string>();
  for (const one of [...evidence].sort((a, b) => b.usage - a.usage || a.code - b.code)) {
    const label =
      candidates(one).find((text) => text.length <= longest && !taken.has(text) && !isRude(text)) ?? `code ${one.code}`;
    taken.add(label);
    labels.set(one.code, label);
  }
  return evidence.map(({ code }) => labels.get(code) ?? `code ${code}`);
}

/** Names that fit, the plainest first. */
function candidates({ code, tokens, before }: LabelEvidence): string[] {
  if (tokens.length === 0) return [`unused ${code}`];
  const steady = before !== undefined && before.share >= most ? before.text : undefined;
  const named = tokens.map((token) => ({ ...token, ...nameToken(token.text, token.special, steady) }));
  const [first, second] = named;
  const kinds = new Map<TokenKind, number>();
  for (const { kind, share } of named) kinds.set(kind, (kinds.get(kind) ?? 0) + share);
  const [kind, kindShare] = [...kinds].reduce((a, b) => (b[1] > a[1] ? b : a));
  const general = kindNames[kind];
  const short = (name: string) => name.split(' ').at(-1) ?? name;
  const all: string[] = [];
  if (first.share >= most) all.push(first.name);
  if (kindShare >= most) {
    const same = named.filter((token) => token.kind === kind);
    if (same[0].share < most) all.push(general);
    all.push(...same.map(({ name }) => (kind === 'line' ? name : joined(general, short(name)))));
  }
  if (second !== undefined) all.push(`${first.name} / ${short(second.name)}`);
  all.push(...named.map(({ name }) => name));
  return [...all, ...all.map((name) => `${name} ${code}`)];
}

/** A kind with one of its tokens; words that both have stand once. */
function joined(general: string, detail: string): string {
  return general.split(' ').includes(detail) ? general : `${general} ${detail}`;
}
