/** Completion while somebody types and a run trains in the same engine: how long the first text takes, and what of it is waiting. */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeSafetensors } from '../server/files/safetensors-writer.ts';
import type { EngineLink } from '../server/language/engine/link.ts';
import { expectedTensors } from '../server/model/weights/weights.ts';
import { loadModel } from '../server/protocol/model.ts';
import { runEvent, startRun, stopRun } from '../server/protocol/runs.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { openEngine, percentiles, typeAll, typings } from './completion.ts';
import { type Bench, type Measure, median } from './measure.ts';
import { randomModel, shapes } from './shapes.ts';

/** What a person may wait for the first text, in milliseconds, on two cores that do nothing else. */
const goals = { nano: 150, '135M': 400 } as const;
/** Rows and tokens of a step. */
const shapesOfSteps = { nano: [8, 256], '135M': [4, 256] } as const;
const places = 4;

const beside = { nano: 'while nano trains', '135M': 'while a base of 135 M trains' } as const;
type Trained = keyof typeof beside;

/** What trains: the policy of the model in the box, or all weights of a random base, with the tokenizer of that in the box. */
async function writeRun(folder: string, trained: Trained, nano: string): Promise<string> {
  const texts = typings(places).map(({ before, typed, after }) => before + typed + after);
  writeFileSync(join(folder, 'corpus.txt'), texts.join('\n').repeat(20));
  const model = trained === 'nano' ? nano : join(folder, 'base');
  if (trained === '135M') {
    cpSync(nano, model, { recursive: true, filter: (path) => path === nano || /token|vocab|merges/.test(path) });
    const { weights, config } = randomModel('135M');
    writeFileSync(join(model, 'config.json'), JSON.stringify(shapes['135M']));
    await writeSafetensors(
      join(model, 'model.safetensors'),
      expectedTensors(config).map(({ name, shape }) => ({
        name,
        shape,
        dtype: 'F32' as const,
        data: weights.get(name) as Float32Array,
      })),
    );
  }
  const [batch, length] = shapesOfSteps[trained];
  const never = 'steps: 100000, checkpoint_every: 100000, evaluate_every: 100000';
  const stage = `${trained === 'nano' ? 'clone' : 'pretrain'}: { data: corpus.txt, batch: ${batch}, length: ${length}, ${never} }`;
  const specFile = join(folder, 'bench.cola.yaml');
  writeFileSync(specFile, `model: ${JSON.stringify(model)}\ndevice: cpu\nstages:\n  - ${stage}\n`);
  return specFile;
}

/** Typing beside a run that trains; in a folder that is gone afterwards. */
async function typeWhileTraining(
  link: EngineLink,
  steps: number[],
  trained: Trained,
  nano: string,
): Promise<Measure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'cola-bench-'));
  try {
    const key = { root: folder, run: 'bench' };
    steps.length = 0;
    await link.ask(startRun, { ...key, specFile: await writeRun(folder, trained, nano) });
    while (steps.length < 1) await delay(100);
    // Somebody who begins to write has the steps cut into pieces; they are compiled for the next step.
    await typeAll(link, typings(1), false);
    while (steps.length < 3) await delay(100);
    const { first, waits } = await typeAll(link, typings(places), false);
    await link.ask(stopRun, key);
    const step = median(steps.slice(1));
    const worst = Math.max(...first);
    const name = beside[trained];
    return [
      ...percentiles(`completion: first text, ${name}`, first, goals[trained]),
      ...percentiles(`of that, before the engine begins, ${name}`, waits),
      {
        name: `completion: first text, ${name}, longest of ${first.length}`,
        value: worst,
        unit: 'ms',
        against: `one step of that training, ${step.toFixed(0)} ms`,
        ratio: worst / step,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the machine does beside the bench, and with it. */
const load = (when: string): Measure => ({
  name: `load of the machine, a minute's mean, ${when}`,
  value: loadavg()[0],
  unit: '',
});

export const besideBench: Bench = {
  name: 'beside',
  about: 'latency of completion while somebody types and a run trains',
  async run(device) {
    const model = resolveModel('builtin:nano', '');
    if (!existsSync(join(model, 'cola.safetensors'))) {
      console.error('The model in the box is not there: completion is not measured.');
      return [];
    }
    const link = openEngine();
    const steps: number[] = [];
    link.channel.on(runEvent, ({ event }) => {
      if (event.kind === 'step') steps.push(1000 * event.seconds);
    });
    try {
      await link.ask(loadModel, { folder: model, device });
      await typeAll(link, typings(1), false);
      const { first } = await typeAll(link, typings(places), false);
      return [
        load('before'),
        ...percentiles('completion: first text, nothing else to do', first),
        ...(await typeWhileTraining(link, steps, 'nano', model)),
        ...(await typeWhileTraining(link, steps, '135M', model)),
        load('after'),
      ];
    } finally {
      await link.close(20);
    }
  },
};
