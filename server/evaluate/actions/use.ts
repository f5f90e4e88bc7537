/** Where in a text each latent action is chosen, and what stands there. */
import type { ColaModel } from '../../cola/model.ts';
import { headOn, inverseDynamics } from '../../cola/modules.ts';
import * as ops from '../../graph/ops.ts';
import { type Reader, readText, type Sequences } from '../../train/measures/states.ts';

/** Actions at the positions of a text that a token follows, `[S, T-1]`. */
export interface ActionUse {
  /** argmax of the inverse dynamics, which sees the next token. */
  readonly inverse: Int32Array;
  /** argmax of the policy, which does not. */
  readonly policy: Int32Array;
}

/** The most likely codes of both heads; nothing is drawn. */
export async function readActionUse(reader: Reader, cola: ColaModel, text: Sequences): Promise<ActionUse> {
  const width = text.length - 1;
  const use = { inverse: new Int32Array(text.count * width), policy: new Int32Array(text.count * width) };
  await readText(reader, text, {
    build: ({ graph, config, context, h }) => ({
      inverse: ops.argmax(inverseDynamics(graph, config, cola.config, h, context)),
      policy: ops.argmax(ops.slice(headOn(graph, config, cola.config, 'policy', h, context), 1, 0, width)),
    }),
    take: (values, start, count) => {
      for (const name of ['inverse', 'policy'] as const) {
        use[name].set(values.ints(name).subarray(0, count * width), start * width);
      }
    },
  });
  return use;
}

/** A token id with its share among the positions of a code, and that over its share among all positions. */
export interface IdEvidence {
  readonly id: number;
  readonly share: number;
  readonly lift: number;
}

/**
 * For every code the ids at its positions, most telling first: by share x log(lift), the part each has in the divergence of
 * the code's distribution from that of the text. What occurs once or twice says nothing and is left out.
 *
 * @param actions, ids one of each a position
 */
export function evidenceOf(actions: Int32Array, ids: Int32Array, codes: number, vocabSize: number): IdEvidence[][] {
  const overall = new Float64Array(vocabSize);
  const own = Array.from({ length: codes }, () => new Map<number, number>());
  for (let i = 0; i < ids.length; i++) {
    overall[ids[i]]++;
    const counts = own[actions[i]];
    counts.set(ids[i], (counts.get(ids[i]) ?? 0) + 1);
  }
  return own.map((counts) => {
    const total = [...counts.values()].reduce((a, b) => a + b, 0);
    const least = Math.min(3, total);
    const weight = ({ share, lift }: IdEvidence) => share * Math.log(lift);
    return [...counts]
      .filter(([, count]) => count >= least)
      .map(([id, count]) => ({ id, share: count / total, lift: count / total / (overall[id] / ids.length) }))
      .sort((a, b) => weight(b) - weight(a) || a.id - b.id);
  });
}

/** How often each code occurs. */
export function sharesOf(actions: Int32Array, codes: number): number[] {
  const counts = new Array<number>(codes).fill(0);
  for (const action of actions) counts[action]++;
  return counts.map((count) => (actions.length === 0 ? 0 : count / actions.length));
}
