/**
 * Completion by latent actions: the likeliest first tokens, each with the action behind it, continued by the policy and,
 * where that is unsure, by the base. And the list of all actions with what each would start.
 */
import { forced } from '../cola/decoder.ts';
import { colaErrors } from '../cola/errors.ts';
import { probabilities } from '../model/sampling.ts';
import type {
  ActionControl,
  CodePreview,
  Completion,
  CompletionParams,
  PreviewParams,
} from '../protocol/completion.ts';
import type { Job } from '../schedule/scheduler.ts';
import { type BeginOptions, type Begun, beginAlternatives, beginningsOf, likeliest } from './beginnings.ts';
import { type Ahead, tokensAtOnce } from './branch-reader.ts';
import { between, type TextCache } from './cache-model.ts';
import { choiceOf, continueRows, type Ending, type Fork, Row } from './continuation.ts';
import { completionErrors } from './errors.ts';
import { givenTyped } from './healing.ts';
import type { LoadedModel } from './loaded-model.ts';
import { documentTokens, type FillMarks, inOrder, type Prompt, promptEnd, promptTokens } from './prompt.ts';
import { endOfBlock, endOfLine } from './stop.ts';

/** Actions that come first, whatever the policy says. */
function forcedActions(control: ActionControl): readonly number[] {
  if (control.mode === 'pinned') return [control.action];
  return control.mode === 'sequence' ? control.actions : [];
}

/** Actions that are not to be chosen; those asked for by a pin or a sequence are taken all the same. */
function bannedActions(control: ActionControl): readonly number[] {
  if (control.mode === 'free') return [];
  return control.mode === 'banned' ? control.actions : (control.banned ?? []);
}

function checkActions(actions: readonly number[], codes: number): void {
  const strange = actions.find((code) => code >= codes);
  if (strange !== undefined) throw colaErrors.action(strange, codes);
}

/** What the policy says at one place, and where each code leads. */
interface Codes {
  readonly logits: Float32Array;
  /** What it says by itself, without what was typed of the word. */
  readonly policyLogits: Float32Array;
  readonly nextTokens: Int32Array;
}

/** Behind what was read last. */
async function codesOf(model: LoadedModel, { policyLogits }: Ahead): Promise<Codes> {
  return { logits: policyLogits, policyLogits, nextTokens: (await model.prefix.outlook()).nextTokens };
}

/** Codes by probability, the lowest first among equals. */
function ranked(logits: Float32Array, banned: ReadonlySet<number>): number[] {
  const codes = Array.from(logits.keys()).filter((code) => !banned.has(code));
  return codes.sort((a, b) => logits[b] - logits[a] || a - b);
}

/** The tokens a request is about, with room for `maxTokens` more. @throws engine.tooNarrow */
function tokensAt(
  model: LoadedModel,
  place: { readonly prefix: string; readonly suffix: string; readonly fill: boolean },
  maxTokens: number,
): Prompt {
  const room = model.context - maxTokens;
  if (room < 2) throw completionErrors.tooNarrow(maxTokens, model.context);
  return promptTokens(model.tokenizer, model.marks, place, room, model.vocabulary);
}

/** Where the text goes on: behind its last token, or within its last word. */
interface Start {
  /** What the model has read. */
  readonly tokens: readonly number[];
  readonly reused: number;
  readonly ahead: Ahead;
  /** What was typed of the first token that is to come. */
  readonly typed: string;
  /** What the policy says of that token's action, and where each leads; not asked for where the word is complete. */
  readonly word: Codes | undefined;
}

/** Reads a prompt, and decides whether its last word goes on. @param possible actions that may be taken first */
async function* begin(
  model: LoadedModel,
  { tokens, healed }: Prompt,
  possible: (action: number) => boolean,
  room: number,
  signal: AbortSignal,
): Job<Start> {
  if (healed !== undefined && model.vocabulary !== undefined) {
    const { tail } = healed;
    const { ahead, reused } = yield* model.prefix.read(healed.tokens, room, signal);
    const bias = model.vocabulary.biasFor(tail.text, -forced);
    const outlook = await model.prefix.reader.nextWord(ahead.state, bias, tail.token);
    const logits = givenTyped(ahead.policyLogits, outlook, possible);
    if (logits !== undefined) {
      const word = { logits, policyLogits: ahead.policyLogits, nextTokens: outlook.tokens };
      return { tokens: healed.tokens, reused, ahead, typed: tail.text, word };
    }
    yield;
    signal.throwIfAborted();
  }
  const { ahead, reused } = yield* model.prefix.read(tokens, room, signal);
  return { tokens, reused, ahead, typed: '', word: undefined };
}

/** A prompt with what is asked of its alternatives. */
export interface Wanted {
  readonly prompt: Prompt;
  readonly control: ActionControl;
  readonly alternatives: number;
  readonly maxTokens: number;
  /** Where a text is to be cut. */
  readonly cut: Ending['cut'];
  /** Whether a token may follow the whole prompt. */
  readonly fits: (token: number) => boolean;
  /** What was typed before: texts that were offered for it are likely to come again. */
  readonly prefix: string;
  /** What stands in the files of the project, if they are to have a say. */
  readonly texts?: TextCache | undefined;
}

/**
 * @param texts what stands in the files of the project, if they are to have a say
 * @throws cola.action, engine.tooNarrow; the signal's reason
 */
export async function* complete(
  model: LoadedModel,
  params: CompletionParams,
  signal: AbortSignal,
  texts?: TextCache,
): Job<Completion & { generated: number }> {
  const { control, maxTokens, alternatives, multiline, prefix } = params;
  const wanted: Wanted = {
    prompt: tokensAt(model, params, maxTokens),
    control,
    alternatives,
    maxTokens,
    cut: multiline ? (text) => endOfBlock(prefix, text) : endOfLine,
    // To end at once is no completion, and blanks are not answered with blanks.
    fits: (token) => !model.endIds.has(token) && model.vocabulary?.blankAgain(prefix, token) !== true,
    prefix,
    texts: texts && inDocument(texts, model.marks),
  };
  return yield* goOn(model, wanted, signal);
}

/** Asked with prompts, whose tokens may stand in another order than those of the document. */
const inDocument = (texts: TextCache, marks: FillMarks | undefined): TextCache => ({
  look: (sequence) => texts.look(inOrder(sequence, marks, between)),
  follow: (sequence, count) => texts.follow(inOrder(sequence, marks, between), count),
});

/** Goes on behind a prompt, in several ways. @throws cola.action; the signal's reason */
export async function* goOn(
  model: LoadedModel,
  { prompt, control, alternatives, maxTokens, cut, fits, prefix, texts }: Wanted,
  signal: AbortSignal,
): Job<Completion & { generated: number }> {
  const started = performance.now();
  const first = forcedActions(control).slice(0, maxTokens);
  const banned = new Set(bannedActions(control));
  checkActions([...first, ...banned], model.cola.config.numCodes);
  const ending: Ending = { maxTokens, cut };
  const lease = yield* model.prefix.take(signal);
  try {
    const room = prompt.tokens.length + alternatives * maxTokens + tokensAtOnce;
    const options = { count: alternatives, ending, banned, fits, room, texts };
    const begun =
      first.length === 0
        ? yield* beginAlternatives(model, prompt, options, signal)
        : yield* beginForced(model, prompt, first, options, signal);
    const { forks, tokens, typed, reused } = begun;
    const encode = (text: string) => documentTokens(model.tokenizer, typed + text);
    model.drafts.follow(prefix, tokens, encode);
    const generated = yield* continueRows(model, forks, banned, signal, texts);
    const known = first.length;
    for (const { row, before } of forks.toReversed()) model.drafts.remember(before, row.tokens.slice(known));
    const offered = distinct(forks.map(({ row }) => row)).map((row) => row.result());
    model.drafts.offered(
      prefix,
      offered.map(({ text }) => text),
    );
    return {
      alternatives: offered,
      promptTokens: tokens.length,
      reusedTokens: reused,
      milliseconds: performance.now() - started,
      record: recordOf(model, tokens, typed),
      generated: generated + forks.length,
    };
  } finally {
    lease.release();
  }
}

/** Takes the actions that are given, one run each; alternatives part behind them. */
async function* beginForced(
  model: LoadedModel,
  prompt: Prompt,
  actions: readonly number[],
  { count, ending, banned, room }: Pick<BeginOptions, 'count' | 'ending' | 'banned' | 'room'>,
  signal: AbortSignal,
): Job<Begun> {
  const { tokens, reused, ahead, typed, word } = yield* begin(model, prompt, (a) => a === actions[0], room, signal);
  const stem = new Row(model, ending, typed);
  const begun = (forks: Fork[]) => ({ forks, tokens, typed, reused });
  const read = [...tokens];
  let at = word ?? (await codesOf(model, ahead));
  for (const action of actions) {
    const token = at.nextTokens[action];
    stem.push(token, choiceOf(at.logits, action, new Set(), at.policyLogits));
    if (stem.finish !== undefined) return begun([{ row: stem, before: read }]);
    read.push(token);
    yield;
    signal.throwIfAborted();
    const next = yield* model.prefix.read(read, room, signal);
    at = await codesOf(model, next.ahead);
  }
  const outlook = await model.prefix.outlook();
  const textOf = (token: number) => model.vocabulary?.textOf(token) ?? String(token);
  const found = likeliest(
    // Some text has been chosen already: to end here is one way to go on.
    beginningsOf(outlook, textOf, () => true),
    count,
  );
  return begun(
    found.map(({ token }) => {
      const row = stem.fork();
      row.push(token, choiceOf(outlook.policyLogits, outlook.actions[token], banned));
      return { row, before: read };
    }),
  );
}

/** What feedback keeps of a place. */
function recordOf(model: LoadedModel, tokens: readonly number[], typed: string) {
  const prompt = promptEnd(tokens, model.marks);
  const before = model.tokenizer.decode(prompt, { skipSpecialTokens: false }) + typed;
  return { model: model.fingerprint, version: model.policy.version, prompt, before };
}

/** Without empty texts, and of equal ones the first. */
function distinct(rows: readonly Row[]): Row[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const { text } = row.result();
    if (text.trim() === '' || seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

/** @throws engine.tooNarrow; the signal's reason */
export async function* previewActions(
  model: LoadedModel,
  params: PreviewParams,
  signal: AbortSignal,
): Job<{ codes: CodePreview[] }> {
  const prompt = tokensAt(model, params, params.tokens);
  const ending: Ending = { maxTokens: params.tokens, cut: endOfLine };
  const lease = yield* model.prefix.take(signal);
  try {
    const branches = Math.min(params.extended, model.cola.config.numCodes);
    const room = prompt.tokens.length + branches * params.tokens + tokensAtOnce;
    const { tokens, ahead, typed, word } = yield* begin(model, prompt, () => true, room, signal);
    const { logits, policyLogits, nextTokens } = word ?? (await codesOf(model, ahead));
    const codes = ranked(logits, new Set());
    const p = probabilities(logits, 0, logits.length);
    // After the token, it is the same which action it came from.
    const rows = new Map<number, Row>();
    const likest = new Map<number, number>();
    const extended = new Map<number, Row>();
    for (const [i, action] of codes.entries()) {
      const token = nextTokens[action];
      const row = rows.get(token) ?? new Row(model, ending, typed);
      if (!rows.has(token)) row.push(token, choiceOf(logits, action, new Set(), policyLogits));
      rows.set(token, row);
      if (!likest.has(token)) likest.set(token, action);
      if (i < params.extended) extended.set(token, row);
    }
    const forks = [...extended.values()].map((row) => ({ row, before: tokens }));
    yield* continueRows(model, forks, new Set(), signal);
    const previews = codes.map((action) => ({
      action,
      label: model.labels[action],
      probability: p[action],
      text: rows.get(nextTokens[action])?.result().text ?? '',
      like: likest.get(nextTokens[action]) ?? action,
    }));
    return { codes: previews };
  } finally {
    lease.release();
  }
}
