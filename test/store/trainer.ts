/**
 * A process that trains, as far as the disk is concerned: it resumes the run of its first argument, goes on to the
 * step of its second one, and may be killed at any moment. What it writes depends on the step alone. Third argument:
 * `hold` to keep the lock for ever instead.
 */
import { z } from 'zod';
import type { TensorToWrite } from '../../server/files/safetensors-writer.ts';
import { Run } from '../../server/store/run.ts';

export const EVERY = 3;
export const KEEP = 2;

/** The values a checkpoint must hold. */
export function policyAt(step: number): Float32Array {
  return Float32Array.from({ length: 5000 }, (_, i) => step + i / 8);
}

export function momentsAt(step: number): Float32Array {
  return Float32Array.of(step % 1000, 0.5);
}

export function metricAt(step: number): { step: number; loss: number; text: string } {
  return { step, loss: 1 / (step + 1), text: 'ü'.repeat(step % 50) };
}

async function train(run: Run, last: number): Promise<void> {
  const checkpoint = run.latestCheckpoint();
  const first = checkpoint === null ? 0 : checkpoint.state(z.object({ next: z.number() })).next;
  await run.truncateMetricsAfter(first - 1);
  for (let step = first; step <= last; step++) {
    run.metrics.append(metricAt(step));
    if (step % 2 === 0) run.samples.append({ step, text: `sample ${step}` });
    if (step % EVERY !== 0 && step !== last) continue;
    const policy: TensorToWrite = { name: 'w', dtype: 'F32', shape: [50, 100], data: policyAt(step) };
    const moments: TensorToWrite = { name: 'm', dtype: 'F16', shape: [2], data: momentsAt(step) };
    const files = { policy: [policy], optimiser: [moments] };
    await run.saveCheckpoint(step, { files, state: { next: step + 1 } }, { keep: KEEP, best: step % 4 === 0 });
  }
}

const [, script, path, last, hold] = process.argv;
if (script === import.meta.filename && path !== undefined) {
  const run = await Run.open(path);
  console.log('open');
  if (hold === 'hold') setInterval(() => undefined, 1000);
  else {
    await train(run, Number(last));
    run.close();
  }
}
