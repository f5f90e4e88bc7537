import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gameOf } from '../../server/environments/registry.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { cola } from './cola.ts';

/** Whoever writes much is paid by the turn, three times. */
const module = `export default {
  instructions: 'Write.',
  create() {
    let turns = 0;
    return {
      reset: () => { turns = 0; return 'Go.'; },
      step: (text) => ({ observation: 'Turn ' + ++turns + '.', reward: text.length > 8 ? 1 : 0, done: turns === 3 }),
    };
  },
};`;

describe('cola search --environment', function () {
  this.timeout(120_000);
  let folder: string;
  let model: string;
  before(async () => {
    folder = await temporaryFolder();
    model = await makeModel(join(folder, 'model'));
    writeFileSync(join(folder, 'pay.mjs'), module);
  });
  after(() => removeFolder(folder));
  const search = (environment: string, ...more: string[]) =>
    cola(['search', model, '--environment', environment, '--device', 'cpu', '--threads', '1', ...more], {
      cwd: folder,
    });
  const small = ['--turns', '3', '--max-new', '5', '--breadth', '3', '--simulations', '9'];

  it('prints the tree over turns and the best episode, beside samples for as many tokens and what is likeliest', async () => {
    const { code, stdout, stderr } = await search('household', ...small, '--html', 'page.html', '--unseen');
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(gameOf('household').game().reset(1, { side: 'unseen' })));
    assert.match(stdout, /^start {2}N 9 {2}Q 0 {2}best 0$/m);
    const edges = stdout.match(/^[│ ]*[├└]─[> ] \d+ ".*" "Nothing happened\." /gm)?.length ?? 0;
    // Turns of the same words are one.
    assert.ok(edges > 3 && edges <= 9, stdout);
    assert.match(stdout, /^Spent: 9 episodes, \d+ generated tokens, [\d.]+ s; the budget of simulations is spent\.$/m);
    assert.match(stdout, /^Best episode:\n> /m);
    assert.match(stdout, /^search +0 +3 +\d+ +9\nbest of \d+ +0 +3 +\d+ +\d+\nlikeliest +0 +3 +\d+ +1$/m);
    assert.match(stdout, /an oracle/);
    const page = readFileSync(join(folder, 'page.html'), 'utf8');
    assert.match(page, /<title>Search over turns<\/title>/);
    assert.match(page, /what was said to it.{5,20}Nothing happened/);
  });

  it("searches in a module of one's own, by actions or tokens, and ends when nothing earns more than was asked", async () => {
    for (const ways of [
      ['--begin', 'actions'],
      ['--decoding', 'tokens'],
    ]) {
      const { code, stdout, stderr } = await search(
        'pay.mjs',
        ...small,
        '--breadth',
        '2',
        '--simulations',
        '3',
        '--json',
        '--html',
        'pay.html',
        ...ways,
      );
      assert.equal(code, 0, stderr);
      const { spent, search: found, best_of_n: samples, greedy, environment, seed, side } = JSON.parse(stdout);
      assert.deepEqual([environment, seed, side], [join(folder, 'pay.mjs'), 1, 'seen']);
      assert.ok(spent.simulations >= 3 && found.tokens === spent.tokens);
      // A model that chooses tokens has no actions to be named.
      const named = /<b>\d+<\/b>/.test(readFileSync(join(folder, 'pay.html'), 'utf8'));
      assert.equal(named, ways.includes('actions'));
      assert.ok(samples.tokens >= found.tokens);
      assert.deepEqual([greedy.episodes, greedy.turns.length], [1, 3]);
      for (const { reward, turns } of [found, samples, greedy]) {
        assert.equal(reward, turns.filter(({ said }: { said: string }) => said.length > 8).length);
      }
    }
  });

  it('is kept in a file, goes on in it as it would have without a break, and keeps its world', async () => {
    const sizes = ['--turns', '3', '--max-new', '5', '--breadth', '3', '--seed', '4', '--begin', 'actions', '--json'];
    const found = async (...more: string[]) => {
      const { code, stdout, stderr } = await search('household', '--json', ...more);
      assert.equal(code, 0, stderr);
      const { nodes, spent, principal_variation: path, search: best } = JSON.parse(stdout);
      return { nodes, path, best, spent: { ...spent, seconds: 0 } };
    };
    const whole = await found(...sizes, '--simulations', '18', '--out', 'whole.json');
    await found(...sizes, '--simulations', '9', '--out', 'half.json');
    assert.deepEqual(await found('--continue', 'half.json', '--simulations', '9'), whole);
    const kept = (file: string) => {
      const { tree, ...rest } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
      return { ...rest, tree: { ...tree, spent: { ...tree.spent, seconds: 0 } } };
    };
    assert.deepEqual(kept('half.json'), kept('whole.json'));
    for (const [environment, more, says] of [
      ['household', ['--seed', '3'], /keeps its world and its settings, so --seed cannot/],
      ['household', ['--begin', 'actions'], /so --begin cannot/],
      ['household', ['--unseen'], /so --unseen cannot/],
      ['pay.mjs', [], /is a search in household/],
    ] as const) {
      const { code, stderr } = await search(environment, '--continue', 'half.json', '--simulations', '3', ...more);
      assert.equal(code, 2);
      assert.match(stderr, says);
    }
    const { code, stderr } = await search('household', '--continue', 'page.html', '--simulations', '3');
    assert.deepEqual([code, /\[search\.snapshotJson\]/.test(stderr)], [2, true]);
  });

  it('tells what it has found when it is stopped, even while a world thinks', async () => {
    const file = join(folder, 'thinks');
    // Who asks for the start, and three episodes of two turns, have answers; the next has none.
    const thinking = `import { writeFileSync } from 'node:fs';
      let episodes = 0;
      export default { instructions: 'Write.', create() { let turns = 0, mine = 0; return {
        reset() { turns = 0; mine = ++episodes; return 'Go.'; },
        step() {
          if (mine > 4) { writeFileSync(${JSON.stringify(file)}, ''); return new Promise(() => {}); }
          return { observation: 'Turn ' + ++turns + '.', reward: 0.25, done: turns === 2 };
        } }; } };`;
    writeFileSync(join(folder, 'thinks.mjs'), thinking);
    writeFileSync(
      join(folder, 'thinks.cola.yaml'),
      JSON.stringify({
        model: 'builtin:nano',
        stages: [{ reinforce: { environment: { module: { path: 'thinks.mjs', processes: 1 } } } }],
      }),
    );
    const stop = new AbortController();
    const timer = setInterval(() => {
      if (existsSync(file)) stop.abort();
    }, 50);
    try {
      const options = { cwd: folder, signal: stop.signal };
      const given = ['--environment', 'thinks.cola.yaml', ...small, '--simulations', '50', '--device', 'cpu'];
      const { code, stdout } = await cola(['search', model, ...given], options);
      assert.equal(code, 130);
      assert.match(stdout, /^start {2}N 3 {2}Q 0\.\d+ {2}best 0\.5$/m);
      assert.match(stdout, /; it was stopped\.\n\nBest episode:\n> .*\nTurn 1\.\n> .*\nTurn 2\.\n/);
      assert.doesNotMatch(stdout, /best of/);
    } finally {
      clearInterval(timer);
    }
  });

  it('says what does not go together', async () => {
    const wrong = async (args: string[], message: RegExp) => {
      const { code, stderr } = await cola(['search', model, ...args], { cwd: folder });
      assert.equal(code, 2);
      assert.match(stderr, message);
    };
    await wrong(
      ['--environment', 'household', '--simulations', '1', '--prompt-file', 'x'],
      /--prompt-file does not go with --environment/,
    );
    await wrong(['--environment', 'household', '--simulations', '1', '--no-merge'], /--no-merge does not go/);
    await wrong(
      ['--environment', 'household', '--simulations', '1', '--value', 'q'],
      /--value is of rollout and value/,
    );
    await wrong(['--environment', 'household'], /search\.budget/);
    await wrong(['--environment', 'house', '--simulations', '1'], /no environment called "house"/);
    await wrong(['--environment', 'household', '--simulations', '1', '--temperature', '0'], /search\.drawnTurns/);
    await wrong(['--environment', 'household', '--simulations', '1', '--value', 'value'], /search\.noValue/);
    await wrong(
      ['--prompt', 'x', '--reward', 'length', '--simulations', '1', '--turns', '3'],
      /--turns goes with --environment/,
    );
    await wrong(['--prompt', 'x', '--simulations', '1'], /There should be --reward, or --environment/);
  });

  it('refuses the tools of other programs by name: what they do may stay done', async () => {
    const mcp = { command: ['node', 'shop.mjs'], prompts: 'tasks.jsonl', reward: 'numeric' };
    writeFileSync(join(folder, 'tasks.jsonl'), '{"prompt": "1 + 1?", "answer": 2}\n'.repeat(12));
    const server = readFileSync(join(import.meta.dirname, '../../docs/environments.md'), 'utf8');
    writeFileSync(join(folder, 'shop.mjs'), /```js\n([\s\S]*?)```/.exec(server)![1]!);
    const spec = { model: 'builtin:nano', stages: [{ reinforce: { environment: { mcp } } }] };
    writeFileSync(join(folder, 'tools.cola.yaml'), JSON.stringify(spec));
    const { code, stderr } = await search('tools.cola.yaml', ...small);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /environment\.unrepeatable/);
  });
});
