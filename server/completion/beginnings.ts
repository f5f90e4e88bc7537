/**
 * The first tokens of alternatives: the likeliest of all that may follow, one text each. Where a word stands at the cursor, a
 * token may go on within it or follow it, each by its probability: p(text) is summed over both ways to cut it.
 */
import { forced } from '../cola/decoder.ts';
import type { Job } from '../schedule/scheduler.ts';
import { choiceOf, type Ending, type Fork, Row, type TypedToken } from './continuation.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { Outlook } from './outlook.ts';
import type { Prompt } from './prompt.ts';

/** A token that an alternative may begin with. */
export interface Beginning {
  readonly token: number;
  readonly logp: number;
  /** Of what may follow the whole prompt, or of what may go on within its last word. */
  readonly outlook: Outlook;
  /** Text that it adds to what is typed. */
  readonly text: string;
}

/** To follow a word that goes on this much more often is not looked at: it would cost the runs that read the word. */
const hardlyEver = 1e-3;

/** The likeliest beginnings with texts of their own, the likeliest first. */
export function likeliest(all: readonly Beginning[], count: number): Beginning[] {
  const sorted = [...all].sort((a, b) => b.logp - a.logp || a.token - b.token);
  const byText = new Map<string, { readonly best: Beginning; p: number }>();
  // What is far down the list cannot come up by being summed.
  for (const each of sorted.slice(0, 4 * count + 16)) {
    const same = byText.get(each.text);
    if (same === undefined) byText.set(each.text, { best: each, p: Math.exp(each.logp) });
    else same.p += Math.exp(each.logp);
  }
  const summed = [...byText.values()].sort((a, b) => b.p - a.p);
  return summed.slice(0, count).map(({ best }) => best);
}

/** The tokens that fit, with what an outlook says of each. */
export function beginningsOf(
  outlook: Outlook,
  textOf: (token: number) => string,
  fits: (token: number) => boolean,
  given = 0,
): Beginning[] {
  const found: Beginning[] = [];
  for (const [token, logp] of outlook.logp.entries())
    if (fits(token)) found.push({ token, logp: given + logp, outlook, text: textOf(token) });
  return found;
}

export interface Begun {
  readonly forks: readonly Fork[];
  /** Tokens of what the feedback calls the prompt, what was typed behind it, and what of both was known already. */
  readonly tokens: readonly number[];
  readonly typed: string;
  readonly reused: number;
}

/**
 * Reads a prompt and begins alternatives.
 *
 * @param banned actions that must not be taken; the base, which knows none, has no say then
 * @param fits whether a token may follow the whole prompt
 * @param room slots for the prompt and all that branches from it
 */
export async function* beginAlternatives(
  model: LoadedModel,
  { tokens, healed }: Prompt,
  options: {
    readonly count: number;
    readonly ending: Ending;
    readonly banned: ReadonlySet<number>;
    readonly fits: (token: number) => boolean;
    readonly room: number;
  },
  signal: AbortSignal,
): Job<Begun> {
  const { count, ending, banned, fits, room } = options;
  const { vocabulary, prefix } = model;
  const fork = (
    { token, outlook }: Beginning,
    before: readonly number[],
    word: string,
    typed: readonly TypedToken[],
  ) => {
    const row = new Row(model, ending, word, typed);
    row.push(token, choiceOf(outlook.policyLogits, outlook.actions[token], banned));
    return { row, before };
  };
  if (healed === undefined || vocabulary === undefined) {
    const { ahead, reused } = yield* prefix.read(tokens, room, signal);
    if (count === 1 && banned.size === 0 && fits(ahead.token)) {
      // The run that read the text has chosen already; what else could follow need not be known.
      const row = new Row(model, ending);
      row.push(ahead.token, choiceOf(ahead.policyLogits, ahead.action, banned));
      return { forks: [{ row, before: tokens }], tokens, typed: '', reused };
    }
    const textOf = (token: number) => vocabulary?.textOf(token) ?? String(token);
    const found = likeliest(beginningsOf(await prefix.outlook(banned), textOf, fits), count);
    return { forks: found.map((each) => fork(each, tokens, '', [])), tokens, typed: '', reused };
  }
  const { tail } = healed;
  const { reused } = yield* prefix.read(healed.tokens, room, signal);
  let at = await prefix.outlook(banned);
  const bias = vocabulary.biasFor(tail.text, -forced);
  const rest = (token: number) => vocabulary.textOf(token).slice(tail.text.length);
  const within = beginningsOf(at, rest, (token) => bias[token] === 0);
  const goesOn = within.reduce((sum, { logp }) => sum + Math.exp(logp), 0);
  const typed: TypedToken[] = [];
  let given = 0;
  let behind: Beginning[] = [];
  for (const [i, id] of tokens.slice(healed.tokens.length).entries()) {
    const { action, probability } = choiceOf(at.policyLogits, at.actions[id], banned);
    typed.push({ id, action, prior: probability });
    given += at.logp[id];
    if (Math.exp(given) < hardlyEver * goesOn) break;
    yield;
    signal.throwIfAborted();
    yield* prefix.read(tokens.slice(0, healed.tokens.length + i + 1), room, signal);
    at = await prefix.outlook(banned);
    if (typed.length === tail.count) behind = beginningsOf(at, (token) => vocabulary.textOf(token), fits, given);
  }
  const isWithin = new Set(within);
  const found = likeliest([...within, ...behind], count);
  const forks = found.map((each) =>
    isWithin.has(each) ? fork(each, healed.tokens, tail.text, []) : fork(each, tokens, '', typed),
  );
  return { forks, tokens: healed.tokens, typed: tail.text, reused };
}
