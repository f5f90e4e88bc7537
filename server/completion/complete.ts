/**
 * Completion whose alternatives are intentions: the most probable first actions that lead to different tokens, each
 * continued by the policy. And the list of all actions with what each would start.
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
import { type Ahead, tokensAtOnce } from './branch-reader.ts';
import { choiceOf, continueRows, type Ending, Row } from './continuation.ts';
import { completionErrors } from './errors.ts';
import { givenTyped } from './healing.ts';
import type { LoadedModel } from './loaded-model.ts';
import { type Prompt, promptEnd, promptTokens } from './prompt.ts';
import { endOfBlock, endOfLine } from './stop.ts';

/** Actions that come first, whatever the policy says. */
function forcedActions(control: ActionControl): readonly number[] {
  if (control.mode === 'pinned') return [control.action];
  return control.mode === 'sequence' ? control.actions : [];
}

function checkActions(actions: readonly number[], codes: number): void {
  const strange = actions.find((code) => code >= codes);
  if (strange !== undefined) throw colaErrors.action(strange, codes);
}

/** What the policy says at one place, and where each code leads. */
interface Outlook {
  readonly logits: Float32Array;
  /** What it says by itself, without what was typed of the word. */
  readonly policyLogits: Float32Array;
  readonly nextTokens: Int32Array;
}

/** Behind what was read last. */
async function outlookOf(model: LoadedModel, { policyLogits }: Ahead): Promise<Outlook> {
  return { logits: policyLogits, policyLogits, nextTokens: await model.prefix.nextTokens() };
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
  readonly word: Outlook | undefined;
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

/** @throws cola.action, engine.tooNarrow; the signal's reason */
export async function* complete(
  model: LoadedModel,
  params: CompletionParams,
  signal: AbortSignal,
): Job<Completion & { generated: number }> {
  const started = performance.now();
  const { control, maxTokens, alternatives, multiline, prefix } = params;
  const first = forcedActions(control).slice(0, maxTokens);
  const banned = new Set(control.mode === 'banned' ? control.actions : []);
  checkActions([...first, ...banned], model.cola.config.numCodes);
  const ending: Ending = {
    maxTokens,
    cut: multiline ? (text) => endOfBlock(prefix, text) : endOfLine,
  };
  const prompt = tokensAt(model, params, maxTokens);
  const lease = yield* model.prefix.take(signal);
  try {
    const room = prompt.tokens.length + alternatives * maxTokens + tokensAtOnce;
    const possible = (action: number) => (first.length > 0 ? action === first[0] : !banned.has(action));
    const { tokens, reused, ahead, typed, word } = yield* begin(model, prompt, possible, room, signal);
    const stem = new Row(model, ending, typed);
    let rows: Row[];
    if (control.mode === 'free' && alternatives === 1 && word === undefined && !model.endIds.has(ahead.token)) {
      // The run that read the text has chosen already; where the other codes lead need not be known.
      stem.push(ahead.token, choiceOf(ahead.policyLogits, ahead.action, banned));
      rows = [stem];
    } else {
      const at = word ?? (await outlookOf(model, ahead));
      const outlook = yield* readActions(model, stem, tokens, at, first, room, signal);
      rows = stem.finish === undefined ? branch(model, stem, outlook, alternatives, banned) : [stem];
    }
    const encode = (text: string) => [...model.tokenizer.encode(typed + text, { addSpecialTokens: false })];
    model.drafts.follow(prefix, tokens, encode);
    const generated = yield* continueRows(model, tokens, rows, banned, signal);
    for (const row of rows.toReversed()) model.drafts.remember(tokens, row.tokens);
    const offered = distinct(rows).map((row) => row.result());
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
      generated: generated + rows.length,
    };
  } finally {
    lease.release();
  }
}

/** What feedback keeps of a place. */
function recordOf(model: LoadedModel, tokens: readonly number[], typed: string) {
  const prompt = promptEnd(tokens, model.marks);
  const before = model.tokenizer.decode(prompt, { skipSpecialTokens: false }) + typed;
  return { model: model.fingerprint, version: model.policy.version, prompt, before };
}

/** Takes the actions that are given, one run each. */
async function* readActions(
  model: LoadedModel,
  stem: Row,
  tokens: readonly number[],
  outlook: Outlook,
  actions: readonly number[],
  room: number,
  signal: AbortSignal,
): Job<Outlook> {
  let at = outlook;
  const read = [...tokens];
  for (const action of actions) {
    const token = at.nextTokens[action];
    stem.push(token, choiceOf(at.logits, action, new Set(), at.policyLogits));
    if (stem.finish !== undefined) return at;
    read.push(token);
    yield;
    signal.throwIfAborted();
    const { ahead } = yield* model.prefix.read(read, room, signal);
    at = await outlookOf(model, ahead);
  }
  return at;
}

/** An action that the policy takes less often than this is none that a person would choose. */
const leastProbability = 1 / 500;

/** One row for each of the most probable actions that lead to a token of their own. */
function branch(
  model: LoadedModel,
  stem: Row,
  { logits, policyLogits, nextTokens }: Outlook,
  count: number,
  banned: ReadonlySet<number>,
): Row[] {
  const seen = new Set<number>();
  const rows: Row[] = [];
  const p = probabilities(logits, 0, logits.length);
  for (const action of ranked(logits, banned)) {
    if (rows.length > 0 && p[action] < leastProbability) break;
    const token = nextTokens[action];
    // To end at once is no completion, unless some text has been chosen already.
    if (seen.has(token) || (stem.count === 0 && model.endIds.has(token))) continue;
    seen.add(token);
    const row = stem.fork();
    row.push(token, choiceOf(logits, action, banned, policyLogits));
    rows.push(row);
    if (rows.length === count) break;
  }
  return rows;
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
    const { logits, policyLogits, nextTokens } = word ?? (await outlookOf(model, ahead));
    const codes = ranked(logits, new Set());
    const p = probabilities(logits, 0, logits.length);
    // After the token, it is the same which action it came from.
    const rows = new Map<number, Row>();
    const extended = new Map<number, Row>();
    for (const [i, action] of codes.entries()) {
      const token = nextTokens[action];
      const row = rows.get(token) ?? new Row(model, ending, typed);
      if (!rows.has(token)) row.push(token, choiceOf(logits, action, new Set(), policyLogits));
      rows.set(token, row);
      if (i < params.extended) extended.set(token, row);
    }
    yield* continueRows(model, tokens, [...extended.values()], new Set(), signal);
    const previews = codes.map((action) => ({
      action,
      label: model.labels[action],
      probability: p[action],
      text: rows.get(nextTokens[action])?.result().text ?? '',
    }));
    return { codes: previews };
  } finally {
    lease.release();
  }
}
