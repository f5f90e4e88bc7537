/** Weights in fewer bits on the disk. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linear } from '../../server/graph/functions.ts';
import * as ops from '../../server/graph/ops.ts';
import { isMapped, type MappedWeight, type StoredWeight } from '../../server/graph/stored.ts';
import { loadModelConfig } from '../../server/model/config/config.ts';
import { baseStepper, LanguageModel } from '../../server/model/language-model.ts';
import { heldWeights } from '../../server/model/weights/held.ts';
import type { HeldWeight } from '../../server/model/weights/shelf.ts';
import { cacheFolder, StoredCache } from '../../server/model/weights/stored-cache.ts';
import { expectedTensors } from '../../server/model/weights/weights.ts';
import { itMainly, itOnce, onEachDevice } from '../support/devices.ts';
import { allInMemory, inMemory } from '../support/stored.ts';

const fixture = join(import.meta.dirname, '../fixtures/hf/llama-gqa');

describe('weights in fewer bits on the disk', () => {
  let root = '';
  let model = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cola-stored-'));
    model = join(root, 'model');
    cpSync(fixture, model, { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const folder = () => join(root, 'cache');
  const cacheOf = (limits = {}) => new StoredCache(folder(), { least: 0, ...limits });
  const held = async (precision: 'int8' | 'int4' = 'int4', cache = cacheOf()) =>
    heldWeights(model, await loadModelConfig(model), precision, { cache });
  const load = async (precision: 'int8' | 'int4' = 'int4', cache = cacheOf()) =>
    allInMemory(await held(precision, cache));
  const kept = () => (existsSync(folder()) ? readdirSync(folder()).filter((name) => name.endsWith('.weights')) : []);
  const tensors = async () => expectedTensors(await loadModelConfig(model));

  it('are those of the model, and come from there the next time', async () => {
    const [first, plain] = [await load(), await LanguageModel.load(model, { precision: 'int4' })];
    assert.deepEqual(
      first,
      new Map([...plain.tensors].map(({ name }) => [name, plain.stored.get(name) ?? plain.weights.get(name)])),
    );
    assert.equal(kept().length, 1);
    const file = await cacheOf().fileOf(model, 'int4', await tensors());
    assert.equal(file, join(folder(), kept()[0]));
    assert.deepEqual(allInMemory(cacheOf().read(file!, 'int4', await tensors())!), first);
    assert.deepEqual(await load(), first);
    // Another form is another file; the same content in another place is the same one.
    await load('int8');
    assert.equal(kept().length, 2);
    cpSync(model, join(root, 'copy'), { recursive: true });
    model = join(root, 'copy');
    await load();
    assert.equal(kept().length, 2);
  });

  it('are not taken for those of a model that has changed, in place or by name', async () => {
    const before = await load();
    const path = join(model, 'model.safetensors');
    const bytes = readFileSync(path);
    const { atime, mtime } = statSync(path);
    // The last number of a tensor, in the same length, with the old time of change.
    bytes[bytes.length - 2] ^= 0x10;
    writeFileSync(path, bytes);
    utimesSync(path, atime, mtime);
    assert.notDeepEqual(await load(), before);
    assert.equal(kept().length, 2);
  });

  it('are not taken for those of another model of the same sizes, whatever the files of both are called', async () => {
    const whole = join(model, 'model.safetensors');
    const part = join(model, 'part.safetensors');
    renameSync(whole, part);
    const names = (await tensors()).map(({ name }) => name);
    const index = { weight_map: Object.fromEntries(names.map((name) => [name, 'part.safetensors'])) };
    writeFileSync(`${whole}.index.json`, JSON.stringify(index));
    const before = await load();
    const bytes = readFileSync(part);
    bytes[bytes.length - 2] ^= 0x10;
    writeFileSync(part, bytes);
    assert.notDeepEqual(await load(), before);
    assert.equal(kept().length, 2);
    // Without any weights there is nothing that a file could be named by.
    rmSync(part);
    rmSync(`${whole}.index.json`);
    assert.equal(await cacheOf().fileOf(model, 'int4', await tensors()), undefined);
  });

  for (const [what, spoil] of [
    [
      'a bit is another',
      (bytes: Buffer) => bytes.fill(bytes[bytes.length - 5000] ^ 1, bytes.length - 5000, bytes.length - 4999),
    ],
    ['it ends too early', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
    ['it goes on behind its end', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
    ['its list is another', (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace('int4', 'int8'), 'latin1')],
    [
      'it is of another version',
      (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace(/weights \d/, 'weights 0'), 'latin1'),
    ],
    ['it is empty', () => Buffer.alloc(0)],
  ] as const)
    it(`are made anew where ${what}`, async () => {
      const first = await load();
      const file = join(folder(), kept()[0]);
      const whole = readFileSync(file);
      writeFileSync(file, spoil(Buffer.from(whole)));
      assert.equal(cacheOf().read(file, 'int4', await tensors()), undefined);
      assert.deepEqual(await load(), first);
      assert.deepEqual(readFileSync(file), whole);
    });

  onEachDevice((device, name) => {
    /** Logits behind prompts that programs of few rows and of many read, and behind one more token. */
    async function logits(weights: ReadonlyMap<string, HeldWeight>): Promise<Float32Array[]> {
      const [plain, stored] = [new Map<string, Float32Array>(), new Map<string, StoredWeight>()];
      for (const [name, each] of weights)
        if (each instanceof Float32Array) plain.set(name, each);
        else stored.set(name, each);
      const config = await loadModelConfig(model);
      const stepper = baseStepper(device(), new LanguageModel(model, config, undefined, plain, { stored }));
      const found: Float32Array[] = [];
      for (const count of [3, 40]) {
        const cache = await stepper.cache(1, 60);
        for (const ids of [Array.from({ length: count }, (_, i) => 3 * i), [7]]) {
          const { logits } = await stepper.advance(cache, [ids]);
          found.push((await logits.readFloats()).slice());
          logits.release();
        }
        cache.dispose();
      }
      await stepper.dispose();
      return found;
    }

    for (const precision of ['int8', 'int4'] as const) {
      const test = precision === 'int4' ? it : itMainly.bind(undefined, name);
      test(`give programs that map them what the same weights in memory do, in ${precision}`, async () => {
        const mapped = await held(precision);
        assert([...mapped.values()].some((each) => !(each instanceof Float32Array) && isMapped(each)));
        assert.deepEqual(await logits(mapped), await logits(allInMemory(mapped)));
      });
    }

    it('stand beside large ones in memory', async () => {
      const [name, mapped] = [...(await held())].find(([, each]) => !(each instanceof Float32Array)) as [
        string,
        MappedWeight,
      ];
      const own = Float32Array.from({ length: 64 * mapped.shape[0] }, (_, i) => Math.sin(i));
      const found: Float32Array[] = [];
      for (const weight of [mapped, inMemory(mapped)]) {
        const over = device().over(new Map([[name, weight]]));
        const program = await over.program(
          (graph) => {
            const [rows, inner] = weight.shape;
            const x = graph.input('x', 'float32', [1, inner]);
            const product = ops.matmul(
              linear(x, graph.parameter(name, [rows, inner])),
              graph.parameter('own', [rows, 64]),
            );
            return { product };
          },
          { frozen: new Map([['own', own]]) },
        );
        const { product } = await program.run({ x: own.slice(0, weight.shape[1]) });
        found.push((await product.readFloats()).slice());
        product.release();
        await program.dispose();
      }
      assert.deepEqual(found[0], found[1]);
    });

    itOnce(name, 'come back where their file is taken away meanwhile', async () => {
      const mapped = await held();
      const wanted = await logits(mapped);
      const [name] = kept();
      const whole = readFileSync(join(folder(), name));
      rmSync(folder(), { recursive: true });
      assert.deepEqual(await logits(mapped), wanted);
      assert.deepEqual(kept(), [name]);
      assert.deepEqual(readFileSync(join(folder(), name)), whole);
    });
  });

  it('take no more room than they may: what was not used for the longest goes', async () => {
    await load('int8');
    const [first] = kept();
    const bytes = statSync(join(folder(), first)).size;
    const long = new Date(Date.now() - 1e8);
    utimesSync(join(folder(), first), long, long);
    writeFileSync(join(folder(), 'x.weights.tmp-0123456789ab'), 'half');
    utimesSync(join(folder(), 'x.weights.tmp-0123456789ab'), long, long);
    await load('int4', cacheOf({ most: 1.2 * bytes }));
    assert.equal(kept().length, 1);
    assert.notEqual(kept()[0], first);
    assert(!existsSync(join(folder(), 'x.weights.tmp-0123456789ab')));
    // What is larger than all there may be is not kept.
    rmSync(folder(), { recursive: true });
    await load('int8', cacheOf({ most: bytes / 2 }));
    assert.deepEqual(kept(), []);
  });

  it('are not kept of small models, nor where the person does not want it, nor where nothing can be written', async () => {
    await load('int8', new StoredCache(folder()));
    assert(!existsSync(folder()));
    assert.equal(StoredCache.ofAccount({ COLA_WEIGHT_CACHE: 'off' }), undefined);
    assert.equal(StoredCache.ofAccount({ COLA_WEIGHT_CACHE: '/a/b' })?.folder, '/a/b');
    if (process.platform === 'linux')
      assert.equal(cacheFolder({ XDG_CACHE_HOME: '/c' }, '/h'), '/c/cola-studio/weights');
    writeFileSync(folder(), 'a file');
    assert.equal((await load()).size, (await tensors()).length);
  });
});
