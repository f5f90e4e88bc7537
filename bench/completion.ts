/**
 * Completion while somebody types: the engine in its process, with the model in the box, on source files of this repository.
 * Every keystroke asks for what the editor asks for, so most of the text is known from the keystroke before.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineLink } from '../server/language/link.ts';
import { complete } from '../server/protocol/completion.ts';
import { loadModel } from '../server/protocol/model.ts';
import { runEvent, startRun, stopRun } from '../server/protocol/runs.ts';
import { Random } from '../server/random.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { type Bench, type Measure, median } from './measure.ts';

const root = join(import.meta.dirname, '..');
/** What a person may wait for, in milliseconds, on two cores that do nothing else. */
const goals = { first: 60, alternatives: 250 } as const;
/** Keystrokes in a row at one place of a document. */
const strokes = 24;
const places = { idle: 10, training: 4 } as const;
/** Every so often all alternatives are asked for, as by cycling through them. */
const cycleEvery = 3;
/** Between two keystrokes, after the answer. */
const pauseMilliseconds = 40;

interface Typing {
  readonly before: string;
  readonly typed: string;
  readonly after: string;
}

interface Latencies {
  readonly first: number[];
  readonly alternatives: number[];
}

/** Places in source files where a line is written anew. */
function typings(count: number): Typing[] {
  const folder = join(root, 'server', 'train');
  // Written by hand: a file that is assembled has no line to write anew.
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'adamw-module.ts');
  const random = new Random(11);
  return Array.from({ length: count }, (_, i) => {
    const text = readFileSync(join(folder, files[i % files.length]), 'utf8');
    const lines = text.split('\n');
    const long = [...lines.keys()].filter((line) => line > 5 && lines[line].trim().length > strokes);
    const line = long[Math.floor(random.uniform() * long.length)];
    const indent = lines[line].length - lines[line].trimStart().length;
    const at = lines.slice(0, line).join('\n').length + 1 + indent;
    const end = at - indent + lines[line].length;
    return { before: text.slice(0, at), typed: text.slice(at, at + strokes), after: text.slice(end) };
  });
}

async function typeAll(link: EngineLink, all: readonly Typing[]): Promise<Latencies> {
  const latencies: Latencies = { first: [], alternatives: [] };
  const ask = async (prefix: string, suffix: string, alternatives: number) => {
    const started = performance.now();
    await link.ask(complete, { prefix, suffix, alternatives });
    return performance.now() - started;
  };
  for (const { before, typed, after } of all) {
    // Going to another place is no keystroke: what stands there has to be read.
    await ask(before, after, 1);
    for (let n = 1; n <= typed.length; n++) {
      const prefix = before + typed.slice(0, n);
      latencies.first.push(await ask(prefix, after, 1));
      if (n % cycleEvery === 0) latencies.alternatives.push(await ask(prefix, after, 8));
      await delay(pauseMilliseconds);
    }
  }
  return latencies;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

function measuresOf({ first, alternatives }: Latencies, when: string): Measure[] {
  const two = (what: string, values: readonly number[], goal: number): Measure[] =>
    [0.5, 0.95].map((share) => {
      const value = percentile(values, share);
      const name = `${what}, ${when}, p${100 * share} of ${values.length}`;
      return { name, value, unit: 'ms', against: `goal of ${goal} ms`, ratio: value / goal };
    });
  return [
    ...two('completion: first text', first, goals.first),
    ...two('completion: 8 alternatives', alternatives, goals.alternatives),
  ];
}

/** Typing beside a run that trains the policy; in a folder that is gone afterwards. */
async function typeWhileTraining(link: EngineLink, steps: readonly number[], model: string): Promise<Measure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'cola-bench-'));
  try {
    const texts = typings(places.training).map(({ before, typed, after }) => before + typed + after);
    writeFileSync(join(folder, 'corpus.txt'), texts.join('\n').repeat(20));
    const stage =
      '{ data: corpus.txt, steps: 100000, batch: 8, length: 256, checkpoint_every: 100000, evaluate_every: 100000 }';
    const specFile = join(folder, 'bench.cola.yaml');
    writeFileSync(specFile, `model: ${JSON.stringify(model)}\ndevice: cpu\nstages:\n  - clone: ${stage}\n`);
    const key = { root: folder, run: 'bench' };
    await link.ask(startRun, { ...key, specFile });
    while (steps.length < 3) await delay(100);
    const latencies = await typeAll(link, typings(places.training));
    await link.ask(stopRun, key);
    const step = median(steps.slice(1));
    const worst = Math.max(...latencies.first);
    return [
      ...measuresOf(latencies, 'while training'),
      {
        name: `completion: first text while training, longest of ${latencies.first.length}`,
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

export const completionBench: Bench = {
  name: 'completion',
  about: 'latency of completion while somebody types, alone and beside a training run',
  async run(device) {
    const model = resolveModel('builtin:nano', '');
    if (!existsSync(join(model, 'cola.safetensors'))) {
      console.error('The model in the box is not there: completion is not measured.');
      return [];
    }
    const steps: number[] = [];
    const link = new EngineLink(
      { file: join(root, 'dist', 'engine.js') },
      {
        log: (text) => console.error(text),
        exit: () => {},
      },
    );
    link.channel.on(runEvent, ({ event }) => {
      if (event.kind === 'step') steps.push(1000 * event.seconds);
    });
    try {
      const started = performance.now();
      await link.ask(loadModel, { folder: model, device });
      const loaded = performance.now() - started;
      await typeAll(link, typings(1));
      return [
        { name: 'completion: model in the box loaded and compiled', value: loaded, unit: 'ms' },
        ...measuresOf(await typeAll(link, typings(places.idle)), 'nothing else to do'),
        ...(await typeWhileTraining(link, steps, model)),
      ];
    } finally {
      await link.close(20);
    }
  },
};
