/** How much the codes say, as figures: see `server/cola/saying.ts`. */
import type { ColaModel } from '../../cola/model.ts';
import { inverseDynamics } from '../../cola/modules.ts';
import { lossUnder, namesForced } from '../../cola/saying.ts';
import * as ops from '../../graph/ops.ts';
import { isHealthy } from '../../protocol/figures/healthy-codes.ts';
import { Random } from '../../random.ts';
import { defaultBudget, paddedInts, rowsWithin } from '../../train/measures/chunks.ts';
import type { Figures } from '../../train/measures/figures.ts';
import { collectStates, type Reader, readText, type Sequences, spread } from '../../train/measures/states.ts';
import { marginalLosses } from '../marginal.ts';

/** Rounds over the text; in each one code is forced at one place of every sequence. */
const rounds = 8;
/** The codes that are forced, and the places; the same for every model of as many codes. */
const seed = 7;

/**
 * - `random_loss`: mean of -log p_world(x_{t+1} | a) with a drawn evenly from all codes, at the places of `prediction`;
 * - `bits`: (loss of the marginal - L_pred) / ln 2 at the same states, with a_t = argmax of the inverse dynamics: what the
 *   choice of an action adds to what the policy knew before it;
 * - `recovered`: of codes that are forced, drawn evenly, with the token that the world model then writes, the share that the
 *   inverse dynamics names when it has read the token. Codes that write one token cannot be told apart;
 * - `healthy`: 1 where `bits` and `recovered` are at least those of {@link healthyCodes}.
 *
 * `bits` and `healthy` need a policy.
 *
 * @param limit states at which the marginal is taken
 */
export async function measureSaying(
  reader: Reader,
  cola: ColaModel,
  text: Sequences,
  limit: number,
  budget = defaultBudget,
): Promise<Figures> {
  const { losses, random } = await lossesUnder(reader, cola, text, budget);
  const recovered = await measureRecovery(reader, cola, text);
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
  const figures = { random_loss: mean(random), recovered };
  if (!cola.has('policy')) return figures;
  const picked = spread(losses.length, limit);
  const states = await collectStates(reader, cola, text, { limit, last: false });
  const marginal = await marginalLosses(reader, cola, states, budget);
  const bits = (mean(marginal) - mean(Array.from(picked, (at) => losses[at]))) / Math.LN2;
  return { ...figures, bits, healthy: +isHealthy({ bits, recovered }) };
}

/** -log p_world of the next token at every place, under the action of the inverse dynamics and under a random one. */
async function lossesUnder(reader: Reader, cola: ColaModel, text: Sequences, budget: number) {
  const { length } = text;
  const places = length - 1;
  const draw = new Random(seed);
  const codes = Int32Array.from({ length: text.count * places }, () => draw.integer(cola.config.numCodes));
  const losses = new Float32Array(codes.length);
  const random = new Float32Array(codes.length);
  await readText(reader, text, {
    chunk: rowsWithin(budget, 2 * length * reader.base.config.vocabSize),
    build: (run) => {
      const { graph, config, rows, context, h } = run;
      const read = { ...run, cola: cola.config };
      return {
        losses: lossUnder(read, ops.argmax(inverseDynamics(graph, config, cola.config, h, context))),
        random: lossUnder(read, graph.input('codes', 'int32', [rows, places])),
      };
    },
    feeds: (start, end, rows) => ({ codes: paddedInts(codes, places, start, end, rows) }),
    take: (values, start, count) => {
      losses.set(values.floats('losses').subarray(0, count * places), start * places);
      random.set(values.floats('random').subarray(0, count * places), start * places);
    },
  });
  return { losses, random };
}

/** The share of forced codes that the inverse dynamics names. */
export async function measureRecovery(reader: Reader, cola: ColaModel, text: Sequences): Promise<number> {
  const draw = new Random(seed + 1);
  let named = 0;
  for (let round = 0; round < rounds; round++) {
    const codes = Int32Array.from({ length: text.count }, () => draw.integer(cola.config.numCodes));
    const places = Int32Array.from({ length: text.count }, () => draw.integer(text.length - 1));
    await readText(reader, text, {
      build: (run) => {
        const input = (name: string) => run.graph.input(name, 'int32', [run.rows]);
        return { named: namesForced({ ...run, cola: cola.config }, input('places'), input('codes')) };
      },
      feeds: (start, end, rows) => ({
        places: paddedInts(places, 1, start, end, rows),
        codes: paddedInts(codes, 1, start, end, rows),
      }),
      take: (values, _start, count) => {
        for (const one of values.floats('named').subarray(0, count)) named += one;
      },
    });
  }
  return named / (rounds * text.count);
}
