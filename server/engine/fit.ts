/** Whether the stages of a run spec fit into memory. */
import { specParts } from '../cli/fit.ts';
import { fits } from '../model/memory.ts';
import type { ResultOf } from '../protocol/request.ts';
import type { fitSpec } from '../protocol/runs.ts';
import { readSpec } from '../spec/document.ts';

/** @throws spec.*, and whatever reading the model's configuration throws */
export async function estimateSpec(specFile: string): Promise<ResultOf<typeof fitSpec>> {
  const { device } = readSpec(specFile);
  const { parts } = await specParts(specFile, {});
  const most = Math.max(...parts.map(({ memory }) => memory.total));
  // Nothing is opened to find out what "auto" would take; the CPU is what is always there.
  const { fits: fitting, free, source } = fits(most, device === 'auto' ? 'cpu' : device);
  return {
    parts: parts.map(({ what, memory }) => ({ what, bytes: memory.total })),
    free: free ?? null,
    fits: fitting ?? null,
    source,
  };
}
