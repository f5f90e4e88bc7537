/** Hidden states that are kept on the disk: the same run to the last bit, and a base that is not run again. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Program } from '../../../server/device/program.ts';
import { clusterSettings } from '../../../server/spec/settings/cluster.ts';
import { runFolder } from '../../../server/store/run.ts';
import type { TrainEvent } from '../../../server/train/run/events.ts';
import { plannedDisk } from '../../../server/train/states/planned-states.ts';
import { freeDisk, StatesFile, statesBytes } from '../../../server/train/states/states-file.ts';
import { errorOf, scratchFolder } from '../../store/scratch.ts';
import { program } from '../../support/bundled.ts';
import { itMainly, testDevices } from '../../support/devices.ts';
import { Bench, linesOf, resume, settingsOf, specOf, start, tinyBase } from '../../support/runs.ts';

const bench = Bench.forTests();
const scratch = scratchFolder();
/** Few enough rows that every one is read more than once. */
const text = Array.from({ length: 4 }, (_, i) => JSON.stringify({ text: `${i} one two three four five. `.repeat(4) }));
const steps = 14;
const own = { data: 'few.jsonl', batch: 4, steps, checkpoint_every: 3, evaluate_every: 7 };
const control = (cache_states: boolean) => ({ control: { ...settingsOf('control', steps), ...own, cache_states } });
const clone = (cache_states: boolean) => ({ clone: { ...settingsOf('clone', steps), ...own, cache_states } });

/** Counts runs of the base for training rows: nothing else is given ids alone. */
async function readings(work: () => Promise<unknown>): Promise<number> {
  const { run } = Program.prototype;
  let count = 0;
  Program.prototype.run = function (feeds, options) {
    if (Object.keys(feeds).join() === 'ids') count++;
    return run.call(this, feeds, options);
  };
  try {
    await work();
  } finally {
    Program.prototype.run = run;
  }
  return count;
}

const weightsOf = (model: string) => readFileSync(join(model, 'cola.safetensors'));
const statesOf = (id: string) => join(runFolder(bench.root, id), 'states');
/** The one file of a run with states. */
function fileOf(id: string): string {
  const [name, ...others] = readdirSync(statesOf(id));
  assert.deepEqual(others, []);
  return join(statesOf(id), name);
}

describe('hidden states that are kept', function () {
  this.timeout(process.env.COLA_SLOW === '1' ? 900_000 : 120_000);
  before(() => bench.write('few.jsonl', `${text.join('\n')}\n`));

  for (const device of testDevices) {
    itMainly(device, `are those that the steps would have made, bit for bit, on ${device}`, async () => {
      const [plain, kept] = [bench.fresh(), bench.fresh()];
      const list = (cache: boolean) => (device === 'cpu' ? [control(cache), clone(cache)] : [control(cache)]);
      const of = (id: string, cache: boolean) =>
        start({ root: bench.root, id }, { ...specOf(bench.cola, list(cache)), device });
      const expected = await of(plain, false);
      const found = await of(kept, true);
      assert.deepEqual(linesOf(bench.root, kept, 'metrics'), linesOf(bench.root, plain, 'metrics'));
      assert(weightsOf(found).equals(weightsOf(expected)));
      assert(!existsSync(statesOf(kept)), 'they are gone at the end');
    });
  }

  it('are made once: later epochs, and a stage over the same rows, do not run the base', async () => {
    const rows = new Set<number>();
    const { write } = StatesFile.prototype;
    StatesFile.prototype.write = function (row, states) {
      assert(!rows.has(row), `row ${row} is written twice`);
      rows.add(row);
      return write.call(this, row, states);
    };
    try {
      const count = await readings(() => bench.run([control(true), clone(true)]));
      // An epoch, whose last micro-batch may have rows of the next one.
      assert.equal(count, Math.ceil(rows.size / own.batch));
      assert(count < steps / 2, `${count} of ${steps} steps`);
    } finally {
      StatesFile.prototype.write = write;
    }
  });

  it('go to whoever computes a shard', async () => {
    const of = async (cache: boolean) => {
      const id = bench.fresh();
      const spec = { ...specOf(bench.cola, [control(cache)]), cluster };
      return { id, model: await start({ root: bench.root, id }, spec) };
    };
    const cluster = clusterSettings.parse({ shards: 2, engine: 'here' });
    const [plain, kept] = [await of(false), await of(true)];
    assert(weightsOf(kept.model).equals(weightsOf(plain.model)));
    assert.deepEqual(linesOf(bench.root, kept.id, 'metrics'), linesOf(bench.root, plain.id, 'metrics'));
  });

  it('are made anew of a base that has learned', async () => {
    const pretrain = { pretrain: { ...settingsOf('pretrain', 2), steps: 2, learning_rate: 0.1, warmup: 0 } };
    const list = (cache: boolean) => [control(cache), pretrain, control(cache)];
    const [plain, kept] = [bench.fresh(), bench.fresh()];
    const expected = await bench.run(list(false), bench.cola, plain);
    assert(weightsOf(await bench.run(list(true), bench.cola, kept)).equals(weightsOf(expected)));
    assert.deepEqual(linesOf(bench.root, kept, 'metrics'), linesOf(bench.root, plain, 'metrics'));
  });

  /** A run as a process leaves it that is killed after a step. */
  async function killed(at: number): Promise<string> {
    const [id, left] = [bench.fresh(), bench.fresh()];
    let seen = 0;
    const onEvent = ({ kind }: TrainEvent) => {
      if (kind !== 'step' || ++seen !== at) return;
      cpSync(runFolder(bench.root, id), runFolder(bench.root, left), { recursive: true });
      rmSync(join(runFolder(bench.root, left), 'lock'));
    };
    await start({ root: bench.root, id, onEvent }, specOf(bench.cola, [control(true)]));
    return left;
  }

  it('are there for a run that is killed and goes on, but for those that are damaged or half written', async () => {
    const plain = bench.fresh();
    const expected = await bench.run([control(false)], bench.cola, plain);
    const same = async (id: string) => {
      const model = await resume({ root: bench.root, id });
      assert(weightsOf(model).equals(weightsOf(expected)));
      assert.deepEqual(linesOf(bench.root, id, 'metrics'), linesOf(bench.root, plain, 'metrics'));
    };
    const whole = await killed(steps - 4);
    const damaged = bench.fresh();
    cpSync(runFolder(bench.root, whole), runFolder(bench.root, damaged), { recursive: true });
    assert.equal(await readings(() => same(whole)), 0);

    const file = fileOf(damaged);
    const slot = statesBytes(1, 16 * tinyBase.hidden);
    const rows = statSync(file).size / slot;
    const fd = openSync(file, 'r+');
    // A number of one row; the rest of another, which was never written; the hash of a third.
    writeSync(fd, Buffer.from([1, 2, 3, 4]), 0, 4, 2 * slot + 100);
    writeSync(fd, Buffer.alloc(slot - 200), 0, slot - 200, 5 * slot + 200);
    writeSync(fd, Buffer.alloc(1, 77), 0, 1, 7 * slot);
    closeSync(fd);
    assert(rows > 7);
    const again = await readings(() => same(damaged));
    assert(again >= 1 && again <= 3, `${again} readings`);
  });

  if (process.env.COLA_SLOW === '1')
    it('are whole or missing where the process is killed at any moment', async () => {
      const plain = bench.fresh();
      const expected = await bench.run([control(false)], bench.cola, plain);
      for (const after of [150, 300, 450]) {
        const id = bench.fresh();
        const job = join(bench.root, `${id}.json`);
        const spec = { model: bench.cola, device: 'cpu', threads: 1, seed: 7, stages: [control(true)] };
        writeFileSync(job, JSON.stringify({ root: bench.root, id, spec }));
        const child = spawn(process.execPath, [program('train-child'), job]);
        child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), after));
        await once(child, 'close');
        const model = existsSync(statesOf(id))
          ? await resume({ root: bench.root, id })
          : join(runFolder(bench.root, id), 'model');
        assert(weightsOf(model).equals(weightsOf(expected)), `killed after ${after} ms`);
        assert.deepEqual(linesOf(bench.root, id, 'metrics'), linesOf(bench.root, plain, 'metrics'));
      }
    });

  it('take what is said before, and are read once where two stages have the same rows', async () => {
    const file = join(bench.root, 'kept.cola.yaml');
    const list = [control(true), { clone: { ...clone(true).clone, accumulate: 2 } }, control(false)];
    const options = { cacheFolder: join(bench.root, '.cola', 'cache'), signal: new AbortController().signal };
    const spec = specOf(bench.cola, list);
    const planned = await plannedDisk(file, spec, options);
    const id = bench.fresh();
    const found: number[] = [];
    const onEvent = ({ kind }: TrainEvent) => {
      if (kind === 'step') found.push(readFileSync(fileOf(id)).length);
    };
    await start({ root: bench.root, id, onEvent }, specOf(bench.cola, list.slice(0, 2)));
    assert.deepEqual(
      planned?.kept.map(({ stages }) => stages),
      [['control', 'clone']],
    );
    // Every row is used, so that the file is as long as what is in it.
    assert.deepEqual([...new Set(found)], [planned.bytes]);
    const one = await plannedDisk(
      file,
      specOf(bench.cola, [{ control: { ...control(true).control, steps: 1 } }]),
      options,
    );
    assert.equal(one?.kept[0].rows, own.batch);
    assert.equal(await plannedDisk(file, specOf(bench.cola, [control(false)]), options), undefined);
  });

  it('are refused where the disk has no room, and nothing is written', async () => {
    const folder = scratch('states');
    const shape = { rows: 1000, used: 100, width: 64 };
    const bytes = statesBytes(100, 64);
    const refused = StatesFile.open(folder, 'x', shape, async () => bytes - 1);
    await assert.rejects(refused, errorOf('train.noDisk', /take 0\.0 MB on the disk/));
    assert.deepEqual(readdirSync(folder), []);
    const file = await StatesFile.open(folder, 'x', shape, async () => bytes);
    file.close();
    // The disk itself says what it has.
    assert((await freeDisk(join(folder, 'not', 'there'))) > 0);
  });

  it('keeps rows apart: one that lies in the place of another is none', async () => {
    const folder = scratch('states');
    const shape = { rows: 3, used: 3, width: 4 };
    const file = await StatesFile.open(folder, 'x', shape);
    const [first, second] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8)];
    await file.write(0, first);
    await file.write(2, second);
    const into = new Float32Array(4);
    assert.deepEqual([file.read(0, into), [...into]], [true, [...first]]);
    assert.equal(file.read(1, into), false);
    file.close();
    const path = join(folder, 'x.states');
    const slot = statesBytes(1, 4);
    const bytes = readFileSync(path);
    const fd = openSync(path, 'r+');
    writeSync(fd, bytes.subarray(2 * slot), 0, slot, slot);
    closeSync(fd);
    const again = await StatesFile.open(folder, 'x', shape);
    assert.equal(again.read(1, into), false);
    assert.deepEqual([again.read(2, into), [...into]], [true, [...second]]);
    again.close();
  });
});
