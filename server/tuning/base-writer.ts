/** The base of a model without its latent actions, at the places where a simulated person sits: a control for the actions. */
import type { LoadedModel } from '../completion/loaded-model.ts';
import { endOfLine } from '../completion/stop.ts';
import { agreement } from '../evaluate/choice/agreement.ts';
import { generate } from '../model/generate.ts';
import { baseStepper } from '../model/language-model.ts';
import { greedy, type Sampling } from '../model/sampling.ts';
import type { Place } from './simulated-person.ts';

/** What the base alone writes at places. */
export interface BaseTrial {
  /** Share of the places where it is taken. */
  readonly first: number;
  /** Characters that need not be written, a place. */
  readonly savedFirst: number;
}

/** As most people sample: from the model's own distribution. */
const sampled: Sampling = { temperature: 1, topK: 0, topP: 1 };

/**
 * One continuation a place, by the base's most likely tokens or drawn with a seed. A blank before the cursor is left to
 * the base, which learned to write it together with the word behind it; it has to write it to be taken.
 */
export async function tryBase(
  model: LoadedModel,
  places: readonly Place[],
  how: 'greedy' | 'sampled',
  maxTokens: number,
  signal: AbortSignal,
): Promise<BaseTrial> {
  const { tokenizer, device, cola } = model;
  const stepper = baseStepper(device, cola.base, how === 'greedy' ? 'token' : 'logits');
  let [taken, saved] = [0, 0];
  try {
    for (const [i, { prefix, rest }] of places.entries()) {
      const blank = /\S $/.test(prefix) ? ' ' : '';
      const ids = [
        ...tokenizer.encode(''),
        ...tokenizer.encode(prefix.slice(0, prefix.length - blank.length), { addSpecialTokens: false }),
      ].slice(-(model.context - maxTokens - 1));
      const sampling = how === 'greedy' ? greedy : sampled;
      const [written] = await generate(stepper, cola.base, [ids], {
        maxNewTokens: maxTokens,
        sampling,
        seed: i,
        signal,
      });
      const text = written.text ?? '';
      const line = text.slice(0, endOfLine(text)?.length);
      if (!line.startsWith(blank)) continue;
      const agreed = agreement(line.slice(blank.length), rest);
      if (agreed > 0) taken++;
      saved += agreed;
    }
  } finally {
    await stepper.dispose();
  }
  const count = Math.max(1, places.length);
  return { first: taken / count, savedFirst: saved / count };
}
