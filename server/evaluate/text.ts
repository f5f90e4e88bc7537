/** Held-out text as sequences of one length. */

import { unmasked } from '../data/unlearned.ts';
import type { DataSpec } from '../spec/settings/parts.ts';
import { packedData } from '../train/data.ts';
import type { Sequences } from '../train/measures/states.ts';
import type { StageContext } from '../train/stage.ts';
import { evaluateErrors } from './errors.ts';

/**
 * The text that a stage with this data holds out.
 *
 * @param data `held_out` as in a run spec; without it the last fiftieth of `data`
 * @param length tokens in a sequence
 * @param limit most sequences; fewer where there is less text
 * @throws data.*, evaluate.tooLittleText, train.setting for a task, which has no text
 */
export async function heldOutText(
  data: { readonly data: DataSpec; readonly held_out?: DataSpec | undefined },
  context: StageContext,
  length: number,
  limit: number,
): Promise<Sequences> {
  const { heldOut, close } = await packedData(
    { ...data, batch: 1, length },
    context,
    limit,
    evaluateErrors.tooLittleText,
  );
  close();
  const ids = new Int32Array(heldOut.length * length);
  // Each has one token more, the target of its last: here targets are the sequence's own.
  for (const [i, sequence] of heldOut.entries()) ids.set(unmasked(sequence).ids.subarray(0, length), i * length);
  return { ids, count: heldOut.length, length };
}
