/**
 * The first tokens of alternatives: the likeliest of all that may follow, one text each. Where a word stands at the cursor, a
 * token may go on within it or follow it, each by its probability: p(text) is summed over both ways to cut it.
 */
import { forced } from '../cola/decoder.ts';
import type { Job } from '../schedule/scheduler.ts';
import { cacheShare, type Said, saidOf, type TextCache } from './cache-model.ts';
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

/** What may follow when the texts of the project are asked too. */
export function withSaid(outlook: Outlook, said: Said | undefined): Outlook {
  if (said === undefined) return outlook;
  const shift = Math.log(1 - cacheShare);
  const logp = outlook.logp.map((x) => x + shift);
  const byTexts = new Set<number>();
  for (const token of said.counts.keys()) {
    const [own, theirs] = [Math.exp(logp[token]), cacheShare * saidOf(said, token)];
    logp[token] = Math.log(own + theirs);
    if (theirs > own && said.elsewhere.has(token)) byTexts.add(token);
  }
  return { ...outlook, logp, byTexts };
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

export interface BeginOptions {
  readonly count: number;
  readonly ending: Ending;
  /** Actions that must not be taken; the base, which knows none, has no say then. */
  readonly banned: ReadonlySet<number>;
  /** Whether a token may follow the whole prompt. */
  readonly fits: (token: number) => boolean;
  /** Slots for the prompt and all that branches from it. */
  readonly room: number;
  /** What stands in the files of the project, which has a say too where no action is banned. */
  readonly texts?: TextCache | undefined;
}

/** Reads a prompt and begins alternatives. */
export async function* beginAlternatives(
  model: LoadedModel,
  { tokens, healed }: Prompt,
  options: BeginOptions,
  signal: AbortSignal,
): Job<Begun> {
  const { count, ending, banned, fits, room } = options;
  const texts = banned.size === 0 ? options.texts : undefined;
  const { vocabulary, prefix } = model;
  /** Behind what was read last. */
  const outlookBehind = async (read: readonly number[]) => withSaid(await prefix.outlook(banned), texts?.look(read));
  const fork = (
    { token, outlook }: Beginning,
    before: readonly number[],
    word: string,
    typed: readonly TypedToken[],
  ) => {
    const row = new Row(model, ending, word, typed);
    const choice = choiceOf(outlook.policyLogits, outlook.actions[token], banned);
    row.push(token, outlook.byTexts?.has(token) === true ? { ...choice, files: true } : choice);
    return { row, before };
  };
  if (healed === undefined || vocabulary === undefined) {
    const { ahead, reused } = yield* prefix.read(tokens, room, signal);
    const said = texts?.look(tokens);
    const agreed = said === undefined || said.token === ahead.token;
    if (count === 1 && banned.size === 0 && fits(ahead.token) && agreed) {
      // The run that read the text has chosen already; what else could follow need not be known.
      const row = new Row(model, ending);
      row.push(ahead.token, choiceOf(ahead.policyLogits, ahead.action, banned));
      return { forks: [{ row, before: tokens }], tokens, typed: '', reused };
    }
    const textOf = (token: number) => vocabulary?.textOf(token) ?? String(token);
    const found = likeliest(beginningsOf(await outlookBehind(tokens), textOf, fits), count);
    return { forks: found.map((each) => fork(each, tokens, '', [])), tokens, typed: '', reused };
  }
  const { tail } = healed;
  const { reused } = yield* prefix.read(healed.tokens, room, signal);
  let at = await outlookBehind(healed.tokens);
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
    const read = tokens.slice(0, healed.tokens.length + i + 1);
    yield* prefix.read(read, room, signal);
    at = await outlookBehind(read);
    if (typed.length === tail.count) behind = beginningsOf(at, (token) => vocabulary.textOf(token), fits, given);
  }
  const isWithin = new Set(within);
  const found = likeliest([...within, ...behind], count);
  const forks = found.map((each) =>
    isWithin.has(each) ? fork(each, healed.tokens, tail.text, []) : fork(each, tokens, '', typed),
  );
  return { forks, tokens: healed.tokens, typed: tail.text, reused };
}
