/** What follows when a latent action is forced once, and the policy goes on greedily. */
import { Decoder, forced } from '../../cola/decoder.ts';
import type { ColaModel } from '../../cola/model.ts';
import type { Device } from '../../device/device.ts';

/** Continuations of one prompt, new tokens only. */
export interface ForcedContinuations {
  readonly prompt: Int32Array;
  /** By the policy alone. */
  readonly free: Int32Array;
  /** Under each code, by code. */
  readonly forced: readonly Int32Array[];
}

/**
 * Continues every prompt N + 1 times: freely, and with each code forced at the first step.
 *
 * @param prompts at least one token each
 * @param length new tokens; end tokens are read on like any other, so that all texts are of one length
 */
export async function forceActions(
  device: Device,
  cola: ColaModel,
  prompts: readonly Int32Array[],
  length: number,
  signal: AbortSignal,
  onProgress: (done: number) => void = () => {},
): Promise<ForcedContinuations[]> {
  const decoder = new Decoder(device, cola);
  const all: ForcedContinuations[] = [];
  try {
    for (const prompt of prompts) {
      all.push(await forceOn(decoder, prompt, length, signal));
      onProgress(all.length);
    }
  } finally {
    await decoder.dispose();
  }
  return all;
}

async function forceOn(
  decoder: Decoder,
  prompt: Int32Array,
  length: number,
  signal: AbortSignal,
): Promise<ForcedContinuations> {
  const n = decoder.numCodes;
  const rows = n + 1;
  const room = prompt.length + length;
  const shared = await decoder.cache(1, room);
  if (prompt.length > 1) await decoder.step(shared, [prompt.subarray(0, -1)]);
  const cache = await decoder.select(shared, new Array<number>(rows).fill(0), room);
  shared.dispose();
  try {
    const texts = Array.from({ length: rows }, () => new Int32Array(length));
    let unread: ArrayLike<number>[] = texts.map(() => prompt.subarray(-1));
    for (let t = 0; t < length; t++) {
      signal.throwIfAborted();
      const bias = new Float32Array(rows * n);
      if (t === 0) for (let code = 0; code < n; code++) bias[code * n + code] = forced;
      const { token } = await decoder.step(cache, unread, bias);
      for (const [row, text] of texts.entries()) text[t] = token[row];
      unread = texts.map((text) => text.subarray(t, t + 1));
    }
    return { prompt, free: texts[n], forced: texts.slice(0, n) };
  } finally {
    cache.dispose();
  }
}
