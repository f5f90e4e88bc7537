/** Whether a run can be carried out with what is free, before it is begun. */
import { fits } from '../../model/memory.ts';
import type { RunSpec } from '../../spec/schema.ts';
import { trainErrors } from '../errors.ts';
import { specParts } from './spec-memory.ts';

/**
 * Refuses a run of which a part takes more memory than is free now, by the estimate that `cola fit` shows. Where the free
 * memory is not known, as on an accelerator, nothing is refused.
 *
 * @throws train.tooLarge, and whatever reading the model's configuration throws
 */
export async function needMemory(spec: RunSpec, specFile: string): Promise<void> {
  const { parts } = await specParts(specFile, {}, spec);
  // Nothing is opened to find out what "auto" would take; the CPU is what is always there.
  const device = spec.device === 'auto' ? 'cpu' : spec.device;
  for (const { what, memory } of parts) {
    const bytes = memory().total;
    const { fits: fitting, free = 0, source } = fits(bytes, device);
    if (fitting === false) throw trainErrors.tooLarge(what, bytes, free, source);
  }
}
