/**
 * A process that trains or completes for a long time and writes down the memory it holds: one JSON line a sample, parts in
 * bytes after garbage was collected. Arguments: `train` or `complete`, seconds, a folder of its own, the share of a core that it takes
 * on average (1: as much as there is), and the folder of a tokenizer.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { complete } from '../../server/protocol/completion.ts';
import { loadModel } from '../../server/protocol/model.ts';
import { Random } from '../../server/random.ts';
import { makeModel } from '../engine/tiny-model.ts';
import { engineLine } from '../support/engine-line.ts';
import { makeCola, settingsOf, specOf, start, tinyBase, writeData } from '../support/runs.ts';

/** A line of the file that the test reads. */
export interface MemorySample {
  /** Steps or requests so far. */
  readonly count: number;
  readonly seconds: number;
  /** Seconds that it has computed, on all cores. */
  readonly cpu: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

/** Samples over the whole time, fewer in seconds: a sample costs two collections, which take longer than many steps. */
const samplesIn = (seconds: number) => Math.min(400, 6 * seconds);
/** Samples at least, however long a busy machine takes for them. */
const fewest = 30;
/** Steps or requests between two samples, at least. */
const apart = 2;

class Sampler {
  private readonly begun = performance.now();
  private count = 0;
  private taken = 0;

  constructor(
    private readonly file: string,
    private readonly seconds: number,
    private readonly share: number,
  ) {}

  get over(): boolean {
    return this.elapsed >= this.seconds && this.taken >= fewest;
  }

  private get elapsed(): number {
    return (performance.now() - this.begun) / 1000;
  }

  private get cpu(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }

  /** Seconds to wait so that no more than the share was taken since the beginning. */
  get pause(): number {
    return this.share < 1 ? Math.max(0, this.cpu / this.share - this.elapsed) : 0;
  }

  tick(): void {
    this.count++;
    if (this.count % apart !== 0) return;
    if (this.elapsed < (this.taken * this.seconds) / samplesIn(this.seconds)) return;
    this.taken++;
    globalThis.gc?.();
    globalThis.gc?.();
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const { count, elapsed, cpu } = this;
    const line: MemorySample = { count, seconds: elapsed, cpu, rss, heapUsed, external, arrayBuffers };
    appendFileSync(this.file, `${JSON.stringify(line)}\n`);
  }
}

/** Nobody wakes a thread that waits here. */
const nobody = new Int32Array(new SharedArrayBuffer(4));

async function train(folder: string, sampler: Sampler, tokenizer: string): Promise<void> {
  writeData(folder);
  const model = await start({ root: folder, id: 'made' }, specOf({ ...tinyBase, tokenizer }, makeCola));
  const enough = new AbortController();
  const settings = { ...settingsOf('grpo', 6), checkpoint_every: 200, evaluate_every: 100, steps: 100_000_000 };
  const onEvent = ({ kind }: { kind: string }) => {
    if (kind !== 'step') return;
    sampler.tick();
    if (sampler.over) enough.abort();
    // A run has no place to wait at: the whole thread does.
    else if (sampler.pause > 0) Atomics.wait(nobody, 0, 0, sampler.pause * 1000);
  };
  const spec = specOf(model, [{ reinforce: settings }]);
  await start({ root: folder, id: 'soak', signal: enough.signal, onEvent }, spec).catch((error: unknown) => {
    if (!sampler.over) throw error;
  });
}

/** What somebody types: a document that grows, moves on, and is another one now and then. */
function* typing(random: Random): Generator<string> {
  for (let document = 0; ; document++) {
    let text = '';
    const lines = 5 + Math.floor(40 * random.uniform());
    for (let line = 0; line < lines; line++) {
      text += `const value${document}_${line} = ${Math.floor(1000 * random.uniform())} * other${line};\n`;
      yield `${text}const`;
      yield `${text}const value`;
    }
  }
}

async function answer(folder: string, sampler: Sampler): Promise<void> {
  const model = await makeModel(join(folder, 'model'));
  const { engine, channel } = engineLine();
  await channel.ask(loadModel, { folder: model, device: 'cpu', threads: 1 });
  let asked = 0;
  for (const prefix of typing(new Random(7))) {
    await channel.ask(complete, { prefix, alternatives: 1 + (asked++ % 4), maxTokens: 8 });
    sampler.tick();
    if (sampler.over) break;
    if (sampler.pause > 0) await sleep(sampler.pause * 1000);
  }
  await engine.close();
}

const [, script, kind, seconds, folder, share, tokenizer] = process.argv;
if (script === import.meta.filename && folder !== undefined && tokenizer !== undefined) {
  const sampler = new Sampler(join(folder, 'memory.jsonl'), Number(seconds), Number(share ?? 1));
  await (kind === 'train' ? train(folder, sampler, tokenizer) : answer(folder, sampler));
}
