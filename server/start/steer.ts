/** The same beginning continued under different first actions. */
import { Decoder, forced } from '../cola/decoder.ts';
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import { probabilities } from '../model/sampling.ts';
import { noTokenizer } from '../model/tokenizer/no-tokenizer.ts';
import { StreamDecoder, type Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { Steering } from '../report/page.ts';

export const steeringPrompt = 'export function readFile(path: string) {\n  ';

/**
 * The most probable actions that lead to different tokens, each forced once; then the policy goes on greedily.
 *
 * @throws cola.missing, model.noTokenizer
 */
export async function steer(
  device: Device,
  cola: ColaModel,
  prompt: string,
  ways: number,
  length: number,
  signal: AbortSignal,
): Promise<Steering> {
  const { tokenizer } = cola.base;
  if (tokenizer === undefined) throw noTokenizer(cola.folder);
  const decoder = new Decoder(device, cola, { parts: { preview: true } });
  try {
    const ids = tokenizer.encode(prompt);
    const cache = await decoder.cache(1, ids.length + length);
    let first: Awaited<ReturnType<Decoder['step']>>;
    try {
      first = await decoder.step(cache, [ids]);
    } finally {
      cache.dispose();
    }
    const { nextTokens, policyLogits } = first;
    if (nextTokens === undefined) throw new Error('the step gives no preview');
    const n = decoder.numCodes;
    const chances = probabilities(policyLogits, 0, n, 1);
    const ranked = Array.from({ length: n }, (_, code) => code).sort((a, b) => chances[b] - chances[a] || a - b);
    const chosen: number[] = [];
    for (const code of ranked) {
      const fresh = chosen.every((other) => nextTokens[other] !== nextTokens[code]);
      if (fresh && !cola.base.endIds.has(nextTokens[code]) && chosen.length < ways) chosen.push(code);
    }
    const shown: Steering['ways'][number][] = [];
    for (const action of chosen) {
      const continued = await continueUnder(decoder, ids, action, length, cola.base.endIds, signal);
      shown.push({
        action,
        probability: chances[action],
        actions: continued.actions,
        tokens: textsOf(continued.tokens, tokenizer),
      });
    }
    return { prompt, ways: shown };
  } finally {
    await decoder.dispose();
  }
}

async function continueUnder(
  decoder: Decoder,
  ids: Int32Array,
  action: number,
  length: number,
  ends: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<{ actions: number[]; tokens: number[] }> {
  const cache = await decoder.cache(1, ids.length + length);
  const actions: number[] = [];
  const tokens: number[] = [];
  try {
    const bias = new Float32Array(decoder.numCodes);
    bias[action] = forced;
    let unread: ArrayLike<number> = ids;
    for (let t = 0; t < length; t++) {
      signal.throwIfAborted();
      const step = await decoder.step(cache, [unread], t === 0 ? bias : undefined);
      if (ends.has(step.token[0])) break;
      actions.push(step.action[0]);
      tokens.push(step.token[0]);
      unread = step.token;
    }
  } finally {
    cache.dispose();
  }
  return { actions, tokens };
}

/** The text that each token adds. */
function textsOf(tokens: readonly number[], tokenizer: Tokenizer): string[] {
  const decoder = new StreamDecoder(tokenizer, { continuation: true });
  return tokens.map((id) => decoder.push(id));
}
