/** Batch decoding by the policy: it chooses an action, the world model turns that into a token. */
import { continueRows, type GenerateOptions, type Generation, seedOf } from '../model/generate.ts';
import { Random } from '../random.ts';
import type { Decoder } from './decoder.ts';
import type { ColaModel } from './model.ts';

export interface ActionGeneration extends Generation {
  /** The action behind each of the tokens, and behind the one that ended them. */
  readonly actions: Int32Array;
}

/**
 * Continues every prompt until an end token, a stop text or the limit. What a row draws depends on its seed and its place only,
 * not on other rows.
 *
 * @param decoder of the model; it cuts the choice to its `topK`
 * @param temperature of the actions; 0 takes the most likely one
 * @throws model.emptyPrompt, model.idOutOfRange, model.tooLong; the signal's reason when it is aborted
 */
export async function generateActions(
  decoder: Decoder,
  model: ColaModel,
  prompts: readonly ArrayLike<number>[],
  options: Omit<GenerateOptions, 'sampling'> & { readonly temperature: number },
): Promise<ActionGeneration[]> {
  const { temperature, seed = 0 } = options;
  const codes = decoder.numCodes;
  const actions: number[][] = prompts.map(() => []);
  const results = await continueRows(model.base, prompts, options, async (rows, room) => {
    const random = Array.from({ length: rows }, (_, row) => new Random(seedOf(seed, row)));
    const cache = await decoder.cache(rows, room);
    return {
      async next(unread, ended) {
        const bias = new Float32Array(rows * codes);
        if (temperature > 0) {
          // The most likely code under Gumbel noise is an exact sample.
          for (const [row, own] of random.entries())
            if (!ended(row)) for (let i = 0; i < codes; i++) bias[row * codes + i] = own.gumbel();
        }
        const { action, token } = await decoder.step(cache, unread, bias, temperature === 0 ? 1 : temperature);
        for (const [row, own] of actions.entries()) if (!ended(row)) own.push(action[row]);
        return token;
      },
      dispose: () => cache.dispose(),
    };
  });
  return results.map((result, row) => ({ ...result, actions: Int32Array.from(actions[row]) }));
}
