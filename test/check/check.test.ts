import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkFolder } from '../../server/check/check.ts';
import { Comparer } from '../../server/check/comparison.ts';
import { Device } from '../../server/device/device.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';
import { onEachDevice } from '../support/devices.ts';

const fixtures = join(import.meta.dirname, '../fixtures');
const foldersIn = (kind: string) =>
  readdirSync(join(fixtures, kind), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(kind, name));

/** Adds `by` to one float32 entry of a tensor, in the file. */
function shift(file: string, name: string, by: number): void {
  const bytes = readFileSync(file);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString('utf8')) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  assert.equal(header[name].dtype, 'F32');
  const start = 8 + headerLength + header[name].data_offsets[0];
  bytes.writeFloatLE(bytes.readFloatLE(start) + by, start);
  writeFileSync(file, bytes);
}

/** Makes a copy of a folder whose reference has the first of its searches only, or none. */
function withSearches(count: 0 | 1, folder: string, copy: string): string {
  cpSync(folder, copy, { recursive: true });
  const file = join(copy, 'expected.json');
  const { mcts, ...json } = JSON.parse(readFileSync(file, 'utf8'));
  assert(mcts.length > 1);
  writeFileSync(file, JSON.stringify(count === 0 ? json : { ...json, mcts: mcts.slice(0, 1) }));
  return copy;
}

onEachDevice((device, name) => {
  describe('the check of a folder', function () {
    this.timeout(300_000);
    const scratch = scratchFolder();

    // In software nearly all of the time goes into compiling shaders, and the two folders with actions have the same programs but for
    // one sum: there the one with that sum is enough, whose base is of the kind that the other folders are; `model/families` has
    // another base on each device. A search is hundreds of steps of decoding, which have been checked before it: one is enough on the
    // CPU, and none there. The slow form checks the other folders, too, and every search.
    const short = process.env.COLA_SLOW === undefined;
    const spared = short && name !== 'cpu' ? [...foldersIn('hf'), 'cola/n8-plain'] : [];
    const folders = [...foldersIn('hf'), ...foldersIn('cola')];
    assert(spared.every((folder) => folders.includes(folder)));
    for (const folder of folders.filter((each) => !spared.includes(each))) {
      it(`passes on ${folder}`, async () => {
        const place = join(fixtures, folder);
        const searches = short && folder.startsWith('cola') ? (name === 'cpu' ? 1 : 0) : undefined;
        const checked = searches === undefined ? place : withSearches(searches, place, scratch('model'));
        const groups = await checkFolder(checked, device());
        assert.deepEqual(
          groups.filter(({ ok }) => !ok),
          [],
        );
        assert(groups.every(({ compared }) => compared > 0));
        const names = groups.map(({ group }) => group);
        const wanted = folder.startsWith('hf')
          ? ['hidden', 'logits', 'loss', 'greedy', 'gradients attention', 'tokenizer encode', 'config styles']
          : ['forward', 'control', 'clone', 'guide idm', 'guide policy', 'marginal', 'q', 'decode', 'health'];
        if (folder.startsWith('cola') && searches !== 0) wanted.push('search tree', 'search values');
        for (const group of wanted) assert(names.includes(group), `${group} of ${names.join(', ')}`);
      });
    }
  });
});

describe('the check of a folder whose values are wrong', function () {
  this.timeout(60_000);
  const scratch = scratchFolder();
  let device: Device;
  before(async () => {
    device = await Device.open('cpu');
  });
  after(() => device.dispose());

  const failing = async (folder: string) =>
    (await checkFolder(folder, device)).filter(({ ok }) => !ok).map(({ group }) => group);

  const copy = (folder: string) => {
    cpSync(join(fixtures, folder), scratch('model'), { recursive: true });
    return scratch('model');
  };

  it('names every group that a weight reaches, and no other', async () => {
    const folder = withSearches(1, join(fixtures, 'cola/n8-plain'), scratch('model'));
    shift(join(folder, 'cola.safetensors'), 'q.head.weight', 0.5);
    const groups = await failing(folder);
    assert(groups.length > 0);
    for (const group of groups) assert.match(group, /^(q|search)/);
  });

  it('names the groups of the expected values that differ, and no other', async () => {
    const folder = copy('cola/n8-residual');
    const wrong = {
      'policy.logits': 'forward',
      'stage1.loss': 'control',
      'clone.grad.policy.head.weight': 'clone gradients heads',
      'fta_p.grad.model.layers.0.mlp.up_proj.weight': 'guide policy gradients mlp',
      'grpo.lam95.advantages': 'rewards',
      'ppo.loss_value': 'reinforce ppo',
      'marginal.kl_base_marginal': 'marginal',
    };
    for (const name of Object.keys(wrong)) shift(join(folder, 'expected.safetensors'), name, 0.01);
    const differing = (await checkFolder(folder, device)).filter(({ ok }) => !ok);
    assert.deepEqual(Object.fromEntries(differing.map(({ worst, group }) => [worst, group])), wrong);
  });

  it('finds a wrong weight of a base', async () => {
    const folder = copy('hf/qwen3');
    shift(join(folder, 'model.safetensors'), 'model.layers.0.self_attn.q_norm.weight', 0.1);
    const groups = await failing(folder);
    for (const group of ['hidden', 'logits', 'loss', 'gradients attention']) assert(groups.includes(group), group);
    assert(!groups.includes('tokenizer encode'));
  });

  it('says that a folder carries no reference', async () => {
    const folder = copy('hf/qwen2');
    rmSync(join(folder, 'expected.safetensors'));
    await assert.rejects(checkFolder(folder, device), errorOf('check.noReference', /expected\.safetensors/));
  });

  it('says what is wrong with a damaged reference', async () => {
    const folder = copy('hf/qwen2');
    writeFileSync(join(folder, 'expected.json'), '{"tolerance": {"loss_abs": "small"}}');
    await assert.rejects(checkFolder(folder, device), errorOf('check.json', /expected\.json.*tolerance\.loss_abs/));
    writeFileSync(join(folder, 'expected.json'), '{');
    await assert.rejects(checkFolder(folder, device), errorOf('check.json'));
  });
});

describe('a comparison', () => {
  const result = (add: (comparer: Comparer) => void) => {
    const comparer = new Comparer();
    add(comparer);
    return comparer.results;
  };

  it('fails where a value is not a number, or where there are too few', () => {
    const [nan] = result((c) => c.compare('g', 'x', [Number.NaN], [1], 'absolute', 1));
    assert.equal(nan.ok, false);
    const [few] = result((c) => c.compare('g', 'x', [], [1], 'exact', 0));
    assert.equal(few.ok, false);
  });

  it('fails where NaN is expected', () => {
    const [group] = result((c) => c.compare('g', 'x', [1], [Number.NaN], 'relative', 1));
    assert.equal(group.ok, false);
  });

  it('measures as it says', () => {
    const one = (measure: 'absolute' | 'relative' | 'scalar' | 'exact') =>
      result((c) => c.compare('g', 'x', [10, 4.5], [10, 4], measure, 0))[0].difference;
    assert.deepEqual([one('absolute'), one('relative'), one('scalar'), one('exact')], [0.5, 0.05, 0.05, 1]);
  });

  it('reports the tensor that uses up most of its tolerance', () => {
    const [group] = result((c) => {
      c.compare('g', 'large', [1.5], [1], 'absolute', 1);
      c.compare('g', 'strict', [1.01], [1], 'absolute', 0.001);
      c.compare('g', 'exact', [1], [1], 'exact', 0);
    });
    assert.equal(group.worst, 'strict');
    assert.equal(group.compared, 3);
    assert.equal(group.ok, false);
  });

  it('looks only at the entries that count', () => {
    const [group] = result((c) => c.compare('g', 'x', [1, 9], [1, 2], 'absolute', 0.1, [1, 0]));
    assert.equal(group.ok, true);
  });
});
