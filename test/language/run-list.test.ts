import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Folders } from '../../server/language/folders.ts';
import { RunList } from '../../server/language/runs/list.ts';
import { lenses } from '../../server/language/spec/outline.ts';
import { Run } from '../../server/store/run.ts';
import { logText } from '../../server/store/run-log.ts';
import { latestRun, nextRun } from '../../server/store/run-name.ts';
import { writeNote } from '../../server/store/run-note.ts';
import { describeRun } from '../../src/runs/run-text.ts';

const spec =
  'model: m\nstages:\n  - clone: { data: a.txt }\n  - reinforce: { prompts: countdown, reward: countdown }\n';
const state = { at: 1, done: 7, before: 401, best: { score: 0.5, part: 0 }, unmeasured: false, changed: [] };

describe('the list of runs', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cola-list-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  it('says where each run stands, and whether somebody else writes to it', async () => {
    const run = await Run.create(root, 'first', spec);
    await run.saveCheckpoint(408, { files: {}, state }, { keep: 2 });
    const list = new RunList();
    const [own] = await list.list([root], process.pid);
    assert.deepEqual(
      [own.state, own.checkpoint, own.stage, own.best, own.elsewhere],
      ['stopped', 408, { index: 1, count: 2, name: 'reinforce', step: 7 }, { name: 'reward', value: 0.5 }, false],
    );
    assert.ok(own.updated > 0);
    // To an engine of another window this process is another.
    assert.equal((await list.list([root], 1))[0].elsewhere, true);
    list.note({ root, run: 'first', event: { kind: 'state', state: 'running' } });
    assert.deepEqual([(await list.list([root], 1))[0].state, list.busy], ['running', true]);
    run.close();
    list.note({ root, run: 'first', event: { kind: 'state', state: 'stopped' } });
    assert.deepEqual(
      (await list.list([root], 1)).map(({ state: now, elsewhere }) => [now, elsewhere]),
      [['stopped', false]],
    );
  });

  it('has the note of each run as one line, and none where the file is no note', async () => {
    const run = await Run.create(root, 'noted', spec);
    const note = async () => (await new RunList().list([root], undefined))[0].note;
    assert.equal(await note(), '');
    await writeNote(run.path, ' half the rate\n#baseline ');
    assert.equal(await note(), 'half the rate #baseline');
    await writeNote(run.path, ' ');
    assert.equal(await note(), '');
    await writeFile(join(run.path, 'note.txt'), 'x'.repeat(100_000));
    assert.equal(await note(), '');
    run.close();
  });

  it('tells a run that somebody stopped from one whose engine ended', async () => {
    const run = await Run.create(root, 'ended', spec);
    const list = new RunList();
    const interrupted = async () => (await list.list([root], process.pid))[0].interrupted;
    run.log(logText('device', 'cpu'));
    assert.equal(await interrupted(), true, 'it was killed');
    for (const [kind, is] of [
      ['stopped', false],
      ['interrupted', true],
      ['failed', false],
      ['stage', true],
    ] as const) {
      run.log(logText(kind, `${kind}.\nMore of it.`));
      assert.equal(await interrupted(), is, kind);
    }
    run.close();
    list.note({ root, run: 'ended', event: { kind: 'state', state: 'running' } });
    assert.equal(await interrupted(), false, 'it is under way');
  });

  it('says what the best score of a stage is, the right way up', async () => {
    const rewarded = 'prompts: countdown, reward: countdown';
    const cases: [string, number, string][] = [
      ['feedback: { data: . }', 0.42, 'best acceptance 0.42'],
      [`reinforce: { ${rewarded} }`, -0.5, 'best reward -0.5'],
      [`tokens: { ${rewarded} }`, -0.25, 'best reward -0.25'],
      [`tokens: { ${rewarded}, algorithm: ppo }`, 0.5, 'best reward 0.5'],
      ['tokens: { method: supervised, data: a.jsonl }', -0.75, 'best loss 0.75'],
      [`expert: { ${rewarded} }`, 0, 'best reward 0'],
      [`q: { ${rewarded} }`, -0.125, 'best loss 0.125'],
      ['guide: { data: a.jsonl }', -1.5, 'best loss 1.5'],
      ['pretrain: { data: a.txt }', -2.5, 'best loss 2.5'],
      ['control: { data: a.txt }', -3.25, 'best loss 3.25'],
      ['clone: { data: a.txt }', -1.25, 'best loss 1.25'],
    ];
    for (const [i, [stage, score, said]] of cases.entries()) {
      const run = await Run.create(root, `r${String(i).padStart(2, '0')}`, `model: m\nstages: [{ ${stage} }]\n`);
      const best = { score, part: 0 };
      await run.saveCheckpoint(7, { files: {}, state: { ...state, at: 0, before: 0, best } }, { keep: 1 });
      run.close();
      const listed = new RunList().one(root, run.id, undefined) ?? assert.fail();
      assert.equal(describeRun(listed, undefined).split(' · ').at(-1), said, stage);
    }
  });

  it('lists a run without a checkpoint, and one whose checkpoint is damaged', async () => {
    (await Run.create(root, 'new', spec)).close();
    const damaged = await Run.create(root, 'old', spec);
    const { path } = await damaged.saveCheckpoint(3, { files: {}, state: { at: 'x' } }, { keep: 1 });
    await writeFile(join(path, 'state.json'), '{');
    damaged.close();
    const found = await new RunList().list([root], undefined);
    assert.deepEqual(
      found.map(({ run, stage }) => [run, stage]),
      [
        ['new', null],
        ['old', null],
      ],
    );
  });

  it('lets others have their turn between the runs of a folder that holds many', async () => {
    const many = 200;
    for (let i = 0; i < many; i++) {
      mkdirSync(join(root, '.cola/runs', `r${i}`), { recursive: true });
      writeFileSync(join(root, '.cola/runs', `r${i}`, 'spec.yaml'), spec);
    }
    let [turns, over] = [0, false];
    const count = () => {
      turns++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const found = await new RunList().list([root], undefined);
    over = true;
    assert.equal(found.length, many);
    assert.ok(turns > 4, `${turns} turns`);
    assert.equal(new RunList().one(root, 'r7', undefined)?.run, 'r7');
    assert.equal(new RunList().one(root, 'gone', undefined), undefined);
  });

  it('numbers the runs of a spec', async () => {
    const file = join(root, 'a.cola.yaml');
    assert.deepEqual([nextRun(root, file), latestRun(root, file)], ['a', undefined]);
    for (const name of ['a', 'a-3', 'a-b', 'ab']) (await Run.create(root, name, spec)).close();
    assert.deepEqual([nextRun(root, file), latestRun(root, file)], ['a-4', 'a-3']);
  });

  it('offers to resume a run that was interrupted, above its spec', async () => {
    const run = await Run.create(root, 'a', spec);
    await run.saveCheckpoint(12, { files: {}, state }, { keep: 1 });
    run.close();
    const [listed] = await new RunList().list([root], undefined);
    const titles = (latest: typeof listed | undefined) =>
      lenses(spec, 'file:///a.cola.yaml', latest).flatMap(({ command }) => command?.title ?? []);
    assert.deepEqual(titles(listed), [
      '$(play) Run',
      '$(debug-continue) Resume a from step 12',
      '$(graph) Dashboard of a',
      '$(book) Docs',
    ]);
    for (const other of [{ state: 'running' }, { state: 'done' }, { elsewhere: true }, { checkpoint: null }] as const) {
      assert.ok(!titles({ ...listed, ...other }).some((title) => title.includes('Resume')), JSON.stringify(other));
    }
    assert.equal(titles(undefined).length, 2);
  });
});

describe('the folders of a workspace', () => {
  const connection = { onInitialized() {} } as never;
  const folders = (...paths: string[]) => {
    const made = new Folders();
    const workspaceFolders = paths.map((path) => ({ uri: `file://${path}`, name: path }));
    made.connect(connection, { workspaceFolders, capabilities: {}, processId: null, rootUri: null });
    return made;
  };

  it('hold the runs of the specs in them, the innermost first', () => {
    const found = folders('/a', '/a/b', '/ab');
    assert.equal(found.of('/a/b/c/x.cola.yaml'), '/a/b');
    assert.equal(found.of('/a/x.cola.yaml'), '/a');
    assert.equal(found.of('/abc/x.cola.yaml'), '/abc');
    assert.equal(folders().of('/z/x.cola.yaml'), '/z');
  });
});
