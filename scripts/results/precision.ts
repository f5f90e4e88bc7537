/**
 * Measures a base in each precision: how far it is from float32, how fast it decodes, and what memory that takes. Writes
 * `docs/results/precision.json` and prints the tables of docs/figures.md.
 *
 * Usage: tsx scripts/results/precision.ts [--rounds 5] [--only quality|speed|loading]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { randomModel, shapes } from '../../bench/shapes.ts';
import { Device } from '../../server/device/device.ts';
import { writeSafetensors } from '../../server/files/safetensors-writer.ts';
import { type BlockWeight, type StoredWeight, storedBytes } from '../../server/graph/stored.ts';
import { baseStepper, LanguageModel } from '../../server/model/language-model.ts';
import { blocks } from '../../server/model/weights/quantise.ts';
import { type Precision, precisions } from '../../server/protocol/precision.ts';
import { resolveModel } from '../../server/spec/document.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Sequences, and tokens in each: few of the large shape, whose every token is 49 152 numbers. */
const rows = 16;
const lengths = { nano: 64, random: 17 };

/** A form, and weights of it that are in another than they would be. */
interface Variant {
  readonly name: string;
  readonly precision: Precision;
  readonly otherwise?: { readonly form: BlockWeight['form']; readonly of: RegExp };
  /** Whether products of few rows compute in float32. */
  readonly exact: boolean;
}

const tables = /embed_tokens|lm_head/;
const variants: readonly Variant[] = [
  { name: 'f16', precision: 'f16', exact: false },
  { name: 'int8, exact', precision: 'int8', exact: true },
  { name: 'int8', precision: 'int8', exact: false },
  { name: 'int4, exact', precision: 'int4', exact: true },
  { name: 'int4', precision: 'int4', exact: false },
  { name: 'int4, embedding and head too', precision: 'int4', otherwise: { form: 'int4', of: tables }, exact: false },
  { name: 'int4, v_proj in 8', precision: 'int4', otherwise: { form: 'int8', of: /v_proj/ }, exact: false },
  { name: 'int4, o_proj in 8', precision: 'int4', otherwise: { form: 'int8', of: /o_proj/ }, exact: false },
  { name: 'int4, down_proj in 8', precision: 'int4', otherwise: { form: 'int8', of: /down_proj/ }, exact: false },
  { name: 'int4, attention in 8', precision: 'int4', otherwise: { form: 'int8', of: /self_attn/ }, exact: false },
  { name: 'int4, first block in 8', precision: 'int4', otherwise: { form: 'int8', of: /layers\.0\./ }, exact: false },
];

interface Quality {
  readonly name: string;
  readonly loss: number;
  readonly kl: number;
  readonly agreement: number;
}

/** Log-probabilities `[V]` of every position of `rows` sequences, token by token: the steps of completion. */
async function* positions(model: LanguageModel, device: Device, ids: readonly Int32Array[]) {
  const stepper = baseStepper(device, model);
  const tokens = ids[0].length;
  const cache = await stepper.cache(rows, tokens);
  const { vocabSize } = model.config;
  for (let t = 0; t + 1 < tokens; t++) {
    const { logits } = await stepper.advance(
      cache,
      ids.map((row) => [row[t]]),
    );
    const values = await logits.readFloats();
    for (let b = 0; b < rows; b++) yield logSoftmax(values.subarray(b * vocabSize, (b + 1) * vocabSize));
    logits.release();
  }
  cache.dispose();
  await stepper.dispose();
}

function logSoftmax(logits: Float32Array): Float32Array {
  const top = logits.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
  const sum = Math.log(logits.reduce((total, x) => total + Math.exp(x - top), 0)) + top;
  return logits.map((x) => x - sum);
}

const best = (row: Float32Array) => row.reduce((at, x, i) => (x > row[at] ? i : at), 0);

async function quality(folder: string, ids: readonly Int32Array[]): Promise<Quality[]> {
  const device = await Device.open('cpu', { threads: 1 });
  const plain = await LanguageModel.load(folder);
  const truth: Float32Array[] = [];
  for await (const row of positions(plain, device, ids)) truth.push(row);
  const target = (i: number) => ids[i % rows][Math.floor(i / rows) + 1];
  const mean = (value: (row: Float32Array, i: number) => number, all: readonly Float32Array[]) =>
    all.reduce((sum, row, i) => sum + value(row, i), 0) / all.length;
  const found = [{ name: 'f32', loss: mean((row, i) => -row[target(i)], truth), kl: 0, agreement: 1 }];
  for (const { name, precision, otherwise, exact } of variants) {
    const loaded = await LanguageModel.load(folder, { precision });
    const model = otherwise === undefined ? loaded : withOthers(loaded, plain, otherwise);
    let [i, loss, kl, agreement] = [0, 0, 0, 0];
    for await (const row of positions(model, model.on(device, exact), ids)) {
      loss -= row[target(i)];
      kl += truth[i].reduce((sum, x, token) => sum + Math.exp(x) * (x - row[token]), 0);
      if (best(row) === best(truth[i])) agreement++;
      i++;
    }
    found.push({ name, loss: loss / i, kl: kl / i, agreement: agreement / i });
    console.error(`${name} of ${folder}: done`);
  }
  await device.dispose();
  return found;
}

/** A model some of whose weights are in another form. */
function withOthers(
  model: LanguageModel,
  plain: LanguageModel,
  { form, of }: NonNullable<Variant['otherwise']>,
): LanguageModel {
  const stored = new Map<string, StoredWeight>(model.stored);
  for (const [name, weight] of model.stored) {
    const values = plain.weights.get(name);
    if (values === undefined || !of.test(name)) continue;
    const filling = blocks(form, weight.shape as BlockWeight['shape']);
    filling.put(values, 0);
    stored.set(name, filling.weight);
  }
  return new LanguageModel(model.folder, model.config, model.tokenizer, model.weights, { stored });
}

interface Speed {
  readonly precision: Precision;
  readonly batch: number;
  /** Processor seconds of one step. */
  readonly step: number;
  /** Processor seconds of reading 128 tokens in each row. */
  readonly prompt: number;
  /** Bytes of the weights in memory, and the most the process had. */
  readonly weights: number;
  readonly loaded: number;
  readonly peak: number;
}

const peakBytes = () => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

/** In a process of its own. */
async function speed(folder: string, precision: Precision, batch: number): Promise<Speed> {
  const device = await Device.open('cpu', { threads: 1 });
  const model = await LanguageModel.load(folder, { precision });
  const loaded = peakBytes();
  const stepper = baseStepper(device, model);
  const cache = await stepper.cache(batch, 300);
  const prompt = Array.from({ length: batch }, (_, b) => Int32Array.from({ length: 128 }, (_, i) => 7 * i + b + 5));
  const read = async (tokens: readonly ArrayLike<number>[]) => {
    const before = process.cpuUsage();
    const { logits } = await stepper.advance(cache, tokens);
    await logits.readFloats();
    logits.release();
    const { user, system } = process.cpuUsage(before);
    cache.lengths.fill(128);
    return (user + system) / 1e6;
  };
  await read(prompt);
  cache.lengths.fill(0);
  const prefill = await read(prompt);
  const next = prompt.map(() => [11]);
  await read(next);
  const times: number[] = [];
  for (let i = 0; i < (batch === 1 ? 24 : 6); i++) times.push(await read(next));
  let weights = 0;
  for (const values of model.weights.values()) weights += values.byteLength;
  for (const weight of model.stored.values()) weights += storedBytes(weight);
  return { precision, batch, step: median(times), prompt: prefill, weights, loaded, peak: peakBytes() };
}

interface Loading {
  readonly precision: Precision;
  /** Where the weights came from: the model, the model and then into the cache, or the cache. */
  readonly from: 'model' | 'first' | 'cache';
  /** Seconds on the clock and of the processors, and the most that the process had. */
  readonly seconds: number;
  readonly cpu: number;
  readonly peak: number;
}

/** In a process of its own. */
async function loading(folder: string, precision: Precision): Promise<Omit<Loading, 'from'>> {
  const [started, before] = [performance.now(), process.cpuUsage()];
  await LanguageModel.load(folder, { precision });
  const { user, system } = process.cpuUsage(before);
  return { precision, seconds: (performance.now() - started) / 1000, cpu: (user + system) / 1e6, peak: peakBytes() };
}

/** Each in turns, with a cache that is empty at first. */
function loadings(folder: string, rounds: number): Loading[] {
  const all: Loading[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const precision of ['int8', 'int4'] as const) {
      const cache = join(folder, `cache-${precision}-${round}`);
      for (const from of ['model', 'first', 'cache'] as const) {
        const { stdout, stderr, status } = spawnSync(
          process.execPath,
          [...process.execArgv, fileURLToPath(import.meta.url), '--loading', precision, folder],
          { encoding: 'utf8', env: { ...process.env, COLA_WEIGHT_CACHE: from === 'model' ? 'off' : cache } },
        );
        if (status !== 0) throw new Error(stderr);
        all.push({ ...(JSON.parse(stdout) as Omit<Loading, 'from'>), from });
      }
      rmSync(cache, { recursive: true, force: true });
    }
  }
  return (['int8', 'int4'] as const).flatMap((precision) =>
    (['model', 'first', 'cache'] as const).map((from) => {
      const own = all.filter((each) => each.precision === precision && each.from === from);
      const of = (name: 'seconds' | 'cpu' | 'peak') => median(own.map((each) => each[name]));
      return { precision, from, seconds: of('seconds'), cpu: of('cpu'), peak: of('peak') };
    }),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The same in turns, so that what else the machine does meets all of them. */
function speeds(folder: string, rounds: number): Speed[] {
  const all: Speed[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const batch of [1, 16]) {
      for (const precision of precisions) {
        const { stdout, stderr, status } = spawnSync(
          process.execPath,
          [...process.execArgv, fileURLToPath(import.meta.url), '--speed', precision, '--batch', String(batch), folder],
          { encoding: 'utf8' },
        );
        if (status !== 0) throw new Error(stderr);
        all.push(JSON.parse(stdout) as Speed);
      }
    }
    console.error(`round ${round + 1} of ${rounds}: done`);
  }
  return [1, 16].flatMap((batch) =>
    precisions.map((precision) => {
      const own = all.filter((each) => each.precision === precision && each.batch === batch);
      const of = (name: 'step' | 'prompt' | 'loaded' | 'peak') => median(own.map((each) => each[name]));
      return { ...own[0], step: of('step'), prompt: of('prompt'), loaded: of('loaded'), peak: of('peak') };
    }),
  );
}

/** A folder of the 135M shape with random weights in bf16. */
async function randomFolder(folder: string): Promise<string> {
  const model = randomModel('135M');
  const tensors = model.tensors.map(({ name, shape }) => {
    const data = model.weights.get(name);
    if (data === undefined) throw new Error(`no weight ${name}`);
    return { name, shape, dtype: 'BF16' as const, data };
  });
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(shapes['135M']));
  return folder;
}

/** The engine's own sources, which nano was not trained on, from their beginnings. */
async function sources(folder: string): Promise<Int32Array[]> {
  const { tokenizer } = await LanguageModel.load(folder);
  if (tokenizer === undefined) throw new Error('no tokenizer');
  const names =
    'graph/ops graph/gradient graph/onnx device/device device/program model/block model/step model/weights/weights';
  return names.split(' ').flatMap((name) => {
    const ids = tokenizer.encode(readFileSync(join(ROOT, `server/${name}.ts`), 'utf8'));
    return [ids.slice(100, 100 + lengths.nano), ids.slice(600, 600 + lengths.nano)];
  });
}

function table(heading: readonly string[], lines: readonly (readonly string[])[]): string {
  return [heading, heading.map((_, i) => (i === 0 ? '---' : '---:')), ...lines]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      only: { type: 'string' },
      speed: { type: 'string' },
      loading: { type: 'string' },
      batch: { type: 'string', default: '1' },
    },
  });
  if (values.speed !== undefined) {
    console.log(JSON.stringify(await speed(positionals[0], values.speed as Precision, Number(values.batch))));
    return;
  }
  if (values.loading !== undefined) {
    console.log(JSON.stringify(await loading(positionals[0], values.loading as Precision)));
    return;
  }
  // What is measured does not come from the cache of the account, and nothing goes into it.
  process.env.COLA_WEIGHT_CACHE = 'off';
  const wanted = (part: string) => values.only === undefined || values.only === part;
  const file = join(ROOT, 'docs/results/precision.json');
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
  const scratch = mkdtempSync(join(tmpdir(), 'cola-precision-'));
  try {
    const random = await randomFolder(scratch);
    if (wanted('quality')) {
      const nano = resolveModel('builtin:nano', '');
      const ids = Array.from({ length: rows }, (_, b) =>
        Int32Array.from({ length: lengths.random }, (_, i) => (i * 7919 + b * 104729 + 13) % shapes['135M'].vocab_size),
      );
      known.quality = { nano: await quality(nano, await sources(nano)), 'random 135M': await quality(random, ids) };
    }
    if (wanted('speed')) known.speed = speeds(random, Number(values.rounds));
    if (wanted('loading')) known.loading = loadings(random, Number(values.rounds));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  mkdirSync(join(ROOT, 'docs/results'), { recursive: true });
  const digits = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  writeFileSync(file, `${JSON.stringify(known, digits, 2)}\n`);
  for (const [name, found] of Object.entries((known.quality ?? {}) as Record<string, Quality[]>)) {
    const lines = found.map((q) => [
      q.name,
      q.loss.toFixed(4),
      q.kl.toExponential(1),
      `${(100 * q.agreement).toFixed(1)} %`,
    ]);
    console.log(`\n${table([name, 'loss', 'KL to f32', 'same likeliest token'], lines)}`);
  }
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  const lines = ((known.speed ?? []) as Speed[]).map((s) => [
    `${s.precision}, batch ${s.batch}`,
    `${(1000 * s.step).toFixed(1)} ms`,
    `${s.prompt.toFixed(2)} s`,
    ...[s.weights, s.loaded, s.peak].map(gigabytes),
  ]);
  const loads = ((known.loading ?? []) as Loading[]).map((l) => [
    `${l.precision}, ${l.from === 'model' ? 'from the model' : l.from === 'first' ? 'from the model, and kept' : 'from the cache'}`,
    `${l.seconds.toFixed(2)} s`,
    `${l.cpu.toFixed(2)} s`,
    gigabytes(l.peak),
  ]);
  console.log(`\n${table(['135M', 'loading', 'processor time', 'peak'], loads)}`);
  console.log(`\n${table(['135M', 'a step', '128 tokens a row', 'weights', 'loaded', 'peak'], lines)}`);
}

await main();
