import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FeedbackLog, feedbackFile } from '../../server/feedback/log.ts';
import { PolicyVersions } from '../../server/feedback/versions.ts';
import { writeFileAtomic, writeFolderAtomic } from '../../server/files/atomic.ts';
import { listRuns } from '../../server/store/all-runs.ts';
import { JsonLinesWriter, readJsonLines } from '../../server/store/jsonl.ts';
import { readLinesFrom } from '../../server/store/line-reader.ts';
import { Run, RunView, runFolder } from '../../server/store/run.ts';
import { latestRun, nextRun } from '../../server/store/run-name.ts';
import { link, traps, zeros } from '../files/hostile.ts';
import { errorOf, scratchFolder } from './scratch.ts';

const refused = { name: 'ColaError', id: /^files\./ };
const content = { files: {}, state: {} };

describe('the store', () => {
  const scratch = scratchFolder();

  describe('keeps a run of a folder that a stranger has made, which', () => {
    /** What must not change, at the end of every link. */
    const outside = (...parts: string[]) => scratch('outside', ...parts);
    const project = () => scratch('project');
    beforeEach(() => {
      mkdirSync(outside('5'), { recursive: true });
      for (const name of ['a.txt', 'log.jsonl', 'spec.yaml', '5/state.json']) writeFileSync(outside(name), 'mine\n');
    });
    afterEach(() => {
      assert.deepEqual(readdirSync(outside()).sort(), ['5', 'a.txt', 'log.jsonl', 'spec.yaml']);
      assert.deepEqual(readdirSync(outside('5')), ['state.json']);
      for (const name of ['a.txt', 'log.jsonl', 'spec.yaml', '5/state.json'])
        assert.equal(readFileSync(outside(name), 'utf8'), 'mine\n', name);
    });

    const make = async () => {
      const run = await Run.create(project(), 'r', 'model: m\n');
      await run.saveCheckpoint(5, content, { keep: 2 });
      run.close();
      return run.path;
    };

    for (const name of ['lock', 'metrics.jsonl', 'samples.jsonl'])
      it(`is not opened where its ${name} is a link or no file, and stays as it is`, async () => {
        for (const [what, trap] of Object.entries({ ...traps, 'a link to a file of mine': link(outside('a.txt')) })) {
          const path = await make();
          trap(join(path, name));
          await assert.rejects(Run.open(path), refused, what);
          // The lock was given back, or never taken.
          if (name !== 'lock') assert.equal(RunView.view(path).holder, undefined, what);
          rmSync(path, { recursive: true });
        }
      });

    it('writes no log through a link', async () => {
      const run = await Run.open(await make());
      try {
        link(outside('a.txt'))(join(run.path, 'log.txt'));
        assert.throws(() => run.log('message: x'), errorOf('files.link'));
      } finally {
        run.close();
      }
    });

    it('neither reads nor saves nor deletes checkpoints behind a link', async () => {
      const run = await Run.open(await make());
      try {
        link(outside('5'))(join(run.path, 'checkpoints', '3'));
        const linked = run.checkpoint(3);
        assert.throws(() => linked.state(z.unknown()), errorOf('files.link'));
        assert.throws(() => linked.open('weights'), errorOf('files.link'));
        assert.throws(() => linked.files, errorOf('files.link'));
        link(outside('a.txt'))(join(run.path, 'checkpoints', '5', 'weights.safetensors'));
        assert.throws(() => run.checkpoint(5).open('weights'), errorOf('files.link'));
        // The old one is a link, and goes alone.
        await run.saveCheckpoint(6, content, { keep: 1 });
        assert.deepEqual(readdirSync(join(run.path, 'checkpoints')), ['6']);
        link(outside())(join(run.path, 'checkpoints'));
        assert.throws(() => run.checkpoints(), errorOf('files.link'));
        await assert.rejects(run.saveCheckpoint(7, content, { keep: 1 }), errorOf('files.link'));
      } finally {
        run.close();
      }
    });

    it('is made in no folder behind a link', async () => {
      for (const [place, id] of [
        ['runs', 'files.link'],
        ['', 'files.linkedHome'],
      ] as const) {
        link(outside())(scratch('project', '.cola', place));
        await assert.rejects(Run.create(project(), 'r', 'model: m\n'), errorOf(id));
        assert.throws(() => listRuns(project()), errorOf(id));
        await assert.rejects(
          writeFolderAtomic(runFolder(project(), 'x'), async () => assert.fail(), { replace: true }),
          errorOf(id),
        );
        await assert.rejects(writeFileAtomic(scratch('project', '.cola', place, 'a.txt'), 'x'), errorOf(id));
      }
    });

    it('hides no other, is named to whoever asks, and gives its name to none', async () => {
      const path = await make();
      (await Run.create(project(), 's', 'model: m\n')).close();
      link('/dev/zero')(join(path, 'spec.yaml'));
      const damaged: string[] = [];
      const runs = listRuns(project(), ({ message }) => damaged.push(message));
      assert.deepEqual([runs.map(({ id }) => id), damaged.length], [['s'], 1]);
      assert.ok(damaged[0].includes(join(path, 'spec.yaml')));
      assert.equal(nextRun(project(), 'r.cola.yaml'), 'r-2');
      assert.equal(latestRun(project(), 'r.cola.yaml'), undefined);
    });

    it('has no feedback and no versions behind a link', async () => {
      const log = new FeedbackLog(feedbackFile(project()));
      const line = { kind: 'event', at: 1, moment: 'm', alternative: 0, what: 'shown' } as const;
      for (const trap of [...Object.values(traps), link(outside('log.jsonl'))]) {
        trap(log.path);
        assert.throws(() => log.append([line]), refused);
        assert.throws(() => log.read(), refused);
        assert.throws(() => log.erase(() => true), refused);
        assert.equal(log.size, 0);
      }
      link(outside())(scratch('project', '.cola', 'feedback'));
      assert.throws(() => log.append([line]), errorOf('files.link'));
      const versions = new PolicyVersions(project());
      link(outside())(versions.folder);
      assert.throws(() => versions.list(), errorOf('files.link'));
      await assert.rejects(versions.choose('original', true), errorOf('files.link'));
      assert.equal(existsSync(outside('current.json')), false);
    });
  });

  describe('logs of any size', () => {
    const anything = z.looseObject({});

    it('are read up to a line that no writer writes', async () => {
      zeros(8e9)(scratch('a'));
      assert.throws(() => readJsonLines(scratch('a'), anything), refused);
      await assert.rejects(
        readLinesFrom(scratch('a'), undefined, () => {}),
        errorOf('files.longLine'),
      );
      assert.throws(() => new JsonLinesWriter(scratch('a')), errorOf('files.longLine'));
      assert.equal(statSync(scratch('a')).size, 8e9);
    });

    it('lose one line that is too long to those who pass damage over, and name it to the others', async () => {
      const long = `{"a":"${'x'.repeat(9 << 20)}"}`;
      writeFileSync(scratch('a'), `{"step":1}\n${long}\n{"step":2}\n`);
      const found: string[] = [];
      const { position } = await readLinesFrom(scratch('a'), undefined, ({ text }) => found.push(text));
      assert.deepEqual(found, ['{"step":1}', '', '{"step":2}']);
      assert.equal(position.offset, readFileSync(scratch('a')).length);
      assert.throws(() => readJsonLines(scratch('a'), anything), errorOf('store.line', /Line 2 /));
      // A torn end is cut off, and the log goes on.
      writeFileSync(scratch('b'), `{"step":1}\n${'\0'.repeat(9 << 20)}\n`);
      const writer = new JsonLinesWriter(scratch('b'));
      writer.append({ step: 2 });
      writer.close();
      assert.deepEqual(readJsonLines(scratch('b'), anything), [{ step: 1 }, { step: 2 }]);
    });
  });
});
