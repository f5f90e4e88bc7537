import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Lane, laneNames } from '../../server/protocol/status.ts';
import { type Job, Scheduler } from '../../server/schedule/scheduler.ts';
import { inTurns } from '../../server/schedule/turns.ts';

const slow = process.env.COLA_SLOW !== undefined;

/** A job of `steps` steps that notes each in `log`; it looks at its signal after each yield. */
async function* counting(name: string, steps: number, log: string[], signal: AbortSignal): Job<string> {
  for (let i = 0; i < steps; i++) {
    if (i > 0) yield;
    signal.throwIfAborted();
    log.push(name);
  }
  return name;
}

const count = (log: readonly string[], name: string) => log.filter((entry) => entry === name).length;
const settle = async (turns = 20) => {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('scheduler', () => {
  it('runs jobs to their end and returns what they return', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    const handles = laneNames.map((lane) => scheduler.submit(lane, (signal) => counting(lane, 3, log, signal)));
    assert.deepEqual(await Promise.all(handles.map(({ done }) => done)), [...laneNames]);
    assert.deepEqual(
      log,
      laneNames.flatMap((lane) => [lane, lane, lane]),
    );
    await settle(2);
    assert.equal(scheduler.idle, true);
    assert.equal(scheduler.lane, null);
  });

  it('lets a higher lane wait for one step at most, whenever it comes', async () => {
    const cases = fc.record({
      before: fc.integer({ min: 0, max: 12 }),
      lower: fc.array(fc.constantFrom<Lane>('search', 'train'), { minLength: 1, maxLength: 4 }),
      steps: fc.integer({ min: 1, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ before, lower, steps }) => {
        const scheduler = new Scheduler();
        const log: string[] = [];
        for (const lane of lower) scheduler.submit(lane, (signal) => counting(lane, 50, log, signal));
        await settle(before);
        const from = log.length;
        await scheduler.submit('interactive', (signal) => counting('interactive', steps, log, signal)).done;
        const meanwhile = log.slice(from);
        const waited = meanwhile.indexOf('interactive');
        assert.ok(waited <= 1, `waited for ${waited} steps`);
        assert.deepEqual(meanwhile.slice(waited, waited + steps), new Array(steps).fill('interactive'));
        await scheduler.close(new Error('over'));
      }),
      { numRuns: slow ? 500 : 60 },
    );
  });

  it('does not let a higher lane wait for a step that waits for something else', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    let deliver = () => {};
    const file = new Promise<void>((resolve) => {
      deliver = resolve;
    });
    const waiting = scheduler.submit('train', () => inTurns(() => file));
    await settle();
    await scheduler.submit('interactive', (signal) => counting('interactive', 3, log, signal)).done;
    assert.equal(waiting.state, 'ready');
    const lower = scheduler.submit('train', (signal) => counting('train', 1, log, signal));
    await settle();
    assert.equal(count(log, 'train'), 0, 'its own lane waits');
    deliver();
    await Promise.all([waiting.done, lower.done]);
  });

  it('gives the jobs of a lane equal shares', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) scheduler.submit('train', (signal) => counting(name, 1000, log, signal));
    await settle(60);
    const shares = ['a', 'b', 'c'].map((name) => count(log, name));
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, shares.join());
    assert.ok(shares[0] > 5);
    await scheduler.close(new Error('over'));
  });

  it('lets a paused job stand, and go on where it stood', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    const handle = scheduler.submit('train', (signal) => counting('train', 30, log, signal));
    await settle(5);
    handle.pause();
    await settle(3);
    const stood = log.length;
    assert.ok(stood > 0 && stood < 30);
    assert.equal(handle.state, 'paused');
    await settle(30);
    assert.equal(log.length, stood);
    handle.resume();
    assert.equal(await handle.done, 'train');
    assert.equal(log.length, 30);
  });

  it('ends a cancelled job, a paused one too, and never begins one that waited', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    const paused = scheduler.submit('train', (signal) => counting('paused', 100, log, signal));
    await settle(3);
    paused.pause();
    await settle(3);
    const waiting = scheduler.submit('train', (signal) => counting('waiting', 100, log, signal));
    waiting.pause();
    const why = new Error('no longer wanted');
    waiting.cancel(why);
    paused.cancel(why);
    await assert.rejects(waiting.done, why);
    await assert.rejects(paused.done, why);
    assert.equal(count(log, 'waiting'), 0);
    assert.equal(paused.state, 'ended');
    await settle(2);
    assert.equal(scheduler.idle, true);
  });

  it('tells the error of a job to its owner alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...laneNames), fc.integer({ min: 0, max: 4 }), async (lane, at) => {
        const scheduler = new Scheduler();
        const log: string[] = [];
        async function* failing(): Job<never> {
          for (let i = 0; i < at; i++) yield;
          throw new Error('broken');
        }
        const others = laneNames.map((name) => scheduler.submit(name, (signal) => counting(name, 5, log, signal)));
        const broken = scheduler.submit(lane, failing);
        await assert.rejects(broken.done, /broken/);
        await Promise.all(others.map(({ done }) => done));
        assert.equal(log.length, 15);
      }),
      { numRuns: slow ? 100 : 15 },
    );
  });

  it('tells which lane is at work', async () => {
    const lanes: (Lane | null)[] = [];
    const scheduler = new Scheduler((lane) => lanes.push(lane));
    const train = scheduler.submit('train', (signal) => counting('t', 8, [], signal));
    await settle(3);
    await scheduler.submit('interactive', (signal) => counting('i', 2, [], signal)).done;
    await train.done;
    await settle(2);
    assert.deepEqual(lanes, ['train', 'interactive', 'train', null]);
  });
});

describe('work in turns', () => {
  it('stands at every turn until the next step is asked for', async () => {
    const log: number[] = [];
    const job = inTurns(async (turn) => {
      for (let i = 0; i < 3; i++) {
        log.push(i);
        await turn();
      }
      return 'done';
    });
    for (const expected of [[0], [0, 1], [0, 1, 2]]) {
      assert.deepEqual(await job.next(), { done: false, value: undefined });
      await settle(3);
      assert.deepEqual(log, expected);
    }
    assert.deepEqual(await job.next(), { done: true, value: 'done' });
  });

  it('passes errors on', async () => {
    const job = inTurns(async (turn) => {
      await turn();
      throw new Error('broken');
    });
    await job.next();
    await assert.rejects(job.next(), /broken/);
  });
});
