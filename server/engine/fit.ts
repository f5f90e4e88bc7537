/** Whether the stages of a run spec fit into memory. */
import { fits } from '../model/memory.ts';
import type { ResultOf } from '../protocol/channel/request.ts';
import type { fitSpec } from '../protocol/runs.ts';
import { readSpec } from '../spec/document.ts';
import { describedPart } from '../train/run/memory-parts.ts';
import { specParts } from '../train/run/spec-memory.ts';

/** @throws spec.*, and whatever reading the model's configuration throws */
export async function estimateSpec(specFile: string): Promise<ResultOf<typeof fitSpec>> {
  const { device } = readSpec(specFile);
  const { parts } = await specParts(specFile, {});
  const taken = parts.map(({ what, memory }) => {
    const needed = memory();
    return { what: describedPart(what, needed), bytes: needed.total };
  });
  const most = Math.max(...taken.map(({ bytes }) => bytes));
  // Nothing is opened to find out what "auto" would take; the CPU is what is always there.
  const { fits: fitting, free, source } = fits(most, device === 'auto' ? 'cpu' : device);
  return {
    parts: taken,
    free: free ?? null,
    fits: fitting ?? null,
    source,
  };
}
