/** A stage and an algorithm are one file each and their lines in the tables: everything else reads their records. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { rloo } from '../support/added-algorithm.ts';

const spec = `
model: { tokenizer: ${resolve('assets/nano')}, hidden: 16, intermediate: 32, layers: 1, heads: 2, context: 64 }
device: cpu
threads: 1
stages:
  - pretrain: { data: notes.txt, steps: 1, batch: 2, length: 16 }
  - control: { data: notes.txt, steps: 1, batch: 2, length: 16, codes: 4, idm_layers: 1, policy_layers: 1, merge_layers: 1 }
  - clone: { data: notes.txt, steps: 1, batch: 2, length: 16 }
  - reinforce:
      algorithm: rloo
      prompts: { task: countdown, format: compact }
      reward: { length: { max: 1, unit: characters, slope: 100 } }
      chat: false
      steps: 1
      batch: 3
      group: 4
      minibatches: 2
      max_new: 4
      whiten: false
      evaluate_rows: 2
      evaluate_samples: 2
  - polish: { data: notes.txt, steps: 3, batch: 2, length: 16, offset: 100, learning_rate: 0.01, warmup: 0 }
`;

describe('a stage and an algorithm that somebody adds', () => {
  let root: string;
  let found: {
    problems: (string | undefined)[];
    parts: { what: string; gradients: number; moments: number }[];
    described: string;
    hovered: { value: string };
    offered: string[];
    documented: boolean;
    text: string;
    decoding: string;
  };
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-test-'));
    writeFileSync(join(root, 'notes.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(400));
    writeFileSync(join(root, 'more.cola.yaml'), spec);
    const child = resolve('test/support/extended-run.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', child, root]);
    found = JSON.parse(stdout);
  });
  after(() => rmSync(root, { recursive: true }));

  const lines = () =>
    readFileSync(join(root, '.cola/runs/more/metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('are read from a spec, and meant where they are misspelt', () => {
    assert.deepEqual(found.problems, ['rloo', 'polish']);
  });

  it('are planned by fit', () => {
    const what = found.parts
      .map((part) => part.what)
      .filter((each) => /^[45] /.test(each) && !each.includes('held-out'));
    assert.deepEqual(what, [
      '4 reinforce: rollouts 12 x 68',
      '4 reinforce: training 6 x 68',
      '4 reinforce: together',
      '5 polish: training 2 x 16',
    ]);
    // One vector of 16 numbers.
    const { gradients, moments } = found.parts.at(-1)!;
    assert.deepEqual([gradients, moments], [4 * 16, 2 * 4 * 16]);
  });

  it('are trained', () => {
    const polished = lines().filter(({ stage, evaluation }) => stage === 'polish' && evaluation === true);
    const [first, last] = [polished[0], polished.at(-1)!].map(({ held_out_loss: loss }) => Number(loss));
    assert(first < 0 && last < first, `${first} ${last}`);
    const learned = lines().find(({ stage, evaluation }) => stage === 'reinforce' && evaluation !== true);
    assert(Number(learned?.gradient_norm) > 0);
  });

  it('are listed with the right name of their score, the right way up', () => {
    const measured = lines().filter(({ stage, step }) => stage === 'polish' && step !== 0);
    const best = Math.min(...measured.flatMap(({ held_out_loss: loss }) => (typeof loss === 'number' ? loss : [])));
    const [state, said] = found.described.split(' · ');
    assert.equal(state, 'finished');
    assert.match(said, /^best objective -\d/);
    assert(Math.abs(Number(said.split(' ')[2]) - best) < 0.1, `${said} ${best}`);
  });

  it('are known to hover, completion, documentation and measurement', () => {
    assert.equal(found.hovered.value, '**polish**: Trains the final norm of the base and nothing else.');
    assert.equal(found.offered.at(-1), 'polish');
    assert.equal(found.documented, true);
    // Of the last stage on text, and of the last that answers.
    assert.match(found.text, /notes\.txt$/);
    assert.equal(found.decoding, 'actions');
  });

  it('compare what they say they compare', () => {
    const outcomes = rloo.outcomes({
      rewards: [1, 2, 6, undefined, 5],
      groups: [0, 0, 0, 0, 1],
      greedy: undefined,
      advantage: 'std',
    });
    assert.deepEqual([...outcomes], [1 - 4, 2 - 3.5, 6 - 1.5, 0, 0]);
  });
});
