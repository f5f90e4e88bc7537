import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluation } from '../../server/evaluate/report.ts';
import { runFolder } from '../../server/store/run.ts';
import { cola } from '../cli/cola.ts';
import { makeCola, specOf, start, tinyBase, writeData } from '../support/runs.ts';

const base = { ...tinyBase, context: 1024 };
const acting = { environment: 'household', worlds: 2, turns: 2, max_new: 3, max_tokens: 300, steps: 1, warmup: 0 };
const sizes = { batch: 2, group: 2, evaluate_rows: 2, evaluate_samples: 2 };

/** A world that is solved by whoever writes anything, and one that nobody solves. */
const module = (solved: boolean) => `export default {
  instructions: 'Write.',
  create: () => ({ reset: () => 'Go.', step: () => ({ observation: 'Ah.', reward: ${solved ? 1 : 0}, done: true }) }),
};`;

describe('what a model gets done in an environment', function () {
  this.timeout(240_000);
  let root = '';
  let model = '';

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-agent-'));
    writeData(root);
    model = await start({ root, id: 'cola' }, specOf(base, makeCola));
    for (const solved of [true, false]) writeFileSync(join(root, `${solved}.mjs`), module(solved));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const measured = async (...args: string[]) => {
    const given = ['evaluate', model, '--measures', 'agent', '--device', 'cpu', '--threads', '1', '--seeds', '1'];
    const { code, stdout, stderr } = await cola([...given, '--json', ...args], { cwd: root });
    assert.equal(code, 0, stderr);
    const { rows } = JSON.parse(stdout) as { rows: { name: string; values: { mean: number }[] }[] };
    return Object.fromEntries(rows.map(({ name, values }) => [name, values[0]!.mean]));
  };

  it('stands beside who knows how and chance, of worlds that were trained in and of others', async () => {
    const figures = await measured('--environment', 'household', '--limit', '2', '--samples', '1', '--max-new', '2');
    const { seen_expert, unseen_expert, seen_random, unseen_random, ...own } = figures;
    assert.deepEqual([seen_expert, unseen_expert], [1, 1]);
    for (const share of [seen_random, unseen_random]) assert.ok(share! >= 0 && share! < 1);
    // What a model of two steps writes is no action.
    assert.deepEqual(own, { seen_greedy: 0, seen_sampled: 0, unseen_greedy: 0, unseen_sampled: 0 });
  });

  it("is what the world says, also of one of one's own, which has no controls", async () => {
    for (const solved of [true, false]) {
      const figures = await measured('--environment', `${solved}.mjs`, '--limit', '2', '--samples', '2', '--tokens');
      const share = Number(solved);
      assert.deepEqual(figures, {
        seen_greedy: share,
        seen_sampled: share,
        unseen_greedy: share,
        unseen_sampled: share,
      });
    }
  });

  it('is measured at the end of a run, in the world and the sizes of its stage', async () => {
    const spec = {
      ...specOf(model, [{ reinforce: { ...acting, ...sizes } }]),
      evaluate: ['agent' as const, 'accuracy' as const],
    };
    await start({ root, id: 'agent' }, spec);
    const file = join(runFolder(root, 'agent'), 'evaluation.json');
    const { results, skipped, settings } = evaluation.parse(JSON.parse(readFileSync(file, 'utf8')));
    assert.deepEqual([settings.prompts, settings.samples], [2, 2]);
    assert.ok('unseen_sampled' in results.agent!);
    // In two turns nobody takes a thing to another place.
    assert.equal(results.agent!.seen_expert!.mean, 0);
    assert.deepEqual(skipped, [
      { measure: 'accuracy', reason: 'it needs prompts and a reward (--prompts and --reward on the command line)' },
    ]);
  });

  it('needs an environment', async () => {
    const { code, stderr } = await cola(
      ['evaluate', model, '--measures', 'agent', '--device', 'cpu', '--seeds', '1', '--json'],
      { cwd: root },
    );
    assert.equal(code, 2);
    assert.match(stderr, /it needs an environment/);
    const unknown = await cola(['evaluate', model, '--measures', 'agent', '--environment', 'hous'], { cwd: root });
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /no environment called "hous"/);
  });
});
