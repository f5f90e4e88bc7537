/** A stage with random weights of a known shape, in a process of its own: what `cola fit` tells of it, and what it takes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openDevice } from '../server/device/device.ts';
import { LanguageModel } from '../server/model/language-model.ts';
import { loadTokenizer } from '../server/model/tokenizer/tokenizer.ts';
import { readSpec } from '../server/spec/document.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { ratedStage } from '../server/spec/rates.ts';
import { controlSettings } from '../server/spec/settings/supervised.ts';
import { DeviceWeights } from '../server/train/optimizer/weights.ts';
import { prepareBase } from '../server/train/run/adapter.ts';
import { prepareModules } from '../server/train/run/initialise.ts';
import { stageMemory } from '../server/train/run/memory-parts.ts';
import type { StageContext } from '../server/train/stage.ts';
import { createStage, kindOf } from '../server/train/stages/index.ts';
import { peakMegabytes } from './measure.ts';
import { randomModel, type ShapeName } from './shapes.ts';

export interface FitCase {
  readonly name: string;
  readonly shape: ShapeName;
  /** As a run spec has it. */
  readonly stage: string;
  /** Tokens in a row, as `cola fit --length` has it. */
  readonly length?: number;
  /** Tokens of the rows that it learns from. */
  readonly tokens: number;
}

/** MB. */
export interface FitResult {
  readonly told: number;
  readonly measured: number;
  readonly parts: Readonly<Record<string, number>>;
}

const latent = { data: '-', codes: 64, idm_layers: 2, policy_layers: 3, merge_layers: 2 };

/** Forgets the most memory that this process has had, when the heap has given back what loading has left. */
async function resetPeak(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await setTimeout(400);
  }
  writeFileSync('/proc/self/clear_refs', '5');
}

export async function measureStage({ shape, stage, length }: FitCase, folder: string): Promise<FitResult> {
  const specFile = join(folder, 'fit.cola.yaml');
  writeFileSync(specFile, `model: builtin:nano\ndevice: cpu\nthreads: 1\nstages:\n  - ${stage}\n`);
  const spec = readSpec(specFile);
  const { device } = await openDevice('cpu', { threads: 1 });
  const nano = resolveModel('builtin:nano', '');
  const tokenizer = loadTokenizer(nano);
  const { vocabSize } = tokenizer;
  const decode = tokenizer.decode.bind(tokenizer);
  // Random weights of a larger vocabulary write tokens that the one of the model in the box does not have.
  Object.assign(tokenizer, {
    decode: (ids: readonly number[], options?: object) =>
      decode(
        Array.from(ids, (id) => id % vocabSize),
        options,
      ),
  });
  await resetPeak();
  const before = peakMegabytes();
  const random = randomModel(shape);
  const base = prepareBase(new LanguageModel(nano, random.config, tokenizer, random.weights), spec);
  const control = { name: 'control', settings: controlSettings.parse(latent) } as const;
  const { hiddenSize } = base.config;
  const planned = ratedStage(spec.stages[0], { base: hiddenSize, modules: hiddenSize });
  const cola = prepareModules(
    planned,
    base,
    kindOf(planned).modules(planned.settings) === undefined ? undefined : prepareModules(control, base, undefined, 1),
    1,
  );
  const configs = { config: base.config, cola: cola?.config };
  const parts = kindOf(planned).parts(planned.settings, configs, length);
  const told = stageMemory(parts.map((part) => part.memory('f32', Number.POSITIVE_INFINITY)));
  const weights = new DeviceWeights(device);
  await weights.add(base.weights, base.plainTensors);
  if (cola !== undefined) await weights.add(cola.weights, cola.tensors);
  for (const extra of kindOf(planned).extras?.(planned.settings, configs) ?? [])
    await weights.add(new Map([[extra.name, new Float32Array(extra.shape.reduce((n, d) => n * d, 1))]]), [extra]);
  await resetPeak();
  const { signal } = new AbortController();
  const context: StageContext = {
    device,
    base,
    cola,
    weights,
    seed: 7,
    resolve: (path) => join(folder, path),
    cacheFolder: join(folder, 'cache'),
    signal,
    say: () => undefined,
  };
  const made = await createStage(planned, context);
  await made.evaluate(signal);
  for (let i = 0; i < Math.min(2, made.steps); i++) await made.step(i, signal);
  await made.evaluate(signal);
  const measured = peakMegabytes() - before;
  return {
    told: told.total / 1e6,
    measured,
    parts: Object.fromEntries(Object.entries(told).map(([name, bytes]) => [name, Math.round(bytes / 1e6)])),
  };
}
