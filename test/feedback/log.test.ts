import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { ColaError } from '../../server/errors.ts';
import type { FeedbackLine } from '../../server/feedback/lines.ts';
import { FeedbackLog, mostBytes } from '../../server/feedback/log.ts';
import { scratchFolder } from '../store/scratch.ts';
import { program } from '../support/bundled.ts';

const event = (moment: string, at: number): FeedbackLine => ({
  kind: 'event',
  at,
  moment,
  alternative: 0,
  what: 'shown',
});

/** Runs the writer. @returns how many events it said were written */
function write(path: string, name: string, count: number, killAfter?: number): Promise<number> {
  const writer = spawn(process.execPath, [program('feedback-writer'), path, name, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  writer.stdout.on('data', (text) => {
    said += text;
    if (killAfter !== undefined && said.split('\n').length > killAfter) writer.kill('SIGKILL');
  });
  return new Promise((done) => writer.once('close', () => done(said.split('\n').length - 1)));
}

describe('the feedback log', () => {
  const scratch = scratchFolder();

  it('loses nothing of two windows that write at the same time, while a third deletes', async () => {
    const log = new FeedbackLog(scratch('a', 'log.jsonl'));
    log.append([event('doomed', 0)]);
    const writing = Promise.all([write(log.path, 'one', 300), write(log.path, 'two', 300)]);
    let erased = 0;
    const deleting = setInterval(() => {
      log.append([event('doomed', erased)]);
      erased += log.erase((line) => line.kind === 'event' && line.moment === 'doomed');
    }, 5);
    assert.deepEqual(await writing, [300, 300]);
    clearInterval(deleting);
    log.erase((line) => line.kind === 'event' && line.moment === 'doomed');
    const lines = log.read().map(({ line }) => line);
    for (const name of ['one', 'two']) {
      const own = lines.filter((line) => line.kind === 'event' && line.moment === name);
      assert.deepEqual(
        own.map((line) => (line.kind === 'event' ? line.at : -1)),
        Array.from({ length: 300 }, (_, i) => i),
      );
    }
    assert.equal(lines.length, 600);
    assert.ok(erased > 1);
    assert.ok(!readFileSync(log.path, 'utf8').includes('doomed'), 'what is deleted is gone from the file');
  });

  it('keeps every event that was written before a kill', async () => {
    const path = scratch('log.jsonl');
    const acknowledged = await write(path, 'killed', 1e6, 200);
    assert.ok(acknowledged >= 200);
    const kept = new FeedbackLog(path).read().length;
    assert.ok(kept >= acknowledged, `${kept} of ${acknowledged}`);
  });

  it('passes over torn lines, and goes on behind them', () => {
    const log = new FeedbackLog(scratch('log.jsonl'));
    log.append([event('a', 1)]);
    appendFileSync(log.path, '{"kind":"event","at":2,"mom');
    log.append([event('b', 3)]);
    appendFileSync(log.path, '\u0000\u0000\n{"kind":"event"}\nnot json\n[]\n');
    log.append([event('c', 4)]);
    const moments = log.read().map(({ line }) => (line.kind === 'event' ? line.moment : ''));
    assert.deepEqual(moments, ['a', 'b', 'c']);
  });

  it('takes no more than it may hold, says so, and keeps what is there', () => {
    const log = new FeedbackLog(scratch('full', 'log.jsonl'));
    log.append([event('first', 1)]);
    truncateSync(log.path, mostBytes - 10);
    assert.throws(
      () => log.append([event('one too many', 2)]),
      (error) => error instanceof ColaError && error.id === 'feedback.full',
    );
    assert.equal(statSync(log.path).size, mostBytes - 10);
    log.clear();
    log.append([event('again', 3)]);
    assert.equal(log.read().length, 1);
  });

  it('is empty where there is none, and after it was cleared', () => {
    const log = new FeedbackLog(scratch('none', 'log.jsonl'));
    assert.deepEqual([log.read(), log.size, existsSync(log.path)], [[], 0, false]);
    log.clear();
    assert.equal(existsSync(log.path), false);
    log.append([event('a', 1)]);
    log.clear();
    assert.deepEqual([log.read(), log.size], [[], 0]);
    log.append([event('b', 2)]);
    assert.equal(log.read().length, 1);
  });
});
