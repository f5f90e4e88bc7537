/**
 * Completion while somebody types: the engine in its process, with the model in the box, on source files of this repository.
 * Every keystroke asks for what the editor asks for, so most of the text is known from the keystroke before.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineLink } from '../server/language/engine/link.ts';
import { complete } from '../server/protocol/completion.ts';
import { loadModel } from '../server/protocol/model.ts';
import { Random } from '../server/random.ts';
import { resolveModel } from '../server/spec/paths.ts';
import type { Bench, Measure } from './measure.ts';

const root = join(import.meta.dirname, '..');
/** What a person may wait for, in milliseconds, on two cores that do nothing else. */
const goals = { first: 60, alternatives: 250 } as const;
/** Keystrokes in a row at one place of a document. */
const strokes = 24;
const places = 10;
/** Every so often all alternatives are asked for, as by cycling through them. */
const cycleEvery = 3;
/** Between two keystrokes, after the answer. */
const pauseMilliseconds = 40;

export interface Typing {
  readonly before: string;
  readonly typed: string;
  readonly after: string;
}

export interface Latencies {
  readonly first: number[];
  readonly alternatives: number[];
  /** Of the first texts, what was waited before the engine began. */
  readonly waits: number[];
}

/** Places in source files where a line is written anew. */
export function typings(count: number): Typing[] {
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

export async function typeAll(link: EngineLink, all: readonly Typing[], cycles = true): Promise<Latencies> {
  const latencies: Latencies = { first: [], alternatives: [], waits: [] };
  const ask = async (prefix: string, suffix: string, alternatives: number) => {
    const started = performance.now();
    const { milliseconds } = await link.ask(complete, { prefix, suffix, alternatives });
    const took = performance.now() - started;
    return { took, waited: Math.max(0, took - milliseconds) };
  };
  for (const { before, typed, after } of all) {
    // Going to another place is no keystroke: what stands there has to be read.
    await ask(before, after, 1);
    for (let n = 1; n <= typed.length; n++) {
      const prefix = before + typed.slice(0, n);
      const { took, waited } = await ask(prefix, after, 1);
      latencies.first.push(took);
      latencies.waits.push(waited);
      if (cycles && n % cycleEvery === 0) latencies.alternatives.push((await ask(prefix, after, 8)).took);
      await delay(pauseMilliseconds);
    }
  }
  return latencies;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** p50 and p95, against a goal where there is one. */
export function percentiles(what: string, values: readonly number[], goal?: number): Measure[] {
  return [0.5, 0.95].map((share) => {
    const value = percentile(values, share);
    const name = `${what}, p${100 * share} of ${values.length}`;
    return {
      name,
      value,
      unit: 'ms',
      ...(goal !== undefined && { against: `goal of ${goal} ms`, ratio: value / goal }),
    };
  });
}

/** The engine as built, in a process of its own. */
export function openEngine(): EngineLink {
  const file = join(root, 'dist', 'engine.js');
  return new EngineLink({ file }, { log: (text) => console.error(text), exit() {} });
}

export const completionBench: Bench = {
  name: 'completion',
  about: 'latency of completion while somebody types, with nothing else to do',
  async run(device) {
    const model = resolveModel('builtin:nano', '');
    if (!existsSync(join(model, 'cola.safetensors'))) {
      console.error('The model in the box is not there: completion is not measured.');
      return [];
    }
    const link = openEngine();
    try {
      const started = performance.now();
      await link.ask(loadModel, { folder: model, device });
      const loaded = performance.now() - started;
      await typeAll(link, typings(1));
      const idle = await typeAll(link, typings(places));
      return [
        { name: 'completion: model in the box loaded and compiled', value: loaded, unit: 'ms' },
        ...percentiles('completion: first text, nothing else to do', idle.first, goals.first),
        ...percentiles('completion: 8 alternatives, nothing else to do', idle.alternatives, goals.alternatives),
      ];
    } finally {
      await link.close(20);
    }
  },
};
