/** Where in a text the latent actions fire: the most likely action of every token, read in overlapping windows. */
import { headOn, inverseDynamics } from '../cola/modules.ts';
import type { Program } from '../device/program.ts';
import { ProgramCache } from '../device/program-cache.ts';
import * as ops from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';
import { languageHead } from '../model/base.ts';
import { StreamDecoder } from '../model/tokenizer/tokenizer.ts';
import type { Located, LocatedToken, LocateParams } from '../protocol/pages/actions.ts';
import type { Job } from '../schedule/scheduler.ts';
import { completionErrors } from './errors.ts';
import type { LoadedModel } from './loaded-model.ts';
import { documentTokens } from './prompt.ts';
import { longestWindow, windowOf, windowStates } from './window-states.ts';

type Source = LocateParams['source'];

/** Characters before the part that is asked about. Half a window is context for the other half: enough for that of any text. */
const contextCharacters = longestWindow * 8;

/** What is said of one window. */
interface WindowActions {
  readonly actions: Int32Array;
  readonly probabilities: Float32Array;
  readonly better?: { readonly tokens: Int32Array; readonly nats: Float32Array };
}

/** The programs that read a window, kept with their model. */
export class Locator {
  private readonly programs = new ProgramCache<Source>();

  constructor(private readonly model: LoadedModel) {}

  /** Tokens in a window. */
  get window(): number {
    return windowOf(this.model);
  }

  /**
   * For one window of ids `[W]`: action and probability at every place that a token follows, W - 1 of each; for `better` also the
   * token that is likeliest there, and how much likelier than the one that follows, in nats.
   */
  async read(source: Source, ids: Int32Array): Promise<WindowActions> {
    const program = await this.programs.get(source, () => this.compile(source));
    const next = source === 'better' ? { next: ids.slice(1) } : {};
    const out = await program.run({ ids, ...next }, { states: this.model.states });
    const result = {
      actions: await out.action.readInts(),
      probabilities: await out.probability.readFloats(),
      ...('best' in out ? { better: { tokens: await out.best.readInts(), nats: await out.nats.readFloats() } } : {}),
    };
    for (const buffer of Object.values(out)) buffer.release();
    return result;
  }

  private compile(source: Source): Promise<Program> {
    const { window, model } = this;
    const { cola, device } = model;
    const { config } = cola.base;
    const { graph, h, context, frozen } = windowStates(model);
    const logits =
      source === 'inverse'
        ? inverseDynamics(graph, config, cola.config, h, context)
        : ops.slice(headOn(graph, config, cola.config, 'policy', h, context), 1, 0, window - 1);
    const action = ops.argmax(logits);
    const outputs: Record<string, Tensor> = { action, probability: ops.pick(ops.softmax(logits), action) };
    if (source === 'better') {
      const likely = ops.slice(languageHead(graph, config, h), 1, 0, window - 1);
      const best = ops.argmax(likely);
      const written = ops.pick(likely, graph.input('next', 'int32', [1, window - 1]));
      Object.assign(outputs, { best, nats: ops.sub(ops.pick(likely, best), written) });
    }
    return device.compile(outputs, { frozen });
  }

  dispose(): Promise<void> {
    return this.programs.dispose();
  }
}

/** @throws engine.noInverse; the signal's reason */
export async function* locate(model: LoadedModel, params: LocateParams, signal: AbortSignal): Job<Located> {
  const { source, text } = params;
  const inverse = model.cola.has('idm');
  if (source === 'inverse' && !inverse) throw completionErrors.noInverse(model.cola.folder);
  const to = Math.min(params.to ?? text.length, text.length);
  const from = Math.min(params.from, to);
  const begin = contextStart(text, from);
  const read = text.slice(begin, to);
  const ids = documentTokens(model.tokenizer, read);
  const decoder = new StreamDecoder(model.tokenizer, { skipSpecialTokens: false, continuation: true });
  const places = placesOf(
    read,
    ids.map((id) => decoder.push(id)),
  );
  // What the tokenizer puts before every text stands there only if the text is read from its start.
  const start = begin === 0 ? [...model.tokenizer.encode('')] : [];
  const first = places.findIndex((place) => begin + place.end > from);
  const tokens: LocatedToken[] = [];
  if (first >= 0) {
    const all = [...start, ...ids];
    const { window } = model.locator;
    // Place p says which action leads to token p + 1.
    for (let next = start.length + first - 1; next < all.length - 1; ) {
      yield;
      signal.throwIfAborted();
      // As much context as there is room for.
      const at = Math.max(0, Math.min(next - window / 2, all.length - window));
      const piece = new Int32Array(window);
      piece.set(all.slice(at, at + window));
      const { actions, probabilities, better } = await model.locator.read(source, piece);
      const end = Math.min(at + window - 1, all.length - 1);
      for (next = Math.max(next, 0); next < end; next++) {
        const place = places[next + 1 - start.length];
        if (place === undefined) continue;
        const [action, probability] = [actions[next - at], probabilities[next - at]];
        const best = better?.tokens[next - at] ?? all[next + 1];
        const instead =
          better === undefined || best === all[next + 1]
            ? {}
            : { instead: { text: model.tokenizer.decode([best]), nats: Math.max(0, better.nats[next - at]) } };
        tokens.push({ start: begin + place.start, end: begin + place.end, action, probability, ...instead });
      }
    }
  }
  return { tokens, labels: [...model.labels], inverse };
}

/** Where reading begins: some way before the part, never between the halves of a character. */
function contextStart(text: string, from: number): number {
  const start = Math.max(0, from - contextCharacters);
  return start > 0 && /[\udc00-\udfff]/.test(text[start] ?? '') ? start + 1 : start;
}

/**
 * Where each piece of a decoded text stands in the text it was encoded from. They are the same for most tokenizers; where
 * one changes characters, the pieces that can be found again bring the others back on the way.
 */
export function placesOf(text: string, pieces: readonly string[]): { start: number; end: number }[] {
  let at = 0;
  return pieces.map((piece) => {
    const near = text.startsWith(piece, at) ? at : text.slice(0, at + piece.length + 8).indexOf(piece, at);
    if (piece === '' || near < 0) return { start: at, end: at };
    at = near + piece.length;
    return { start: near, end: at };
  });
}
