import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestType } from '../../server/protocol/channel/request.ts';
import { complete } from '../../server/protocol/completion.ts';
import { inspectData, surveyFiles } from '../../server/protocol/data.ts';
import {
  actionHistory,
  chooseVersion,
  correctFeedback,
  eraseFeedback,
  listFeedback,
  listVersions,
  noteFeedback,
  notePath,
  pathLines,
  preferVersion,
  scorePolicies,
  tunePolicy,
  usePolicy,
} from '../../server/protocol/feedback.ts';
import { runDetails, runMetrics, runSamples } from '../../server/protocol/history.ts';
import { listModels, unloadModel } from '../../server/protocol/model.ts';
import { fitSpec, listRuns, nameRun, startRun } from '../../server/protocol/runs.ts';
import { describeSearch, exportSearch, startSearch } from '../../server/protocol/search.ts';
import { getStatus } from '../../server/protocol/status.ts';
import { Run } from '../../server/store/run.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { folder as directory, link, pipe, type Trap, text, traps, zeros } from '../files/hostile.ts';
import { Client, failsWith } from './client.ts';

const spec = 'model: m\nstages:\n  - clone: { data: a.txt }\n';
const state = { at: 0, done: 4, before: 0, best: null, unmeasured: false, changed: [] };
/** Milliseconds in which every folder, however it is made, has to be answered about. */
const patience = 20_000;

describe('the language server in a folder that a stranger has made', function () {
  this.timeout(120_000);
  let folder = '';
  let model = '';
  let client: Client;
  /** Of somebody who trusts it. */
  let trusted: Client;
  let made = 0;
  before(async () => {
    folder = await temporaryFolder();
    model = await makeModel(join(folder, 'model'));
    client = await Client.start({ model, device: 'cpu', threads: 1 });
    trusted = await Client.start({ model, device: 'cpu', threads: 1, trusted: true });
  });
  after(async () => {
    await client.stop();
    await trusted.stop();
    await removeFolder(folder);
  });

  /** A folder with two runs of one checkpoint. @returns it and the path of one of the runs */
  async function project(): Promise<{ root: string; evil: string }> {
    const root = join(folder, `project-${made++}`);
    for (const name of ['evil', 'good']) {
      const run = await Run.create(root, name, spec);
      run.metrics.append({ step: 1, stage: 'clone', loss: 2 } as { step: number });
      run.samples.append({ step: 1, stage: 'clone', prompt: 'a', completion: 'b', actions: [] } as { step: number });
      run.log('message: begun');
      await run.saveCheckpoint(4, { files: {}, state }, { keep: 1 });
      run.close();
    }
    return { root, evil: join(root, '.cola', 'runs', 'evil') };
  }

  async function soon<T extends RequestType>(type: T, params: unknown, asking = client) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${type.method}: no answer in ${patience} ms`)), patience);
    });
    try {
      return await Promise.race([asking.ask(type, params), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whatever is answered, it is so at once, by an answer or an error of the catalogue. */
  async function answers(type: RequestType, params: unknown): Promise<void> {
    await soon(type, params).catch((error: unknown) => {
      assert.match(
        String((error as { data?: { id: string } }).data?.id ?? error),
        /^(files|store|spec|server|protocol)\./,
      );
    });
  }

  const files: Readonly<Record<string, string>> = {
    spec: 'spec.yaml',
    metrics: 'metrics.jsonl',
    samples: 'samples.jsonl',
    log: 'log.txt',
    lock: 'lock',
    state: 'checkpoints/4/state.json',
    checkpoint: 'checkpoints/4',
    checkpoints: 'checkpoints',
    run: '.',
  };
  const giants: Readonly<Record<string, Trap>> = {
    'eight gigabytes of zeros': zeros(8e9),
    'a line of 200 MB': zeros(200 << 20),
    'five megabytes of keys': text(Array.from({ length: 300_000 }, (_, i) => `k${i}: ${i}`).join('\n')),
    'what is damaged': text('{"step":1e308,"__proto__":{"x":1}}\n{"step":"a"}\n{}\n[]\nnull\n[[[[\n{"step":1\n'),
  };
  const logs: Readonly<Record<string, Trap>> = {
    'half a million broken lines': text('{\n'.repeat(500_000)),
    'half a million lines of something else': text('{}\n'.repeat(500_000)),
  };
  for (const [turn, [of, name]] of Object.entries(files).entries()) {
    const own = name.endsWith('.jsonl') ? logs : {};
    // In the short form the files take turns: each meets half of what may be there, and each of that is in place of half of them.
    const all = Object.entries({ ...traps, ...giants });
    const chosen = process.env.COLA_SLOW === '1' ? all : all.filter((_, i) => i % 2 === turn % 2);
    it(`lists the other runs and answers at once, whatever is in place of the ${of} of one`, async () => {
      for (const [what, trap] of [...chosen, ...Object.entries(own)]) {
        const { root, evil } = await project();
        trap(join(evil, name));
        const { runs } = await soon(listRuns, { roots: [root] });
        const good = runs.find(({ run }) => run === 'good');
        assert.deepEqual([good?.checkpoint, good?.stage?.step, good?.elsewhere], [4, 4, false], what);
        for (const type of [runDetails, runMetrics, runSamples]) await answers(type, { root, run: 'evil' });
        assert.equal((await soon(runMetrics, { root, run: 'good' })).rows.length, 1);
        const { run } = await soon(nameRun, { root, specFile: join(root, 'evil.cola.yaml') });
        assert.equal(run, 'evil-2', 'no run takes the name of one that cannot be read');
      }
    });
  }

  it('says why a folder has no runs where its .cola, or the runs in it, are behind a link', async () => {
    const { root: real } = await project();
    const home = join(folder, `project-${made++}`);
    link(join(real, '.cola'))(join(home, '.cola'));
    await assert.rejects(soon(listRuns, { roots: [home] }), failsWith('files.linkedHome'));
    const runs = join(folder, `project-${made++}`);
    link(join(real, '.cola', 'runs'))(join(runs, '.cola', 'runs'));
    await assert.rejects(soon(listRuns, { roots: [runs] }), failsWith('files.link'));
    const found = await soon(listRuns, { roots: [home, real, runs] });
    assert.deepEqual(
      found.runs.map(({ root, run }) => [root, run]),
      [
        [real, 'evil'],
        [real, 'good'],
      ],
    );
    await answers(listModels, { roots: [home, runs], folders: [] });
    // The way to a project is a person's own affair.
    const linked = join(folder, `project-${made++}`);
    symlinkSync(real, linked);
    assert.equal((await soon(listRuns, { roots: [linked] })).runs.length, 2);
  });

  it('takes no path for the name of a run or a search', async () => {
    const { root } = await project();
    const names = [
      '../good',
      '..',
      '.',
      'a/b',
      '/etc',
      'a\\b',
      '..\\good',
      'C:',
      'good/../evil',
      '',
      'x\0y',
      '.hidden',
    ];
    for (const run of names) {
      for (const type of [runDetails, runMetrics, runSamples])
        await assert.rejects(soon(type, { root, run }), failsWith('protocol.params'), run);
      const search = { root, search: run, format: 'json' };
      await assert.rejects(soon(exportSearch, search), failsWith('server.untrusted'), run);
      await assert.rejects(soon(exportSearch, search, trusted), failsWith('protocol.params'), run);
    }
    // Between server and engine alone: no editor can ask for them.
    for (const { method } of [pathLines, scorePolicies])
      await assert.rejects(
        trusted.connection.sendRequest(method, { root, search: 's', node: 0 }),
        /no request|Unhandled/,
      );
    for (const run of ['con', 'good.', 'a b'])
      await assert.rejects(soon(runDetails, { root, run }), failsWith('store.runId'), run);
  });

  it('reads no spec that is a device, a pipe or without end', async () => {
    // The engine starts when it is first asked, which is not what is timed.
    await client.ask(unloadModel, {});
    for (const trap of [link('/dev/zero'), pipe, directory, zeros(8e9)]) {
      const file = join(folder, `spec-${made++}.cola.yaml`);
      trap(file);
      await answers(fitSpec, { specFile: file });
    }
  });

  it('answers others before it has read a long log or a long file of rows to its end', async () => {
    const { root } = await project();
    const lines = (line: string) => text(`${line}\n`.repeat(400_000));
    lines('{"step":1,"stage":"clone","loss":2.5,"reward":0.25}')(join(root, '.cola/runs/good/metrics.jsonl'));
    lines('{"step":1,"stage":"clone","prompt":"a","completion":"b","actions":[]}')(
      join(root, '.cola/runs/good/samples.jsonl'),
    );
    lines('{"question":"How many?","answer":"4"}')(join(root, 'rows.jsonl'));
    lines('const a = 1;')(join(root, 'a.ts'));
    const key = { root, run: 'good' };
    for (const [type, params] of [
      [runMetrics, key],
      [runSamples, key],
      [inspectData, { file: join(root, 'rows.jsonl') }],
      [surveyFiles, { root }],
    ] as [RequestType, object][]) {
      const order: string[] = [];
      const long = client.ask(type, params).then(() => order.push('long'));
      await client.ask(getStatus, {});
      order.push('other');
      await long;
      assert.deepEqual(order, ['other', 'long'], type.method);
    }
  });

  it('neither records nor reads nor tunes without trust', async () => {
    const { root } = await project();
    const log = join(root, '.cola', 'feedback', 'log.jsonl');
    link('/dev/zero')(log);
    const key = { root, search: 's', node: 0 };
    const asked: [RequestType, object][] = [
      [listFeedback, { root, limit: 1 }],
      [correctFeedback, { root, moment: 'm', alternative: 0, reward: 1 }],
      [eraseFeedback, { root }],
      [actionHistory, { root, action: 1 }],
      [notePath, { ...key, log: root }],
      [preferVersion, { root, completion: 'c', alternative: 0 }],
      [listVersions, { root }],
      [chooseVersion, { root, version: 'original' }],
      [usePolicy, { root }],
      [tunePolicy, { root }],
      [describeSearch, { root, search: 's' }],
      [startRun, { root, run: 'r', specFile: join(root, 'a.cola.yaml') }],
    ];
    for (const [type, params] of asked)
      await assert.rejects(soon(type, params), failsWith('server.untrusted'), type.method);
  });

  describe('feedback behind a link', () => {
    const shell = '# my shell\n';
    const note = async (own: Client, root: string) => {
      const file = join(root, 'a.ts');
      const { alternatives } = await own.ask(complete, { prefix: '// $(touch pwned)\nconst total = ', maxTokens: 4 });
      const { completion, index } = alternatives[0].source ?? assert.fail('it has no name');
      const params = { root, folder: root, file, completion, alternative: index, event: { what: 'shown' } };
      return own.ask(noteFeedback, params);
    };

    it('is not written without trust', async () => {
      const root = join(folder, `project-${made++}`);
      const home = join(folder, `home-${made}`);
      writeFileSync(home, shell);
      link(home)(join(root, '.cola', 'feedback', 'log.jsonl'));
      await assert.rejects(note(client, root), failsWith('server.untrusted'));
      const clean = join(folder, `project-${made++}`);
      mkdirSync(clean);
      await assert.rejects(note(client, clean), failsWith('server.untrusted'));
      assert.equal(existsSync(join(clean, '.cola')), false);
      assert.equal(readFileSync(home, 'utf8'), shell);
    });

    it('is neither written nor read with trust, at whatever level the link is', async () => {
      const outside = join(folder, 'outside');
      mkdirSync(join(outside, 'feedback'), { recursive: true });
      writeFileSync(join(outside, 'log.jsonl'), shell);
      writeFileSync(join(outside, 'feedback', 'log.jsonl'), shell);
      for (const [place, target, id] of [
        ['.cola/feedback/log.jsonl', join(outside, 'log.jsonl'), 'files.link'],
        ['.cola/feedback/log.jsonl', join(outside, 'new.jsonl'), 'files.link'],
        ['.cola/feedback/log.jsonl', '/dev/zero', 'files.link'],
        ['.cola/feedback', outside, 'files.link'],
        ['.cola', outside, 'files.linkedHome'],
      ] as const) {
        const root = join(folder, `project-${made++}`);
        link(target)(join(root, place));
        await assert.rejects(note(trusted, root), failsWith(id), place);
        for (const type of [listFeedback, eraseFeedback])
          await assert.rejects(trusted.ask(type, { root }), failsWith(id), place);
      }
      assert.equal(existsSync(join(outside, 'new.jsonl')), false);
      assert.equal(readFileSync(join(outside, 'log.jsonl'), 'utf8'), shell);
      assert.equal(readFileSync(join(outside, 'feedback', 'log.jsonl'), 'utf8'), shell);
      const versions = join(folder, `project-${made++}`);
      link(outside)(join(versions, '.cola', 'versions'));
      await assert.rejects(trusted.ask(listVersions, { root: versions }), failsWith('files.link'));
      await assert.rejects(
        trusted.ask(chooseVersion, { root: versions, version: 'original' }),
        failsWith('files.link'),
      );
      const search = { root: join(folder, `project-${made++}`), search: 's' };
      for (const trap of Object.values(traps)) {
        trap(join(search.root, '.cola', 'searches', 's.json'));
        await assert.rejects(trusted.ask(describeSearch, search), /links|should be/);
      }
      link(outside)(join(search.root, '.cola', 'searches'));
      const begun = { ...search, prompt: 'a', reward: 'countdown' };
      await assert.rejects(trusted.ask(startSearch, begun), failsWith('files.link'));
      // A project behind a link has its log where it really lies.
      const real = join(folder, `project-${made++}`);
      mkdirSync(real);
      symlinkSync(real, `${real}-link`);
      assert.deepEqual(await note(trusted, `${real}-link`), { stored: true });
      assert.match(readFileSync(join(real, '.cola', 'feedback', 'log.jsonl'), 'utf8'), /"kind":"moment"/);
      assert.equal((await trusted.ask(listFeedback, { root: real })).count, 1);
    });
  });
});
