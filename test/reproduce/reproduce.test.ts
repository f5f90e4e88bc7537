import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Devices } from '../../server/device/devices.ts';
import { Arms, onsetOf } from '../../server/reproduce/arms.ts';
import { readExperiment } from '../../server/reproduce/experiment.ts';
import { valuesOf } from '../../server/reproduce/judgement.ts';
import { runFolder } from '../../server/store/run.ts';
import { cola } from '../cli/cola.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';

const experiment = (model: string, change = '') => `
about: A tiny model.
minutes: 0.1
model: ${model}
arms:
  actions:
    stages:
      - reinforce: &task
          prompts: { task: countdown, format: compact }
          reward: { countdown: { form: compact } }
          max_new: 6
          steps: 3
          batch: 2
          group: 2
          evaluate_rows: 4
          evaluate_samples: 2
          evaluate_every: 10
          checkpoint_every: 1
          ${change}
    curves: [reward]
  tokens:
    from: actions
    stages:
      - tokens: *task
    measure:
      - { measures: [cost] }
claims:
  equal:
    says: Both solve nothing.
    paper: nothing.
    checks:
      greedy: { says: 'greedy, actions less tokens', of: actions.last.greedy_solved_each, less: tokens.last.greedy_solved_each, above: -0.1, unit: points }
  cost:
    says: It takes no steps.
    paper: so it does.
    checks:
      steps: { says: updates, of: tokens.cost.tokens_steps, below: 1 }
`;

describe('cola reproduce', function () {
  this.timeout(120_000);
  let folder: string;
  let claims: string;
  before(async () => {
    folder = await makeModel(await temporaryFolder());
    claims = join(folder, 'claims');
    mkdirSync(claims);
    writeFileSync(join(claims, 'tiny.yaml'), experiment(folder));
    writeFileSync(join(claims, 'answer.md'), 'Difference: {equal.greedy}; {cost}.');
  });
  const roots: string[] = [];
  const newRoot = async () => {
    roots.push(await temporaryFolder());
    return roots[roots.length - 1];
  };
  after(async () => {
    for (const made of [folder, ...roots]) await removeFolder(made);
  });
  const call = (root: string, ...more: string[]) =>
    cola(['reproduce', '--claims', claims, '--root', root, '--device', 'cpu', '--threads', '1', '--json', ...more]);
  const resultsIn = (root: string) =>
    JSON.parse(readFileSync(join(root, '.cola', 'reproduce', 'claims', 'tiny.json'), 'utf8'));

  /** Where the seeds of the arms above are done. */
  let known: string | undefined;

  it('does what is missing, judges it, and never does a seed again', async () => {
    const root = await newRoot();
    const first = await call(root, '--seeds', '1');
    assert.equal(first.code, 0, first.stderr);
    const [equal, cost] = JSON.parse(first.stdout).claims;
    assert.equal(equal.verdict, 'cannot tell', 'one seed tells nothing');
    assert.equal(cost.seeds.length, 1);
    const before = resultsIn(root).seeds['1'];
    // Runs whose seed is done are taken away.
    assert.deepEqual(readdirSync(runFolder(root, '')), []);

    const second = await call(root, '--seeds', '2');
    const parsed = JSON.parse(second.stdout);
    assert.equal(parsed.claims[0].verdict, 'holds');
    assert.equal(parsed.claims[1].verdict, 'does not hold');
    assert.deepEqual(resultsIn(root).seeds['1'], before);
    const { figures, curves } = resultsIn(root).seeds['2'];
    assert.equal(figures['actions.last.greedy_solved_each'].length, 4);
    assert.equal(curves['actions.reward'].length, 3);
    // The second arm began with what the first made.
    assert.equal(figures['tokens.first.held_out_problems'], 4);

    const page = readFileSync(parsed.page, 'utf8');
    assert.match(page, /Difference: \+0\.0 points \(\+0\.0 to \+0\.0\); does not hold, 2 seeds\./);
    assert.match(page, /\| It takes no steps\. \| does not hold \| 2 \|/);

    const third = await call(root, '--seeds', '2');
    assert.equal(third.code, 0);
    assert.deepEqual(JSON.parse(third.stdout), parsed);
    assert.deepEqual(readdirSync(runFolder(root, '')), []);

    // The page alone, from what is known.
    const pages = await call(root, '--page');
    assert.deepEqual(JSON.parse(pages.stdout).claims, parsed.claims);
    known = root;
  });

  it('goes on where it stopped, with the same figures', async () => {
    const read = readExperiment(join(claims, 'tiny.yaml'));
    const found = async (root: string, stopAt?: string) => {
      const controller = new AbortController();
      const resumed: boolean[] = [];
      const arms = new Arms(read, 3, {
        root,
        device: 'cpu',
        threads: 1,
        devices: new Devices(),
        signal: controller.signal,
        onArm: (_arm, _run, again) => resumed.push(again),
        onEvent: (event) => {
          if (event.kind === 'step' && event.stage === stopAt && event.step === 2) controller.abort();
        },
        say: () => {},
      });
      const { figures } = await arms.run();
      return { resumed, figures: Object.entries(figures).filter(([name]) => !/seconds|memory/.test(name)) };
    };
    const whole = await found(await newRoot());
    const root = await newRoot();
    await assert.rejects(found(root, 'reinforce'), { id: 'train.stopped' });
    await assert.rejects(found(root, 'tokens'), { id: 'train.stopped' });
    const again = await found(root);
    assert.deepEqual(again.resumed, [true, true]);
    assert.deepEqual(again.figures, whole.figures);
  });

  it('makes an arm anew where the data that it learns from is made in another way', async () => {
    const root = await newRoot();
    const file = join(root, 'made.yaml');
    const begun = async (numbers: string) => {
      writeFileSync(
        file,
        `
about: A reward model.
minutes: 0.1
model: ${folder}
made:
  pairs: { kind: solutions, rows: 24, numbers: ${numbers} }
arms:
  judge:
    stages:
      - reward: { data: 'made:pairs', batch: 4, max_length: 96, steps: 1, evaluate_every: 10 }
claims:
  judge:
    says: It judges.
    paper: nothing.
    checks:
      accuracy: { says: accuracy, of: judge.last.held_out_accuracy, above: 0.5 }
`,
      );
      const again: boolean[] = [];
      const arms = new Arms(readExperiment(file), 1, {
        root,
        device: 'cpu',
        threads: 1,
        devices: new Devices(),
        signal: new AbortController().signal,
        onArm: (_arm, _run, before) => again.push(before),
        onEvent: () => {},
        say: () => {},
      });
      const { device } = await arms.run();
      return { again, device };
    };
    // Nothing is measured of these arms: what computed is known from their runs.
    assert.deepEqual(await begun('[1, 9]'), { again: [false], device: 'cpu' });
    assert.deepEqual(await begun('[1, 8]'), { again: [false], device: 'cpu' });
    assert.deepEqual((await begun('[1, 9]')).again, [true]);
  });

  it('stops within its budget, says so, and keeps what it has', async () => {
    const root = await newRoot();
    const { code, stdout } = await call(root, '--budget', '0');
    assert.equal(code, 0);
    const { stopped, claims: judged } = JSON.parse(stdout);
    assert.equal(stopped, true);
    assert.equal(judged[0].verdict, 'not run');
  });

  it('takes no evidence of other arms for that of these', async () => {
    const root = known ?? (await newRoot());
    if (known === undefined) await call(root, '--seeds', '1');
    const other = join(root, 'claims');
    mkdirSync(other);
    writeFileSync(join(other, 'tiny.yaml'), experiment(folder, 'learning_rate: 1e-3'));
    const { stdout } = await call(root, '--claims', other, '--page');
    assert.equal(JSON.parse(stdout).claims[0].verdict, 'not run');
  });

  it('refuses what is no experiment, and claims that there are not, in words', async () => {
    const root = await newRoot();
    const unknown = await call(root, 'eqal');
    assert.equal(unknown.code, 2);
    assert.equal(JSON.parse(unknown.stdout).error.id, 'reproduce.unknownClaim');
    const bad = join(root, 'bad');
    mkdirSync(bad);
    const cases = [
      ['arms: {', /is no experiment: /],
      [experiment(folder).replace('max_new: 6', 'max_new: six'), /the arm actions: /],
      [experiment(folder).replace('from: actions', 'from: nobody'), /"nobody", which is no arm before it/],
      [experiment(folder).replace('above: -0.1, ', ''), /needs above or below/],
    ] as const;
    for (const [text, says] of cases) {
      writeFileSync(join(bad, 'x.yaml'), text);
      const { code, stdout } = await call(root, '--claims', bad, '--list');
      assert.equal(code, 2);
      const { error } = JSON.parse(stdout);
      assert.equal(error.id, 'reproduce.badExperiment');
      assert.match(error.message, says);
    }
    const none = await call(root, '--claims', join(root, 'none'));
    assert.equal(JSON.parse(none.stdout).error.id, 'reproduce.noClaims');
  });

  it('measures agents world by world, in an environment that no stage of the arm has', async () => {
    const root = await newRoot();
    const other = join(root, 'claims');
    mkdirSync(other);
    writeFileSync(
      join(other, 'tiny.yaml'),
      `
about: A model that has learned nothing.
minutes: 0.1
model: ${folder}
arms:
  plain:
    measure:
      - { measures: [agent], agent: &agent { environment: guess-the-rule, turns: 12, max_new: 2 }, settings: { prompts: 3, samples: 2 } }
      - { name: tokens, decoding: tokens, measures: [agent], agent: { <<: *agent, turns: 1 }, settings: { prompts: 3, samples: 1 } }
claims:
  agent:
    says: The expert alone guesses.
    paper: nothing.
    checks:
      expert: { says: expert less model, of: plain.agent.unseen_expert, less: plain.agent.unseen_greedy_each, above: 0.9 }
`,
    );
    const { code, stderr } = await call(root, '--claims', other, '--seeds', '1');
    assert.equal(code, 0, stderr);
    const { figures } = resultsIn(root).seeds['1'];
    for (const side of ['seen', 'unseen']) {
      assert.deepEqual(figures[`plain.agent.${side}_greedy_each`], [0, 0, 0]);
      assert.deepEqual(figures[`plain.agent.${side}_sampled_each`], [0, 0, 0]);
      assert.equal(figures[`plain.agent.${side}_expert`], 1);
      assert.equal(figures[`plain.tokens.${side}_expert`], 0, 'nobody knows the rule at once');
    }
    const text = readFileSync(join(other, 'tiny.yaml'), 'utf8').replace('guess-the-rule', 'guess');
    writeFileSync(join(other, 'tiny.yaml'), text);
    const bad = await call(root, '--claims', other, '--list');
    assert.equal(JSON.parse(bad.stdout).error.id, 'reproduce.badExperiment');
  });

  it('keeps nothing that a check cannot be made of', async () => {
    const root = await newRoot();
    const other = join(root, 'claims');
    mkdirSync(other);
    const short = experiment(folder).replace('steps: 3', 'steps: 1');
    writeFileSync(join(other, 'tiny.yaml'), short.replace('tokens.cost.tokens_steps', 'tokens.cost.time'));
    const { code, stdout } = await call(root, '--claims', other, '--seeds', '1');
    assert.equal(code, 2);
    assert.equal(JSON.parse(stdout).error.id, 'reproduce.noFigure');
    assert.equal(existsSync(join(root, '.cola', 'reproduce', 'claims', 'tiny.json')), false);
  });
});

describe('an onset', () => {
  const lines = [
    { step: 0, evaluation: true, seconds: 9, share: 0.9 },
    { step: 1, seconds: 2, share: 0.1 },
    { step: 2, seconds: 3, share: 0.5 },
    { step: 2, evaluation: true, seconds: 9 },
    { step: 3, seconds: 4, share: 0.2 },
  ];
  it('is the first step at the level, and the time of steps until then', () => {
    assert.deepEqual(onsetOf(lines, 'share', 0.5), { step: 2, seconds: 5 });
    assert.deepEqual(onsetOf(lines, 'share', 0.1), { step: 1, seconds: 2 });
  });
  it('is behind the last step where none is at it, and where nothing was measured', () => {
    assert.deepEqual(onsetOf(lines, 'share', 0.6), { step: 4, seconds: 9 });
    assert.deepEqual(onsetOf(lines, 'other', 0), { step: 4, seconds: 9 });
  });
});

describe('the value of a check', () => {
  const evidence = { date: '', device: '', seconds: 0, curves: {} };
  const check = { says: '', unit: 'plain' as const };
  it('pairs the problems, and leaves out those without a score in either', () => {
    const figures = { 'a.x_each': [1, 0, -1, 1], 'b.x_each': [0, 0, 1, -1] };
    const values = valuesOf({ ...check, of: ['a.x_each'], less: ['b.x_each'] }, { ...evidence, figures }, 'x');
    assert.deepEqual(values, [1, 0]);
  });
  it('is the sum of some less others, over others', () => {
    const figures = { 'a.x': 5, 'b.x': 2, 'c.x': 6 };
    const values = valuesOf({ ...check, of: ['a.x'], less: ['b.x'], over: ['c.x'] }, { ...evidence, figures }, 'x');
    assert.deepEqual(values, [0.5]);
  });
});
