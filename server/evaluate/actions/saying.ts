/**
 * Does a code say anything? Codes may all be in use, and L_pred far below the base's loss, while choosing one changes nothing
 * that is written: the inverse dynamics knows the next token, and merge and codebook adapt to it. These figures cannot be
 * had without something being said.
 */
import type { ColaModel } from '../../cola/model.ts';
import { codebook, inverseDynamics, worldModel } from '../../cola/modules.ts';
import { crossEntropy } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { Random } from '../../random.ts';
import { defaultBudget, paddedInts, rowsWithin } from '../../train/measures/chunks.ts';
import type { Figures } from '../../train/measures/figures.ts';
import { collectStates, type Reader, readText, type Sequences, spread } from '../../train/measures/states.ts';
import { marginalLosses } from '../marginal.ts';

/** From so many bits an action, and with so many forced codes recovered, a codebook is called healthy. */
export const healthy = { bits: 2, recovered: 0.6 } as const;

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
 * - `healthy`: 1 where `bits` and `recovered` are at least those of {@link healthy}.
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
  return { ...figures, bits, healthy: +(bits >= healthy.bits && recovered >= healthy.recovered) };
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
    build: ({ graph, config, rows, ids, context, h }) => {
      const before = ops.slice(h, 1, 0, places);
      const targets = ops.slice(ids, 1, 1, length);
      const under = (actions: Tensor) =>
        crossEntropy(
          worldModel(graph, config, cola.config, before, ops.gather(codebook(graph, config, cola.config), actions)),
          targets,
        );
      return {
        losses: under(ops.argmax(inverseDynamics(graph, config, cola.config, h, context))),
        random: under(graph.input('codes', 'int32', [rows, places])),
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
  const { hiddenSize: d } = reader.base.config;
  const { length } = text;
  const draw = new Random(seed + 1);
  let named = 0;
  for (let round = 0; round < rounds; round++) {
    const codes = Int32Array.from({ length: text.count }, () => draw.integer(cola.config.numCodes));
    const places = Int32Array.from({ length: text.count }, () => draw.integer(length - 1));
    const written = new Int32Array(text.count);
    const column = (values: Int32Array, start: number, end: number, rows: number) =>
      paddedInts(values, 1, start, end, rows);
    // The place in the rows of a run under each other.
    const at = (perRow: number) => (start: number, end: number, rows: number) =>
      column(places, start, end, rows).map((place, i) => i * perRow + place);
    const [ofText, ofActions] = [at(length), at(length - 1)];
    await readText(reader, text, {
      build: ({ graph, config, rows, h }) => {
        const states = ops.gather(ops.reshape(h, [rows * length, d]), graph.input('places', 'int32', [rows]));
        const c = ops.gather(codebook(graph, config, cola.config), graph.input('codes', 'int32', [rows]));
        return { written: ops.argmax(worldModel(graph, config, cola.config, states, c)) };
      },
      feeds: (start, end, rows) => ({
        places: ofText(start, end, rows),
        codes: column(codes, start, end, rows),
      }),
      take: (values, start, count) => written.set(values.ints('written').subarray(0, count), start),
    });
    const changed = text.ids.slice();
    for (const [row, token] of written.entries()) changed[row * length + places[row] + 1] = token;
    await readText(
      reader,
      { ...text, ids: changed },
      {
        build: ({ graph, config, rows, context, h }) => {
          const all = ops.argmax(inverseDynamics(graph, config, cola.config, h, context));
          const flat = ops.reshape(all, [rows * (length - 1), 1]);
          return { found: ops.reshape(ops.gather(flat, graph.input('places', 'int32', [rows])), [rows]) };
        },
        feeds: (start, end, rows) => ({ places: ofActions(start, end, rows) }),
        take: (values, start, count) => {
          const found = values.ints('found');
          for (let i = 0; i < count; i++) if (found[i] === codes[start + i]) named++;
        },
      },
    );
  }
  return named / (rounds * text.count);
}
