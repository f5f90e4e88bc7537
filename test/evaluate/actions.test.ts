import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { actionsOf, readActions, readLabels, writeActions } from '../../server/cola/actions-file.ts';
import { Decoder, forced } from '../../server/cola/decoder.ts';
import { shownLabel } from '../../server/cola/shown-label.ts';
import { nameToken } from '../../server/cola/token-names.ts';
import { Device } from '../../server/device/device.ts';
import { profileActions } from '../../server/evaluate/actions/actions.ts';
import { labelActions } from '../../server/evaluate/actions/labels.ts';
import { evidenceOf } from '../../server/evaluate/actions/use.ts';
import { Subject } from '../../server/evaluate/subject.ts';
import { heldOutText } from '../../server/evaluate/text.ts';
import { cola, listing } from '../cli/cola.ts';
import { codes, makeModel, profile, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';

const token = (text: string, share: number) => ({ text, share, special: false });

describe('labels of latent actions', () => {
  const label = (...tokens: ReturnType<typeof token>[]) => labelActions([{ code: 0, usage: 1, tokens }])[0];

  it('say what the tokens of a code are', () => {
    assert.equal(label(token(')', 0.9), token('))', 0.1)), 'close paren');
    assert.equal(label(token('const', 0.5), token('let', 0.3)), 'declare const');
    assert.equal(label(token('7', 0.8), token('8', 0.2)), 'digit 7');
    assert.equal(label(token('7', 0.3), token('8', 0.3), token('2', 0.3)), 'any digit');
    assert.equal(label(token('\n    ', 0.6), token('\n  ', 0.2)), 'new line indent 4');
    assert.equal(label(token('.get', 0.3), token('.set', 0.3)), 'property name');
    assert.equal(label(token(' to', 0.2), token(')', 0.2), token('=', 0.1)), 'word to / paren');
  });

  it('name a word behind a dot a property', () => {
    const before = { text: '.', share: 0.9 };
    assert.equal(labelActions([{ code: 0, usage: 1, tokens: [token('length', 0.9)], before }])[0], 'property length');
    assert.equal(nameToken('return', false, '.').name, 'property return');
    assert.equal(nameToken('return', false, '{').name, 'return value');
  });

  it('are unique, the plain name going to the code that is used most, and dead codes are unused', () => {
    const tokens = [token(')', 1)];
    const labels = labelActions([
      { code: 0, usage: 0.1, tokens },
      { code: 1, usage: 0.2, tokens },
      { code: 2, usage: 0.05, tokens },
      { code: 3, usage: 0, tokens: [] },
      { code: 4, usage: 0, tokens: [] },
    ]);
    assert.equal(labels[1], 'close paren');
    assert.deepEqual(labels.slice(3), ['unused 3', 'unused 4']);
    assert.equal(new Set(labels).size, labels.length);
    for (const text of labels) assert(text.length <= 40);
  });
});

describe('evidence for latent actions', () => {
  it('is by how much a token is over-represented, weighted by how often it occurs', () => {
    // Code 0: 6 x token 1, 3 x token 2; code 1: 1 x token 1, 6 x token 2.
    const actions = Int32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1);
    const ids = Int32Array.of(1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2);
    const [first, second, dead] = evidenceOf(actions, ids, 3, 5);
    assert.deepEqual(
      first.map(({ id }) => id),
      [1, 2],
    );
    assert.equal(first[0].share, 6 / 9);
    assert.equal(first[0].lift, 6 / 9 / (7 / 16));
    // Once is no evidence.
    assert.deepEqual(
      second.map(({ id }) => id),
      [2],
    );
    assert.deepEqual(dead, []);
  });
});

describe('profiles of latent actions', () => {
  let folder: string;
  let text: string;
  before(async () => {
    folder = await makeModel(await temporaryFolder());
    text = join(folder, 'text.txt');
    await writeFile(text, Array.from({ length: 200 }, (_, i) => `const value${i} = call(${i}, "x");`).join('\n'));
  });
  after(() => removeFolder(folder));

  const measure = async (seed: number) => {
    const device = await Device.open('cpu', { threads: 1 });
    const subject = await Subject.load(device, folder);
    try {
      const sequences = await heldOutText({ data: text, held_out: text }, subject.context, 64, 10);
      const options = { name: 'text.txt', prompts: 4, promptTokens: 16, tokens: 5, seed };
      const actions = await profileActions(subject, sequences, options);
      // What forcing gives, decoded one row alone from the start.
      const model = subject.with('world', 'policy')!;
      const decoder = new Decoder(device, model);
      const sample = actions.actions[5].forced.samples[0];
      const cache = await decoder.cache(1, 64);
      const bias = new Float32Array(codes);
      bias[5] = forced;
      const prompt = subject.base.tokenizer!.encode(sample.prompt);
      const alone: number[] = [];
      let step = await decoder.step(cache, [prompt], bias);
      for (let t = 0; t < 5; t++) {
        alone.push(step.token[0]);
        step = await decoder.step(cache, [[step.token[0]]]);
      }
      cache.dispose();
      await decoder.dispose();
      return { actions, sample, alone: subject.base.tokenizer!.decode(alone) };
    } finally {
      subject.dispose();
      await device.dispose();
    }
  };

  it('cover every code, add up, and are what the decoder does', async () => {
    const { actions, sample, alone } = await measure(7);
    assert.equal(actions.codes, codes);
    assert.deepEqual(
      actions.actions.map(({ code }) => code),
      [...Array(codes).keys()],
    );
    assert.equal(actions.measured.positions, 10 * 63);
    for (const head of ['inverse', 'policy'] as const) {
      const sum = actions.actions.reduce((a, { usage }) => a + usage[head], 0);
      assert(Math.abs(sum - 1) < 1e-3, `${head} adds up to ${sum}`);
    }
    assert.equal(new Set(actions.actions.map(({ label }) => label)).size, codes);
    for (const { code, usage, label, near, tokens, examples } of actions.actions) {
      assert.equal(label.startsWith('unused'), usage.inverse === 0);
      assert(!near.some((other) => other.code === code));
      assert.equal(tokens.length > 0, usage.inverse > 0);
      for (const example of examples) assert(tokens.some(({ text: one }) => one === example.token));
    }
    assert.equal(sample.forced, alone);
  });

  it('are the same with the same seed, and others with another', async () => {
    const [one, two, other] = [await measure(3), await measure(3), await measure(4)];
    assert.deepEqual(one.actions, two.actions);
    assert.notDeepEqual(one.actions.actions[0].forced, other.actions.actions[0].forced);
  });

  it('are written beside the model by cola actions, and read back', async () => {
    const args = ['--device', 'cpu', '--threads', '1', '--sequences', '8', '--length', '32', '--prompts', '2'];
    const { code, stderr } = await cola(['actions', folder, '--text', text, ...args]);
    assert.equal(code, 0, stderr);
    const actions = readActions(folder, codes);
    assert.equal(actions?.measured.text, 'text.txt');
    assert.deepEqual(readLabels(folder, codes), actions?.actions.map(shownLabel));
    const file = readFileSync(join(folder, 'actions.json'), 'utf8');
    await cola(['actions', folder, '--text', text, ...args]);
    assert.equal(readFileSync(join(folder, 'actions.json'), 'utf8'), file);
  });

  it('are written where the person says, or is, and never into an installation', async () => {
    const box = join(import.meta.dirname, '../../assets/nano');
    const before = [listing(box), listing(folder)];
    const few = ['--device', 'cpu', '--threads', '1', '--sequences', '1', '--length', '8', '--prompts', '1'];
    const place = await temporaryFolder();
    try {
      const args = ['--text', text, ...few, '--tokens', '1'];
      const installed = await cola(['actions', 'builtin:nano', ...args], { cwd: place });
      assert.equal(installed.code, 0, installed.stderr);
      assert.match(installed.stderr, /Written to .*nano\.json\n.*cola export builtin:nano FOLDER/);
      assert.ok(existsSync(join(place, '.cola/actions/nano.json')));
      const named = await cola(['actions', folder, ...args, '--out', 'mine.json'], { cwd: place });
      assert.equal(named.code, 0, named.stderr);
      assert.equal(JSON.parse(readFileSync(join(place, 'mine.json'), 'utf8')).codes, codes);
      assert.deepEqual([listing(box), listing(folder)], before);
    } finally {
      await removeFolder(place);
    }
  });

  it('say what is missing', async () => {
    const none = await cola(['actions', folder, '--device', 'cpu']);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /evaluate\.noText/);
    const base = await cola(['actions', 'test/fixtures/hf/qwen2', '--text', text, '--device', 'cpu']);
    assert.equal(base.code, 2);
    const little = join(folder, 'little.txt');
    writeFileSync(little, 'a b');
    const short = await cola(['actions', folder, '--text', little, '--device', 'cpu']);
    rmSync(little);
    // Nobody has written a run spec.
    assert.match(short.stderr, /needed to measure on\.\nTake a longer text\.\n\[evaluate\.tooLittleText\]/);
  });

  it('of another model or version are refused, and give no labels', async () => {
    await writeActions(actionsOf(folder), {
      version: 1,
      codes: codes + 1,
      measured: { text: 'x', positions: 0, prompts: 0, tokens: 0, seed: 1 },
      actions: [profile(0, 'close paren')],
    });
    assert.throws(() => readActions(folder, codes), /cola\.actionsFile|9 codes/);
    assert.deepEqual(readLabels(folder, codes), new Array(codes).fill(null));
    await writeFile(join(folder, 'actions.json'), JSON.stringify({ version: 2 }));
    assert.throws(() => readActions(folder, codes), /version 1/);
  });
});
