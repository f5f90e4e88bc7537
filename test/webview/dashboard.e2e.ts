import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arrivalText } from '../../server/protocol/figures/workers.ts';
import { actionProfiles } from '../../server/protocol/pages/actions.ts';
import {
  historyWithYou,
  makeProfiles,
  openSample,
  readActionsSubject,
  sampleToConversation,
  showAction,
  turnToAction,
} from '../../server/protocol/pages/run.ts';
import { pauseRun, type RunKey, runEvent, runKey, stopRun } from '../../server/protocol/runs.ts';
import { stringifySpec } from '../../server/spec/document.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { Run, runFolder } from '../../server/store/run.ts';
import { logText } from '../../server/store/run-log.ts';
import { chromiumMissing, type PageInChromium, Stage } from '../support/page-in-chromium.ts';
import { answerComparison, answerDashboard } from '../support/run-answers.ts';

/** A run as training leaves it: a stage of cloning, then some steps of reinforcement. */
async function writeRun(root: string, name: string, steps: number, kl = 0): Promise<RunKey> {
  const stages = [
    { clone: { data: 'd.txt', steps: 2 } },
    { reinforce: { prompts: 'p.jsonl', reward: 'exact', steps: 20, kl } },
  ];
  const run = await Run.create(root, name, stringifySpec(toRunSpec(runSpec.parse({ model: 'm', stages }))));
  run.log(logText('device', 'cpu'));
  const usage = (dead: number) => Array.from({ length: 64 }, (_, code) => (code < dead ? 0 : 3));
  const measure = (step: number, stage: string, more: object) =>
    run.metrics.append({ step, stage, evaluation: true, seconds: 1, memory: 1.5e9, usage: usage(step % 5), ...more });
  if (steps > 0) {
    measure(0, 'clone', { steps: 2, held_out_loss: 3, held_out_accuracy: 0.1 });
    for (const step of [1, 2]) run.metrics.append({ step, stage: 'clone', seconds: 1, loss: 3 - step });
    measure(3, 'reinforce', { steps: 20, greedy_solved: 0.1, held_out_problems: 400 });
  }
  for (let i = 1; i <= steps; i++) {
    const figures = {
      reward: i / 20,
      reward_spread: 0.1,
      kl: 0.01,
      entropy: 2,
      answer_tokens: 12,
      finished: 1,
      mixed_groups: 1,
    };
    const times = { seconds: 2, seconds_rollout: 1, seconds_reward: 0.2, seconds_update: 0.8 };
    run.metrics.append({ step: 3 + i, stage: 'reinforce', ...times, ...figures, usage: usage(2) });
    const sample = { prompt: `Prompt ${i} <b>&</b>`, completion: `answer ${i}`, actions: [17, 3, i], tokens: 3 };
    run.samples.append({ step: 3 + i, stage: 'reinforce', ...sample, reward: i / 20, parts: { right: i / 20 } });
  }
  if (steps > 0) {
    measure(3 + steps, 'reinforce', { greedy_solved: 0.6, held_out_problems: 400, kl_action: 0.02 });
    await run.saveCheckpoint(3 + steps, { files: {}, state: {} }, { keep: 2, best: true });
  }
  run.close();
  return runKey.parse({ root, run: name });
}

describe('pages about runs and actions, in a browser', function () {
  this.timeout(300_000);
  let stage: Stage;
  let root = '';

  before(async function () {
    const missing = chromiumMissing();
    if (missing !== undefined) {
      console.log(`    Pages are not tested: ${missing}.`);
      this.skip();
    }
    root = mkdtempSync(join(tmpdir(), 'cola-dash-'));
    stage = await Stage.shared();
  });
  after(() => {
    if (root !== '') rmSync(root, { recursive: true, force: true });
  });

  /** The page of a run, answered from its files as the extension does. */
  async function dashboard(subject: RunKey | null, state?: unknown): Promise<PageInChromium> {
    const shown = await stage.show('run', 'dark', state);
    answerDashboard(shown, subject)
      .answer(openSample, () => ({}))
      .answer(sampleToConversation, () => ({}))
      .answer(showAction, () => ({}))
      .answer(pauseRun, () => ({}))
      .answer(stopRun, () => ({ step: 23 }));
    await shown.load();
    return shown;
  }

  it('show a run from its files: head, findings, charts, codebook, samples', async () => {
    const key = await writeRun(root, 'whole', 20);
    const shown = await dashboard(key);
    const { page } = shown;
    await page.waitForSelector('.sample');
    const head = await shown.text('.run-head');
    for (const words of [
      /whole/,
      /stopped/,
      /stage 2 of 2 · reinforce/,
      /step 20 of 20/,
      /cpu/,
      /1\.5 GB/,
      /best at step 23/,
    ]) {
      assert.match(head, words);
    }
    assert.match(head, /Reward rises, 0\.15 → 0\.9\. ?\n?/);
    assert.match(head, /Solved of 400 held-back problems: 10 % → 60 %/);
    assert.match(head, /3 of 64 codes unused on held-back data/);
    const charts = await page
      .locator('.chart')
      .evaluateAll((list) => list.map((each) => each.getAttribute('data-chart')));
    assert.deepEqual(charts, ['reward', 'accuracy', 'kl', 'entropy', 'length', 'loss', 'policy', 'time', 'pace']);
    assert.equal(await page.locator('.chart canvas').count(), charts.length);
    assert.match(
      (await page.locator('[data-chart=reward]').getAttribute('aria-label')) ?? '',
      /1 at step 23, rises; lowest 0\.05 at step 4/,
    );
    assert.equal(await page.locator('.code-cell').count(), 128);
    assert.equal(await page.locator('b', { hasText: '&' }).count(), 0, 'text of a model is never markup');
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });

  it('move one cursor over all charts with the arrow keys', async () => {
    const shown = await dashboard(await writeRun(root, 'keys', 20));
    const { page } = shown;
    await page.waitForSelector('.sample');
    await page.locator('[data-chart=reward]').focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(
      () => document.querySelector('[data-chart=reward] .chart-step')?.textContent === 'step 20',
    );
    assert.match(await shown.text('[data-chart=reward] .chart-legend'), /0\.85 ± 0\.1/);
    await page.waitForFunction(
      () => document.querySelector('[data-chart=entropy] .chart-step')?.textContent === 'step 20',
    );
    await shown.close();
  });

  it('pass on a sample of several turns, to be shown as a conversation', async () => {
    const key = await writeRun(root, 'turns', 20);
    const turns = [{ said: 'go', observation: 'Gone.', reward: 1, end: 0 }];
    const sample = { step: 24, stage: 'reinforce', prompt: 'Go.', completion: '> go', actions: [], reward: 1 };
    const line = { ...sample, turns, ended: 'done' };
    appendFileSync(join(runFolder(root, 'turns'), 'samples.jsonl'), `${JSON.stringify(line)}\n`);
    const shown = await dashboard(key);
    const { page } = shown;
    const conversation = page.locator('vscode-button[aria-label="Show the conversation"]');
    await page.locator('.sample .fold').nth(1).click();
    assert.equal(await conversation.count(), 0);
    await page.locator('.sample .fold').first().click();
    await conversation.click();
    await page.waitForTimeout(100);
    const asked = shown.asked.find(({ method }) => method === sampleToConversation.method);
    assert.deepEqual(asked?.params, { sample: line });
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });

  it('sort, filter and unfold samples, and pass on what is asked of them', async () => {
    const shown = await dashboard(await writeRun(root, 'samples', 20));
    const { page } = shown;
    await page.waitForSelector('.sample');
    const steps = () => page.locator('.sample .fold').evaluateAll((list) => list.map((each) => each.textContent));
    assert.equal((await steps())[0], '23');
    await page.locator('vscode-text-field').evaluate((field) => {
      (field as HTMLInputElement).value = '#7';
      field.dispatchEvent(new Event('input'));
    });
    assert.deepEqual(await steps(), ['10']);
    await page.locator('.sample .fold').click();
    assert.match(await shown.text('.sample-detail'), /Prompt 7 <b>&<\/b>[\s\S]*answer 7[\s\S]*right 0\.35/);
    await page.locator('.sample-detail vscode-button').first().click();
    await page.waitForTimeout(100);
    assert.ok(shown.asked.some(({ method }) => method === openSample.method));
    await page.locator('.code-cell').nth(5).click();
    await page.waitForTimeout(100);
    assert.deepEqual(shown.asked.at(-1), { method: showAction.method, params: { action: 5 } });
    assert.match((await shown.kept()) ?? '', /"text":"#7"/, 'the choice outlives the page');
    await shown.close();
  });

  it('go on with a run under way, and say what was saved when it is stopped', async () => {
    const key = await writeRun(root, 'live', 8);
    const shown = await dashboard(key);
    const { page } = shown;
    await page.waitForSelector('.sample');
    shown.tell(runEvent, { ...key, event: { kind: 'state', state: 'running' } });
    shown.tell(runEvent, {
      ...key,
      event: { kind: 'stage', index: 1, count: 2, name: 'reinforce', steps: 20, from: 8, before: 3 },
    });
    const step = { kind: 'step', stage: 'reinforce', steps: 20, seconds: 2, metrics: { reward: 0.9 } } as const;
    shown.tell(runEvent, { ...key, event: { ...step, step: 9 } });
    shown.tell(runEvent, { root, run: 'other', event: { ...step, step: 15 } });
    await page.waitForFunction(() => /step 9 of 20/.test(document.querySelector('.run-facts')?.textContent ?? ''));
    assert.match(await shown.text('.run-facts'), /left in this stage/);
    assert.match(await shown.text('[data-chart=reward] .chart-legend'), /0\.9/);
    await page.locator('vscode-button', { hasText: 'Stop' }).click();
    await page.waitForFunction(() => /Saved at step 23, resume any time/.test(document.body.textContent ?? ''));
    const failed = {
      kind: 'state',
      state: 'failed',
      message: 'The GPU ran out of memory.',
      remedy: 'Halve the batch.',
    } as const;
    shown.tell(runEvent, { ...key, event: failed });
    await page.waitForFunction(() =>
      /ran out of memory\. Halve the batch/.test(document.querySelector('.troubles')?.textContent ?? ''),
    );
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });

  it('show where workers are and what they did', async () => {
    const key = await writeRun(root, 'workers', 2);
    const folder = runFolder(root, 'workers');
    const step = {
      worker_shards: [5, 3],
      worker_replaced: [0, 2],
      worker_bytes_sent: [3e6, 3e6],
      worker_bytes_received: [24e6, 12e6],
      worker_seconds_rollout: [2, 1],
      worker_seconds_gradient: [1, 1],
      worker_seconds_transfer: [1, 0],
      worker_seconds_waiting: [0, 2],
      ...{ seconds_worker_rollout: 3, seconds_worker_gradient: 2, seconds_transfer: 1, seconds_waiting: 2 },
    };
    appendFileSync(
      join(folder, 'metrics.jsonl'),
      `${JSON.stringify({ step: 6, stage: 'reinforce', seconds: 2, ...step })}\n`,
    );
    const arrival = arrivalText({ number: 2, host: 'node-b', process: 77, device: 'EPYC' });
    appendFileSync(join(folder, 'log.txt'), `${new Date().toISOString()} message: ${arrival}\n`);
    const shown = await dashboard(key);
    await shown.page.waitForSelector('.workers table');
    const table = await shown.text('.workers');
    assert.match(table, /1\s+–\s+–\s+5\s+2\.5\s+50 %\s+25 %\s+25 %\s+0 %\s+0\s+3\.0 MB\s+24 MB/);
    assert.match(table, /2\s+node-b, process 77\s+EPYC\s+3\s+3\.0\s+25 %\s+25 %\s+0 %\s+50 %\s+2\s+3\.0 MB\s+12 MB/);
    assert.match(await shown.text('.charts'), /Time of the workers/);
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });

  it('say in words when there is no run, no step, a damaged line, or no folder any more', async () => {
    const none = await dashboard(null);
    await none.page.waitForSelector('.empty');
    assert.match(await none.text(), /No run is open[\s\S]*Choose a run/);
    await none.close();
    const key = await writeRun(root, 'early', 0);
    const early = await dashboard(key);
    await early.page.waitForSelector('.run-head');
    assert.match(await early.text(), /has not made a step/);
    assert.equal(await early.page.locator('.chart').count(), 0);
    await early.close();
    const torn = await writeRun(root, 'torn', 6);
    const file = join(root, '.cola', 'runs', 'torn', 'metrics.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"reward":0.1,', '"reward":'));
    appendFileSync(file, '{"step":99,"sta');
    const damaged = await dashboard(torn);
    await damaged.page.waitForSelector('.sample');
    assert.match(await damaged.text('.troubles'), /1 line of metrics\.jsonl cannot be understood and is left out/);
    await damaged.close();
    const gone = await dashboard({ root, run: 'gone' });
    await gone.page.waitForSelector('.empty');
    assert.match(await gone.text(), /cannot be shown[\s\S]*There is no run at/);
    await gone.close();
  });

  it('lay runs over each other and list the settings that differ', async () => {
    const keys = [await writeRun(root, 'a', 10), await writeRun(root, 'b', 12, 0.05)];
    const shown = await stage.show('compare', 'light');
    await answerComparison(shown, keys).load();
    await shown.page.waitForSelector('.settings');
    assert.match(await shown.text('.settings'), /reinforce\.kl\s+0\s+0\.05/);
    assert.match(await shown.text('[data-chart=reward] .chart-legend'), /a 0\.5[\s\S]*b 0\.6/);
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });

  it('show actions that were measured, and how to measure those that were not', async () => {
    const profile = {
      code: 1,
      label: 'open bracket',
      usage: { inverse: 0.1, policy: 0.2 },
      tokens: [{ text: ' (', share: 0.4, lift: 12 }],
      contexts: [{ text: 'f', share: 0.2, lift: 3 }],
      examples: [{ before: 'call', token: '(', after: ')' }],
      forced: {
        changed: 0.9,
        changed_random: 0.8,
        fits: 0.7,
        fits_random: 0.1,
        tokens: [{ text: '(', share: 0.5 }],
        samples: [{ prompt: 'let x', free: ' = 1', forced: '(', random: { code: 2, text: ';' } }],
      },
      near: [{ code: 2, cosine: 0.5 }],
    };
    const measured = { text: 'held-out text', positions: 1000, prompts: 100, tokens: 8, seed: 1 };
    const file = {
      version: 1 as const,
      codes: 4,
      measured,
      actions: [profile, { ...profile, code: 2, label: 'end line' }],
    };
    const show = async (found: typeof file | null) => {
      const shown = await stage.show('actions', 'contrast');
      shown
        .answer(readActionsSubject, () => ({ model: 'm', action: null }))
        .answer(actionProfiles, () => ({
          folder: '/models/m',
          codes: 4,
          file: found,
          labels: [null, 'declare const', 'end line', null],
          trouble: null,
        }))
        .answer(turnToAction, () => ({}))
        .answer(historyWithYou, ({ action }) => ({
          history: action === 1 ? { shown: 9, accepted: 4, rejected: 1 } : null,
        }))
        .answer(makeProfiles, () => ({}));
      await shown.load();
      await shown.page.waitForSelector('.card');
      return shown;
    };
    const full = await show(file);
    assert.equal(await full.page.locator('.card').count(), 4);
    await full.page.locator('[data-code="1"]').click();
    const large = await full.text('.large');
    assert.match(
      large,
      /declare const[\s\S]*× 12[\s\S]*70 % of them, against 10 % under a random code\.[\s\S]*cosine 0\.50/,
    );
    await full.page.waitForSelector('.history');
    assert.match(await full.text('.history'), /Shown to you 9 times, accepted 4 times, rejected once/);
    await full.page.locator('.near').click();
    assert.match(await full.text('.large'), /end line/);
    assert.deepEqual(full.errors, []);
    await full.close();
    const bare = await show(null);
    assert.match(await bare.text('.missing'), /has not been measured yet/);
    await bare.page.locator('.missing vscode-button').click();
    await bare.page.waitForTimeout(100);
    assert.equal(bare.asked.at(-1)?.method, makeProfiles.method);
    await bare.close();
  });
});
