import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { run as cli } from '../../server/cli/program.ts';
import { Device } from '../../server/device/device.ts';
import { compareBeforeAfter } from '../../server/evaluate/before-after.ts';
import { closingMeasurement } from '../../server/evaluate/closing.ts';
import { comparison, defaultSettings, type Evaluation, evaluation } from '../../server/evaluate/report.ts';
import { evaluateRun } from '../../server/evaluate/run.ts';
import { readSpec } from '../../server/spec/document.ts';
import { startRun } from '../../server/train/run/job.ts';
import { tokenizerFolder } from '../support/runs.ts';

const spec = `
model: { tokenizer: TOKENIZER, hidden: 16, intermediate: 32, layers: 1, heads: 2, context: 64 }
device: cpu
threads: 1
seed: 5
stages:
  - pretrain: { data: notes.txt, steps: 2, batch: 2, length: 16 }
  - control: { data: notes.txt, steps: 2, batch: 2, length: 16, codes: 4, idm_layers: 1, policy_layers: 1, merge_layers: 1 }
  - clone: { data: notes.txt, steps: 2, batch: 2, length: 16 }
  - reinforce:
      prompts: { task: countdown, format: compact }
      chat: false
      steps: 2
      batch: 2
      group: 2
      max_new: 4
      learning_rate: 0.1
      warmup: 0
      whiten: false
      # Every answer is worth something, and no baseline is taken off: any policy learns at once.
      algorithm: ppo
      reward: { length: { max: 1, unit: characters, slope: 100 } }
      evaluate_rows: 3
      evaluate_samples: 2
evaluate: [accuracy, pass@k, diversity, forgetting, marginal, codebook, cost, search]
`;

/** Reinforcement of the base itself, strong enough to be seen. */
const again = `
model: MODEL
device: cpu
threads: 1
seed: 5
stages:
  - tokens:
      prompts: { task: countdown, format: compact }
      chat: false
      steps: 6
      batch: 2
      group: 2
      max_new: 4
      learning_rate: 0.05
      warmup: 0
      whiten: false
      algorithm: ppo
      reward: { length: { max: 1, unit: characters, slope: 100 } }
      evaluate_rows: 3
      evaluate_samples: 2
`;

/** Runs the command line and gives back its exit code and what it said. */
async function call(cwd: string, ...args: string[]) {
  let [stdout, stderr] = ['', ''];
  const code = await cli(args, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    cwd,
    signal: new AbortController().signal,
  });
  return { code, stdout, stderr };
}

describe('the evaluation of a run', () => {
  let root: string;
  let model: string;
  let report: Evaluation;
  const messages: string[] = [];
  // The search of a run has the usual number of tokens, with which it takes as long as all else here.
  const { search } = defaultSettings;
  before(async () => {
    defaultSettings.search = { ...search, tokens: 24 };
    root = mkdtempSync(join(tmpdir(), 'cola-test-'));
    writeFileSync(join(root, 'notes.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(400));
    const file = join(root, 'small.cola.yaml');
    const once = spec.replace('TOKENIZER', tokenizerFolder);
    writeFileSync(file, once);
    const run = await startRun({
      root,
      runId: 'small',
      spec: readSpec(file),
      specFile: file,
      signal: new AbortController().signal,
      measure: closingMeasurement,
      onEvent: (event) => {
        if (event.kind === 'message') messages.push(event.text);
      },
    });
    model = run.model;
    report = evaluation.parse(JSON.parse(readFileSync(join(run.runPath, 'evaluation.json'), 'utf8')));
  });
  after(() => {
    defaultSettings.search = search;
    rmSync(root, { recursive: true });
  });

  it('is kept with every measure that could be taken', () => {
    assert.deepEqual(report.skipped, [{ measure: 'forgetting', reason: 'it needs the model it was tuned from' }]);
    const names = Object.keys(report.results);
    assert.deepEqual(names, ['accuracy', 'pass@k', 'diversity', 'marginal', 'codebook', 'cost', 'search']);
    assert.equal(report.decoding, 'actions');
    assert.equal(report.model, model);
    assert.equal(report.settings.prompts, 3);
    assert.deepEqual(Object.keys(report.results['pass@k'] ?? {}), ['pass_at_1', 'pass_at_2']);
    assert.equal(report.usage?.length, 4);
    assert(messages.some((text) => /codebook +alive +\d/.test(text)));
  });

  it('knows what the stages have cost', () => {
    const cost = report.results.cost ?? {};
    assert.equal(cost.pretrain_steps.mean, 2);
    assert.equal(cost.control_tokens.mean, 2 * 2 * 16);
    assert(
      cost.reinforce_seconds.mean >= cost.reinforce_seconds_rollout.mean + cost.reinforce_seconds_update.mean - 0.1,
    );
    // The policy is one block, its norm and its head; the value is one row.
    assert.equal(cost.clone_trained_parameters.mean, 4 * 16 * 16 + 3 * 16 * 32 + 2 * 16 + 16 + 4 * 16);
    assert.equal(cost.reinforce_trained_parameters.mean, cost.clone_trained_parameters.mean + 16);
  });

  it('agrees with what reinforcement measured at its last step', () => {
    const line = z.looseObject({ step: z.number(), stage: z.string(), evaluation: z.boolean().optional() });
    const lines = readFileSync(join(root, '.cola/runs/small/metrics.jsonl'), 'utf8').trim().split('\n');
    const records = lines.map((text) => line.parse(JSON.parse(text)));
    const measured = records.filter(({ stage, evaluation: held }) => stage === 'reinforce' && held === true);
    const [first, last] = [measured[0], measured.at(-1)!];
    // The same prompts, read by the same weights.
    const reward = report.results.accuracy?.greedy_reward.mean;
    assert(reward !== undefined && reward > 0 && reward < 1);
    assert.equal(reward, last.greedy_reward);
    // The policy has not moved before the first step, and has after the last.
    assert.equal(first.kl_action, 0);
    assert.equal(first.kl_token, 0);
    assert((last.kl_action as number) > 0);
    assert((last.kl_token as number) <= (last.kl_action as number) + 1e-9);
  });

  it('is shown beside the model before, answer by answer', async () => {
    const device = await Device.open('cpu', { threads: 1 });
    const { signal } = new AbortController();
    const cacheFolder = join(root, '.cola', 'cache');
    const compare = (run: string) =>
      compareBeforeAfter({ run: join(root, '.cola/runs', run), device, cacheFolder, limit: 3, signal });
    try {
      const fresh = await compare('small');
      assert.equal(fresh.before, null);
      assert.equal(fresh.rows.length, 3);
      assert(fresh.rows.every(({ before, prompt }) => before === null && prompt.startsWith('Numbers:')));
      // What the run measured of the same answers at its end.
      const rewards = fresh.rows.map(({ after }) => after.reward ?? Number.NaN);
      const mean = rewards.reduce((a, b) => a + b, 0) / rewards.length;
      assert(Math.abs(mean - (report.results.accuracy?.greedy_reward.mean ?? Number.NaN)) < 1e-9);

      const file = join(root, 'again.cola.yaml');
      writeFileSync(file, again.replace('MODEL', model));
      const spec = readSpec(file);
      await startRun({ root, runId: 'again', spec, specFile: file, signal, measure: closingMeasurement });
      const both = await compare('again');
      assert.equal(both.before, model);
      assert.equal(both.kind, 'answers');
      // What the run measured before its first step and at its end, of the same answers.
      const lines = readFileSync(join(root, '.cola/runs/again/metrics.jsonl'), 'utf8').trim().split('\n');
      const measured = lines.map((text) => JSON.parse(text)).filter(({ evaluation: held }) => held === true);
      const average = (side: 'before' | 'after') =>
        both.rows.reduce((sum, row) => sum + (row[side]?.reward ?? Number.NaN), 0) / both.rows.length;
      assert(Math.abs(average('before') - measured[0].greedy_reward) < 1e-9);
      assert(Math.abs(average('after') - measured.at(-1).greedy_reward) < 1e-9);
      assert(both.rows.some(({ before, after }) => before?.text !== after.text));
    } finally {
      await device.dispose();
    }
  });

  it('can be taken again and side by side, by actions and by tokens', async () => {
    const common = ['--measures', 'accuracy,diversity', '--seeds', '2', '--limit', '2', '--device', 'cpu', '--json'];
    const { code, stdout } = await call(root, 'evaluate', 'a=.cola/runs/small', `b=${model}`, ...common);
    assert.equal(code, 0);
    const found = comparison.parse(JSON.parse(stdout));
    assert.deepEqual(
      found.columns.map(({ label }) => label),
      ['a', 'b'],
    );
    // A run and the model in it are the same thing, so every figure is.
    for (const { name, values } of found.rows) assert.deepEqual(values[0], values[1], name);
    const sampled = found.rows.find(({ name }) => name === 'sampled_reward');
    assert.equal(sampled?.values[0]?.n, 2);
    const tokens = await call(root, 'evaluate', model, '--tokens', ...common);
    assert.equal(tokens.code, 0);
    const [column] = comparison.parse(JSON.parse(tokens.stdout)).columns;
    assert.equal(column.evaluations[0].decoding, 'tokens');
    assert(!('uniform_actions_quality' in (column.evaluations[0].results.diversity ?? {})));
  });

  it('goes without what has gone since the run began', async () => {
    const copy = join(root, 'copy');
    cpSync(join(root, '.cola/runs/small'), copy, { recursive: true });
    // Search takes most of the time, and reads nothing of what goes.
    const specFile = join(copy, 'spec.yaml');
    writeFileSync(specFile, readFileSync(specFile, 'utf8').replace(/^ *- search\n|, search(?=\])/m, ''));
    const device = await Device.open('cpu', { threads: 1 });
    // From here the paths in its spec lead nowhere, but it has the data that it began with.
    const kept = await evaluateRun(copy, device, {});
    assert.deepEqual(
      kept.skipped.map(({ measure }) => measure),
      ['forgetting'],
    );
    assert.deepEqual(kept.results.marginal, report.results.marginal);
    rmSync(join(copy, 'data'), { recursive: true });
    const found = await evaluateRun(copy, device, {});
    await device.dispose();
    const reasons = Object.fromEntries(found.skipped.map(({ measure, reason }) => [measure, reason]));
    assert.deepEqual(Object.keys(reasons), ['diversity', 'forgetting', 'marginal', 'codebook']);
    assert(reasons.marginal.includes('notes.txt'));
    assert.deepEqual(found.results.accuracy, report.results.accuracy);
    const { code, stderr } = await call(root, 'evaluate', 'copy', '--measures', 'marginal', '--device', 'cpu');
    assert.equal(code, 2);
    assert(stderr.includes('notes.txt'));
  });

  it('of a bare folder needs data, prompts and a reward from the command line', async () => {
    const bare = join(root, 'bare');
    cpSync(model, bare, { recursive: true });
    const nothing = await call(root, 'evaluate', bare, '--device', 'cpu', '--json');
    assert.equal(nothing.code, 2);
    const { error } = JSON.parse(nothing.stdout);
    assert.equal(error.id, 'evaluate.nothingMeasured');
    assert.match(
      error.message,
      /bare \(accuracy, pass@k: it needs prompts and a reward .*; diversity, marginal, codebook: it needs /,
    );
    const full = ['--data', 'notes.txt', '--prompts', 'countdown:compact', '--no-chat', '--max-new', '3'];
    const more = ['--against', model, '--limit', '2', '--seeds', '1', '--samples', '2', '--device', 'cpu'];
    const { code, stdout, stderr } = await call(root, 'evaluate', 'bare', ...full, ...more);
    assert.equal(code, 0, stderr);
    for (const figure of [
      'greedy_solved',
      'pass_at_2',
      'kl_token',
      'sampled_solved_before',
      'greedy_gained',
      'prediction',
    ])
      assert(stdout.includes(figure), figure);
    assert(stderr.includes('cost was not taken: it needs the run the model comes from.'));
    writeFileSync(join(root, 'rows.jsonl'), '{"prompt": "1 + 1 =", "answer": "2"}\n');
    const unjudged = await call(root, 'evaluate', 'bare', '--prompts', 'rows.jsonl', '--device', 'cpu');
    assert.equal(unjudged.code, 2);
    assert(unjudged.stderr.includes('[evaluate.noReward]'));
    const wrong = await call(root, 'evaluate', 'bare', '--prompts', 'countdown:short', '--device', 'cpu');
    assert(wrong.stderr.includes('[evaluate.badTask]'));
    for (const [near, meant] of [
      ['arith', 'arithmetic'],
      ['countdwn:compact', 'countdown:compact'],
    ]) {
      const missed = await call(root, 'evaluate', 'bare', '--prompts', near, '--device', 'cpu');
      assert(missed.stderr.includes(`(did you mean "${meant}"?)`), missed.stderr);
    }
    const bad = await call(root, 'evaluate', 'bare', '--prompts', 'rows.jsonl', '--reward', 'luck', '--device', 'cpu');
    assert(bad.stderr.includes('[evaluate.badReward]'));
    assert(existsSync(join(root, '.cola/cache')));
  });
});
