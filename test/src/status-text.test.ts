import assert from 'node:assert/strict';
import type { Status, WireTrainEvent } from '../../server/protocol/index.ts';
import { directionOf, follow, type RunProgress, unknownProgress } from '../../src/runs/run-progress.ts';
import { describeRun, tagsOf } from '../../src/runs/run-text.ts';
import { figure, gigabytes, type Health, modelName, statusDetails, statusText } from '../../src/status-text.ts';

const status: Status = {
  model: '/box/nano',
  device: 'cpu',
  attempts: [{ name: 'webgpu', reason: 'No adapter was found.\nAt all.' }, { name: 'cpu' }],
  lane: null,
  memory: 1.24e9,
  tokensPerSecond: 812.4,
  loading: null,
  health: 'ok',
  quiescent: true,
  message: '',
  engine: 'ready',
};

const idle: Health = {
  connection: 'up',
  why: null,
  status,
  run: undefined,
  others: 0,
  model: 'builtin:nano',
  policy: { version: 'original', pinned: false, acceptance: null },
  lastEvent: null,
};

const step = (at: number, reward: number): WireTrainEvent => ({
  kind: 'step',
  stage: 'reinforce',
  step: at,
  steps: 400,
  seconds: 1,
  metrics: { reward, loss: 3 },
});

function after(events: readonly WireTrainEvent[]): RunProgress {
  return events.reduce(follow, unknownProgress);
}

const rising = after(Array.from({ length: 120 }, (_, i) => step(i + 1, 0.42 - 0.001 * (119 - i))));
const running = { ...idle, run: { name: 'countdown', progress: rising } };

describe('the status bar', () => {
  it('names model and device while nothing is to do', () => {
    assert.equal(statusText(idle).text, '$(pulse) nano · cpu');
    assert.equal(statusText({ ...idle, status: undefined }).text, '$(pulse) nano · idle');
  });

  it('shows that a search goes on', () => {
    assert.equal(statusText({ ...idle, status: { ...status, lane: 'search' } }).text, '$(search) nano · searching');
  });

  it('shows step, reward and where it goes while a run trains', () => {
    assert.equal(statusText(running).text, '$(pulse) nano · countdown: step 120/400 · reward 0.42 ↑');
    assert.equal(
      statusText({ ...running, others: 1 }).text,
      '$(pulse) nano · countdown: step 120/400 · reward 0.42 ↑ · +1',
    );
    const paused = { name: 'a', progress: follow(rising, { kind: 'state', state: 'paused' }) };
    assert.equal(
      statusText({ ...idle, run: paused }).text,
      '$(debug-pause) nano · a: paused · step 120/400 · reward 0.42 ↑',
    );
    const begun = { name: 'a', progress: unknownProgress };
    assert.equal(statusText({ ...idle, run: begun }).text, '$(pulse) nano · a: preparing');
  });

  it('says what is loaded, and what is wrong in one sentence', () => {
    const loading = { ...idle, status: { ...status, loading: '/p/.cola/runs/mine/model' } };
    assert.equal(statusText(loading).text, '$(loading~spin) loading mine…');
    const failed: Health = {
      ...idle,
      status: { ...status, engine: 'failed', health: 'error', message: 'The engine does not start.' },
    };
    assert.deepEqual(statusText(failed), {
      text: '$(error) CoLA: The engine does not start',
      label: 'CoLA Studio: CoLA: The engine does not start',
      severity: 'error',
    });
    const down: Health = { ...idle, connection: 'down', why: 'it stopped 5 times in three minutes', status: undefined };
    assert.equal(statusText(down).severity, 'error');
    assert.match(statusDetails(down)[0], /^The server is not running: it stopped 5 times/);
    const refused: Health = { ...idle, status: { ...status, health: 'warning', message: 'There is no model.' } };
    assert.deepEqual(
      [statusText(refused).text, statusText(refused).severity],
      ['$(warning) CoLA: There is no model', 'warning'],
    );
    // A run that is under way is more to know about than a model that was not loaded.
    assert.match(statusText({ ...refused, run: running.run }).text, /step 120/);
    assert.equal(statusDetails({ ...refused, run: running.run })[0], 'There is no model.');
  });

  it('explains memory, speed, lane and the choice of the device in its tooltip', () => {
    assert.deepEqual(statusDetails({ ...running, lastEvent: 'countdown saved at step 100 (12:01)' }), [
      'Model: nano',
      'Device: cpu (not webgpu: No adapter was found)',
      'Memory of the engine: 1.2 GB',
      'Last completion: 812 tokens/s',
      'Now: nothing to do',
      'Run countdown, stage 1 of 1 (reinforce): step 120/400 · reward 0.42 ↑',
      'Last: countdown saved at step 100 (12:01)',
    ]);
    const off = { ...idle, status: { ...status, model: null, device: null, memory: 0, engine: 'off' as const } };
    assert.ok(statusDetails(off).includes('Model: nano, loaded when it is needed'));
    assert.ok(statusDetails(off).includes('Now: the engine is off until it is needed'));
  });

  it('names the version of the policy that completes, once there is one', () => {
    const policy = { version: 'v3', pinned: true, acceptance: 0.414 };
    assert.ok(statusDetails({ ...idle, policy }).includes('Policy: v3, 41 % accepted of what was held back, pinned'));
    assert.ok(!statusDetails(idle).some((line) => line.startsWith('Policy')));
  });

  it('calls a model by its folder, and that of a run by the run', () => {
    assert.equal(modelName('builtin:nano'), 'nano');
    assert.equal(modelName('/a/my-model/'), 'my-model');
    assert.equal(modelName('C:\\models\\qwen'), 'qwen');
    assert.equal(modelName('/a/.cola/runs/first/best'), 'first (best)');
    assert.equal(modelName('/a/model'), 'model');
  });

  it('writes figures with as many digits as a glance takes', () => {
    assert.deepEqual([0.421_23, 12, 1234.5, 0, -0.5].map(figure), ['0.421', '12', '1230', '0', '-0.5']);
    assert.deepEqual([2.14e9, 5e7].map(gigabytes), ['2.1 GB', '0.05 GB']);
  });
});

describe('the progress of a run', () => {
  it('follows stages, and shows losses where there is no reward', () => {
    const loss = (value: number | null): WireTrainEvent => ({
      kind: 'step',
      stage: 'clone',
      step: 1,
      steps: 10,
      seconds: 1,
      metrics: { loss: value },
    });
    const events: WireTrainEvent[] = [
      { kind: 'device', device: 'cpu', attempts: [{ name: 'cpu' }] },
      { kind: 'stage', index: 0, count: 2, name: 'clone', steps: 10, from: 0, before: 0 },
      loss(2),
      loss(null),
    ];
    const progress = after(events);
    assert.deepEqual([progress.measure, progress.values], ['loss', [2]]);
    const next = follow(progress, {
      kind: 'stage',
      index: 1,
      count: 2,
      name: 'reinforce',
      steps: 5,
      from: 3,
      before: 11,
    });
    assert.deepEqual([next.index, next.step, next.steps, next.values, next.device], [1, 3, 5, [], 'cpu']);
    assert.deepEqual(follow(next, step(4, 0.5)).measure, 'reward');
  });

  it('sees a trend only where it is larger than the scatter', () => {
    const rise = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
    assert.equal(directionOf([1, 2, 3]), null);
    assert.equal(directionOf(rise), 'up');
    assert.equal(directionOf(rise.toReversed()), 'down');
    assert.equal(directionOf([0.5, 0.1, 0.4, 0.2, 0.5, 0.1, 0.4, 0.2]), 'level');
    assert.equal(directionOf(new Array(8).fill(1)), 'level');
  });

  it('calls what may be below zero an objective', () => {
    const losing = (loss: number): WireTrainEvent => ({
      ...{ kind: 'step', stage: 'feedback', step: 1, steps: 4, seconds: 1 },
      metrics: { loss },
    });
    const text = (loss: number) =>
      statusText({ ...idle, run: { name: 'a', progress: follow(unknownProgress, losing(loss)) } }).text;
    assert.match(text(0.5), /loss 0\.5/);
    assert.match(text(-0.5), /objective -0\.5/);
  });
});

describe('a run in the list', () => {
  const run = {
    root: '/p',
    run: 'a',
    path: '/p/.cola/runs/a',
    state: 'stopped' as const,
    checkpoint: 120,
    done: false,
    stage: { index: 1, count: 3, name: 'reinforce', step: 40 },
    best: { name: 'reward', value: 0.421 },
    updated: 0,
    elsewhere: false,
    interrupted: true,
    note: '',
  };

  it('shows the tags of its note, and not what merely holds the sign', () => {
    assert.deepEqual(tagsOf('half the rate #baseline, issue#4 #größe-2 #baseline # #'), ['#baseline', '#größe-2']);
    const noted = { ...run, note: 'try again #keep' };
    assert.equal(describeRun(noted, undefined), 'stopped · reinforce (2 of 3), step 40 · best reward 0.421 · #keep');
  });

  it('says its state, where it stands and its best score', () => {
    assert.equal(describeRun(run, undefined), 'stopped · reinforce (2 of 3), step 40 · best reward 0.421');
    assert.equal(
      describeRun({ ...run, elsewhere: true }, undefined).split(' · ')[0],
      'in use by another window or command line',
    );
    assert.equal(describeRun({ ...run, state: 'done', stage: null, best: null }, undefined), 'finished');
    assert.equal(describeRun({ ...run, state: 'running' }, rising), 'step 120/400 · reward 0.42 ↑');
    const cloned = { ...run, stage: { ...run.stage, name: 'clone' }, best: { name: 'loss', value: 1.25 } };
    assert.equal(describeRun(cloned, undefined), 'stopped · clone (2 of 3), step 40 · best loss 1.25');
  });
});
