/** Runs in shards whose workers a test brings, and what is compared of them. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Carrier } from '../../server/cluster/carrier.ts';
import { Crew } from '../../server/cluster/crew.ts';
import { stageWork } from '../../server/cluster/employment.ts';
import { closingMeasurement } from '../../server/evaluate/closing.ts';
import { type RunSpec, runSpec, toRunSpec } from '../../server/spec/schema.ts';
import type { TrainEvent } from '../../server/train/run/events.ts';
import type { HireOptions } from '../../server/train/run/hiring.ts';
import { startRun } from '../../server/train/run/job.ts';
import { type Bench, linesOf, stages } from '../support/runs.ts';

export interface Trained {
  readonly figures: Record<string, unknown>[];
  readonly weights: Buffer;
  readonly said: string[];
  /** Of the last step. */
  readonly restarts: unknown;
}

const all = stages(2);

/** Stages that workers compute, one after the other in one run: what a stage has learned, the workers of the next have to be told. */
export const stageRuns = {
  'latent actions, searches and the Q function': [all.control, all.clone, all['guide inverse'], all.expert, all.q],
  'the base': [all.pretrain, all['tokens supervised'], all.dpo],
  'a reward model': [all['reward scores']],
} as const;

/** @param usual carries messages where a run names no other */
export function runsIn(bench: Bench, usual: () => Carrier) {
  async function train(
    list: readonly object[],
    cluster: object,
    carrier: () => Carrier = usual,
    changed = (options: HireOptions) => options,
  ): Promise<Trained> {
    const id = bench.fresh();
    const spec: RunSpec = toRunSpec(
      runSpec.parse({
        model: bench.cola,
        device: 'cpu',
        threads: 1,
        seed: 7,
        stages: list,
        cluster: { shards: 3, ...cluster },
      }),
    );
    const said: string[] = [];
    const onEvent = (event: TrainEvent) => {
      if (event.kind === 'message') said.push(event.text);
    };
    const { model } = await startRun({
      root: bench.root,
      runId: id,
      signal: new AbortController().signal,
      measure: closingMeasurement,
      onEvent,
      spec,
      specFile: join(bench.root, 'x.cola.yaml'),
      hire: (options) => new Crew(carrier(), stageWork(changed(options))),
    });
    return found(id, model, said);
  }

  function found(id: string, model: string, said: string[]): Trained {
    const lines = linesOf(bench.root, id, 'metrics');
    const figures = lines.map((line) =>
      Object.fromEntries(Object.entries(line).filter(([name]) => !name.startsWith('worker'))),
    );
    // All that were learned: of latent actions and of the base.
    const files = ['cola.safetensors', 'model.safetensors'].map((name) => join(model, name)).filter(existsSync);
    assert(files.length > 0, model);
    const { worker_restarts: restarts } = lines.findLast((line) => 'worker_restarts' in line) ?? {};
    return { figures, weights: Buffer.concat(files.map((file) => readFileSync(file))), said, restarts };
  }

  function same(there: Trained, here: Trained): void {
    assert.deepEqual(there.figures, here.figures);
    assert.deepEqual(there.weights, here.weights);
  }

  return { train, found, same };
}
