/** Whether an update computes the blocks of the base again in its backward pass. */
import type { Device } from '../../device/device.ts';
import { Graph } from '../../graph/tensor.ts';
import { freeMemory, trainMemory } from '../../model/memory.ts';
import type { Checkpointing } from '../../spec/settings/parts.ts';
import type { Objective } from '../optimizer/optimizer.ts';

/**
 * With `auto` it does where it would need more memory than is free. On the CPU the gradients are the same bit for bit, so that it
 * does not matter if a resumed run decides otherwise.
 *
 * @param checkpoint undefined for a stage that has no such setting
 * @param trained names of parameters of the objective
 * @param free bytes; those that are free now, if not given
 */
export function recomputes(
  checkpoint: Checkpointing | undefined,
  device: Device,
  trained: readonly string[],
  accumulate: number,
  objective: (graph: Graph) => Objective,
  free = freeMemory().free,
): boolean {
  if (checkpoint !== 'auto') return checkpoint === 'blocks';
  if (!device.onHost) return false;
  const { loss, metrics = {} } = objective(new Graph());
  const { total, weights } = trainMemory(loss, trained, { accumulate, kept: Object.values(metrics) });
  return total - weights > free;
}
