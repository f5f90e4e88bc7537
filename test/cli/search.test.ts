import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../server/cli/program.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { readSnapshot } from '../../server/search/snapshot.ts';
import { controlSettings } from '../../server/spec/settings/supervised.ts';
import { prepareModules } from '../../server/train/run/initialise.ts';
import { scratchFolder } from '../store/scratch.ts';
import { assertClose } from '../support/reference.ts';
import { cola, listing } from './cola.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const MODEL = join(FIXTURES, 'cola/n8-plain');
const CPU = ['--device', 'cpu'];
const IDS = ['--ids', '85,46,79,18,66'];
const LENGTH = ['--reward', '{length: {min: 36, max: 36, unit: characters, slope: 36}}'];
const TREE = ['--edges', 'q', '--threshold', '0.3', '--max-extra', '3', '--breadth', '3', '--cpuct', '1.5'];
const SEARCH = ['search', MODEL, ...IDS, ...LENGTH, ...TREE, '--max-new', '12', ...CPU];

type Tree = Awaited<ReturnType<typeof readSnapshot>>['tree'];

/** The same nodes and counts, with values that differ by rounding alone: texts are read again in larger pieces. */
function assertSameTree(actual: Tree, expected: Tree): void {
  for (const [name, column] of Object.entries(expected)) {
    const own = actual[name as keyof Tree];
    assert.equal(own.length, column.length, name);
    for (const [i, x] of column.entries()) {
      const near = x !== null && !Number.isInteger(x) && Math.abs((own[i] ?? Number.NaN) - x) < 1e-4;
      if (!near) assert.equal(own[i], x, `${name} ${i}`);
    }
  }
}

const decimal = /-?\d+\.\d+/g;

/** The same text, in which decimals may differ by rounding: the processors of two machines add in different orders. */
function assertSameText(actual: string, expected: string): void {
  assert.equal(actual.replace(decimal, '_'), expected.replace(decimal, '_'));
  const numbers = (text: string) => (text.match(decimal) ?? []).map(Number);
  assertClose(numbers(actual), numbers(expected), 1e-3);
}

const golden = `prompt  N 5  Q 0.5173  V 0.7634  best 0.5278
├─> 3 "88"  N 4  Q 0.5199  P 0.5584  V -2.191  best 0.5278
│  ├─> 4 "52"  N 3  Q 0.5225  P 0.5545  V -1.86  best 0.5278
│  │  ├─> 6 "23"  N 2  Q 0.5251  P 0.3957  V 0.4863  best 0.5278
│  │  │  ├─> 5 "58"  N 1  Q 0.5278  P 0.645  V 0.5013  best 0.5278
│  │  │  ├─  0 "88"  N 0  P 0.1734
│  │  │  └─  1 "19"  N 0  P 0.07979
│  │  ├─  5 "32"  N 0  P 0.314
│  │  └─  7 "37"  N 0  P 0.1733
│  ├─  6 "23"  N 0  P 0.3378
│  └─  2 "43"  N 0  P 0.08083
├─  6 "32"  N 0  P 0.2349
└─  7 "59"  N 0  P 0.1824

> Principal variation: 3 "88"  4 "52"  6 "23"  5 "58"
Spent: 5 simulations, 15 generated tokens, _ s; the budget of simulations is spent.
Best answer: "88,52,23,58,89,32,2"

           reward  tokens  answers  best answer
search     0.5278      15        5  "88,52,23,58,89,32,2"
best of 2  0.9722      17        2  "88,23,64,19,37,72,65,63,49,77,84,47"
`;

/** A little model with a tokenizer, and random latent actions. */
async function saveWithTokenizer(folder: string): Promise<ColaModel> {
  const base = await LanguageModel.load(join(FIXTURES, 'hf/llama-gqa'));
  const sizes = { data: '-', codes: 8, idm_layers: 1, policy_layers: 1, merge_layers: 1 };
  const made = prepareModules({ name: 'control', settings: controlSettings.parse(sizes) }, base, undefined, 3)!;
  mkdirSync(folder);
  await made.save(folder);
  return made;
}

describe('cola search', function () {
  this.timeout(120_000);
  const scratch = scratchFolder();
  const search = (...args: string[]) => cola([...SEARCH, ...args], { cwd: scratch() });

  it('--help has examples', async () => {
    const { code, stdout } = await cola(['search', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /Examples:\n {2}\$ cola search/);
    assert.match((await cola([])).stdout, /^ {2}search/m);
  });

  it('prints the tree, the principal variation, the best answer and best-of-N', async () => {
    const { code, stdout, stderr } = await search('--simulations', '5', '--html', 'page.html');
    assert.equal(code, 0, stderr);
    assertSameText(stdout.replace(/[\d.]+ s;/, '_ s;'), golden);
    assert.match(stderr, /^Saved: .*search\.json$/m);
    assert.match(readFileSync(scratch('page.html'), 'utf8'), /<title>Search over latent actions<\/title>/);
  });

  it('has a child for each action where that is asked for, as in the paper', async () => {
    const tokens = async (out: string, ...args: string[]) => {
      const { code, stderr } = await search('--simulations', '5', '--out', out, ...args);
      assert.equal(code, 0, stderr);
      const { tree } = await readSnapshot(scratch(out));
      const behind = (parent: number) => tree.parent.flatMap((p, id) => (p === parent ? [id] : []));
      const starts = tree.edge.map((_, id) => tree.edge.slice(0, id).reduce((sum, n) => sum + n, 0));
      return tree.parent.map((_, id) => behind(id).map((child) => tree.tokens[starts[child]]));
    };
    const twice = (lists: readonly (readonly (number | undefined)[])[]) =>
      lists.filter((list) => new Set(list).size < list.length).length;
    assert.equal(twice(await tokens('merged.json')), 0);
    assert.ok(twice(await tokens('each.json', '--no-merge', '--normalise', '--widening', '0.5')) > 0);
    const { stderr } = await cola(
      ['search', MODEL, ...LENGTH, ...CPU, '--simulations', '1', '--continue', 'each.json', '--no-merge'],
      { cwd: scratch() },
    );
    assert.match(stderr, /--no-merge cannot be given/);
  });

  it('gives the same as JSON, and saves a search that goes on as if it had never stopped', async () => {
    const whole = await search('--simulations', '12', '--out', 'whole.json', '--json');
    const { end, spent, nodes, principal_variation: path, search: best, best_of_n: samples } = JSON.parse(whole.stdout);
    assert.equal(whole.code, 0);
    assert.equal(end, 'simulations');
    assert.equal(spent.simulations, 12);
    const snapshot = await readSnapshot(scratch('whole.json'));
    assert.equal(nodes, snapshot.tree.parent.length);
    assert.equal(snapshot.tree.parent[path[0].node], 0);
    assert.equal(best.reward, Math.max(...snapshot.simulations.map(({ reward }) => reward!)));
    assert.equal(best.text, best.tokens.join());
    assert.ok(samples.generated >= spent.tokens && samples.generated < spent.tokens + 12);

    assert.equal((await search('--simulations', '5')).code, 0);
    const before = readFileSync(scratch('search.json'), 'utf8');
    const more = ['search', MODEL, ...LENGTH, ...CPU, '--simulations', '7', '--continue', 'search.json'];
    assert.equal((await cola([...more, '--out', 'other.json'], { cwd: scratch() })).code, 0);
    assert.equal(readFileSync(scratch('search.json'), 'utf8'), before);
    assert.equal((await cola([...more, ...IDS], { cwd: scratch() })).code, 0);
    for (const file of ['search.json', 'other.json']) {
      const { tree, simulations, random } = await readSnapshot(scratch(file));
      assertSameTree(tree, snapshot.tree);
      assert.deepEqual(random, snapshot.random);
      assert.deepEqual(
        simulations.map(({ node, reward }) => [node, reward]),
        snapshot.simulations.map(({ node, reward }) => [node, reward]),
      );
    }
  });

  it('keeps to budgets of tokens and of seconds', async () => {
    const tokens = JSON.parse((await search('--tokens', '30', '--out', 'a.json', '--json')).stdout);
    assert.equal(tokens.end, 'tokens');
    assert.ok(tokens.spent.tokens >= 30 && tokens.spent.tokens < 60);
    const seconds = JSON.parse((await search('--seconds', '0.05', '--out', 'b.json', '--json')).stdout);
    assert.equal(seconds.end, 'seconds');
    // Answers of one token: soon there is nothing new to generate.
    const idle = ['search', MODEL, ...IDS, ...LENGTH, ...CPU, '--max-new', '1', '--tokens', '50'];
    const { code, stdout } = await cola(idle, { cwd: scratch() });
    assert.equal(code, 0);
    assert.match(stdout, /the last 1000 simulations found no new token/);
  });

  it('saves what is there when it is stopped', async () => {
    const controller = new AbortController();
    let [stdout, stderr] = ['', ''];
    const code = await run([...SEARCH, '--seconds', '600'], {
      stdout: { write: (text) => (stdout += text) },
      stderr: {
        isTTY: true,
        write: (text) => {
          stderr += text;
          // The first simulation is done.
          if (text.includes('simulations')) controller.abort();
        },
      },
      cwd: scratch(),
      signal: controller.signal,
    });
    assert.equal(code, 130, stderr);
    assert.match(stdout, /it was stopped/);
    assert.doesNotMatch(stdout, /best of/);
    const { simulations } = await readSnapshot(scratch('search.json'));
    assert.equal(simulations.length, 1);
  });

  it('keeps the tree when the reward fails, and goes on when it is repaired', async () => {
    const reward = ['--reward', '{module: {path: reward.mjs}}'];
    const args = ['search', MODEL, ...reward, ...CPU, '--simulations', '4'];
    const text = (body: string) => writeFileSync(scratch('reward.mjs'), `let n = 0;\nexport default () => ${body};\n`);
    text('++n > 3 ? new Promise(() => {}) : 0.5');
    const limits = ['--max-new', '6', '--reward-seconds', '2'];
    const failed = await cola([...args, ...IDS, ...limits], { cwd: scratch() });
    assert.equal(failed.code, 2, failed.stderr);
    assert.match(failed.stderr, /\[search\.rewardTimeout\]/);
    const kept = (await readSnapshot(scratch('search.json'))).simulations.length;
    assert.equal(kept, 3);
    text('0.75');
    const repaired = await cola([...args, '--continue', 'search.json'], { cwd: scratch() });
    assert.equal(repaired.code, 0, repaired.stderr);
    const { simulations } = await readSnapshot(scratch('search.json'));
    assert.equal(simulations.length, kept + 4);
    assert.ok(simulations.slice(kept).every(({ reward: value }) => value === 0.75));
  });

  it('says why answers had no score', async () => {
    const { code, stdout } = await search('--simulations', '3', '--reward', 'numeric');
    assert.equal(code, 0);
    assert.match(stdout, /3 of 3 answers had no score: the row has no column "answer"\./);
    assert.match(stdout, /^search +none /m);
  });

  it('reads text with the tokenizer, and prints nothing that acts on a terminal', async () => {
    const model = await saveWithTokenizer(scratch('model'));
    writeFileSync(scratch('p.txt'), 'Hello');
    const args = ['search', 'model', ...LENGTH, ...CPU, '--max-new', '8', '--simulations', '6', '--out', 's.json'];
    for (const prompt of [
      ['--prompt', 'Hello'],
      ['--prompt-file', 'p.txt'],
    ]) {
      const { code, stdout, stderr } = await cola([...args, ...prompt, '--html', 'p.html'], { cwd: scratch() });
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\p{C}\p{Zl}\p{Zp}]/u);
      const snapshot = await readSnapshot(scratch('s.json'));
      assert.deepEqual(snapshot.prompt, [...model.base.tokenizer!.encode('Hello')]);
      assert.match(readFileSync(scratch('p.html'), 'utf8'), /<dt>prompt<\/dt><dd>[^<]*Hello<\/dd>/);
    }
    const endless = await cola([...args, '--prompt-file', '/dev/zero'], { cwd: scratch() });
    assert.match(endless.stderr, /\[files\.tooLarge\]/);
  });

  const good = [...IDS, ...LENGTH, ...CPU, '--simulations', '3'];
  const old = () => {
    const json = JSON.parse(readFileSync(scratch('good.json'), 'utf8'));
    writeFileSync(scratch('old.json'), JSON.stringify({ ...json, version: 99 }));
  };
  const cases: readonly {
    readonly what: string;
    readonly id: string;
    readonly args: readonly string[];
    readonly says: RegExp;
    readonly prepare?: () => void | Promise<void>;
  }[] = [
    { what: 'no budget', id: 'search.budget', says: /no budget/, args: [MODEL, ...IDS, ...LENGTH] },
    {
      what: 'a budget of 0',
      id: 'search.budget',
      says: /simulations is 0/,
      args: [MODEL, ...good, '--simulations', '0'],
    },
    { what: '0 seconds', id: 'search.budget', says: /seconds is 0/, args: [MODEL, ...good, '--seconds', '0'] },
    { what: 'no reward', id: 'cli.usage', says: /--reward/, args: [MODEL, ...IDS, '--simulations', '1'] },
    { what: 'an unknown reward', id: 'reward.unknown', says: /"nice"/, args: [MODEL, ...good, '--reward', 'nice'] },
    {
      what: 'a reward that is no YAML',
      id: 'evaluate.badReward',
      says: /no reward/,
      args: [MODEL, ...good, '--reward', '{a'],
    },
    {
      what: 'a reward without its settings',
      id: 'reward.badSpec',
      says: /length/,
      args: [MODEL, ...good, '--reward', 'length'],
    },
    { what: 'a row that is no JSON', id: 'cli.usage', says: /--row is not JSON/, args: [MODEL, ...good, '--row', '{'] },
    { what: 'a row that is a list', id: 'cli.usage', says: /JSON object/, args: [MODEL, ...good, '--row', '[1]'] },
    { what: 'no prompt', id: 'cli.usage', says: /exactly one/, args: [MODEL, ...LENGTH, '--simulations', '1'] },
    { what: 'two prompts', id: 'cli.usage', says: /exactly one/, args: [MODEL, ...good, '--prompt', 'x'] },
    { what: 'chat with ids', id: 'cli.usage', says: /--chat goes with/, args: [MODEL, ...good, '--chat'] },
    {
      what: 'text without a tokenizer',
      id: 'model.noTokenizer',
      says: /no tokenizer/,
      args: [MODEL, ...LENGTH, '--simulations', '1', '--prompt', 'x'],
    },
    { what: 'ids that are none', id: 'cli.noIds', says: /"1,x"/, args: [MODEL, ...good, '--ids', '1,x'] },
    {
      what: 'an id beyond the vocabulary',
      id: 'model.idOutOfRange',
      says: /99999/,
      args: [MODEL, ...good, '--ids', '99999'],
    },
    {
      what: 'a prompt longer than the context',
      id: 'search.promptTooLong',
      says: /at most 128/,
      args: [MODEL, ...good, '--max-new', '124'],
    },
    { what: 'no model', id: 'config.noModel', says: /nowhere/, args: ['nowhere', ...good] },
    {
      what: 'a model without latent actions',
      id: 'cola.noCola',
      says: /without latent/,
      args: [join(FIXTURES, 'hf/qwen3'), ...good],
    },
    {
      what: 'a model without a policy',
      id: 'cola.missing',
      says: /no policy/,
      args: ['model', ...good],
      prepare: async () => {
        const model = await ColaModel.load(MODEL);
        for (const { name } of model.tensorsOf('policy')) model.weights.delete(name);
        mkdirSync(scratch('model'));
        await model.save(scratch('model'));
      },
    },
    {
      what: 'Q where there is none',
      id: 'search.noQ',
      says: /no Q/,
      args: ['model', ...good, '--value', 'q'],
      prepare: async () => {
        await saveWithTokenizer(scratch('model'));
      },
    },
    {
      what: 'weights of nothing',
      id: 'cli.usage',
      says: /rollout, value and q/,
      args: [MODEL, ...good, '--value', 'luck'],
    },
    { what: 'weights of 0', id: 'search.options', says: /"value"/, args: [MODEL, ...good, '--value', 'q=0'] },
    { what: 'gamma above 1', id: 'search.options', says: /"gamma"/, args: [MODEL, ...good, '--gamma', '2'] },
    {
      what: 'a setting of the other kind of edges',
      id: 'cli.usage',
      says: /--edges q/,
      args: [MODEL, ...good, '--max-extra', '3'],
    },
    {
      what: 'steps with edges by Q',
      id: 'cli.usage',
      says: /--edges steps/,
      args: [MODEL, ...good, '--edges', 'q', '--steps-per-edge', '3'],
    },
    {
      what: 'a snapshot of another version',
      id: 'search.snapshotVersion',
      says: /version 99/,
      args: [MODEL, ...good, '--continue', 'old.json'],
      prepare: old,
    },
    {
      what: 'a snapshot that is not there',
      id: 'store.cannotRead',
      says: /gone\.json/,
      args: [MODEL, ...good, '--continue', 'gone.json'],
    },
    {
      what: 'another prompt than before',
      id: 'cli.usage',
      says: /not the one of good\.json/,
      args: [MODEL, ...good, '--ids', '1,2', '--continue', 'good.json'],
    },
    {
      what: 'new settings for an old tree',
      id: 'cli.usage',
      says: /--breadth cannot/,
      args: [MODEL, ...good, '--breadth', '2', '--continue', 'good.json'],
    },
    {
      what: 'a search that is there already',
      id: 'cli.usage',
      says: /--continue search\.json/,
      args: [MODEL, ...good],
      prepare: () => writeFileSync(scratch('search.json'), '{}'),
    },
    {
      what: 'a file that cannot be written',
      id: 'store.cannotWrite',
      says: /none/,
      args: [MODEL, ...good, '--out', 'none/search.json'],
    },
  ];

  for (const { what, id, args, says, prepare } of cases) {
    it(`refuses ${what}`, async () => {
      if (args.some((arg) => arg.endsWith('good.json') || arg.endsWith('old.json'))) {
        assert.equal((await search('--simulations', '2', '--out', 'good.json')).code, 0);
      }
      await prepare?.();
      const before = listing(scratch());
      const { code, stdout, stderr } = await cola(['search', ...args], { cwd: scratch() });
      assert.equal(code, 2, stderr);
      assert.equal(stdout, '');
      const [sentence, remedy, last] = stderr.trimEnd().split('\n').slice(-3) as [string, string, string];
      assert.equal(last, `[${id}]`, stderr);
      assert.match(sentence, says);
      assert.match(remedy, /^\S.*[.}]$/);
      assert.deepEqual(listing(scratch()), before);
    });
  }
});
