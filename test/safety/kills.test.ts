/**
 * A run that is killed at the calls by which it writes, at any time, and whose calls fail as on a full or a broken disk. Each is
 * gone on with, and must come out bit for bit as if nothing had been. The slow form prints its seed: COLA_SEED takes another.
 */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { Random } from '../../server/random.ts';
import { Bench, type ChangingCall, canDisturb, changingCalls } from './disturbed-run.ts';

const slow = process.env.COLA_SLOW === '1';
const seed = Number(process.env.COLA_SEED ?? 7);
const killsAtCalls = Number(process.env.COLA_KILLS_AT_CALLS ?? (slow ? 240 : 4));
const killsInAll = Number(process.env.COLA_KILLS ?? (slow ? 1040 : 8));
const shortCalls: readonly ChangingCall[] = ['write', 'rename', 'fsync', 'unlink', 'mkdir'];
const faultsOfEach = slow ? 10 : 1;

describe('a run that is killed or whose disk fails', function () {
  this.timeout(slow ? 4 * 3_600_000 : 600_000);
  const random = new Random(seed);
  let bench: Bench;
  let kills = 0;

  before(async () => {
    bench = new Bench();
    await bench.prepare();
  });
  after(() => bench.remove());

  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];

  /** Goes on with a run until its end, and holds it against one that nothing disturbed. */
  async function assertWhole(id: string, history: readonly string[]): Promise<void> {
    const { code, said } = await bench.run(id);
    assert.equal(code, 0, `${said}\n${history.join('\n')}`);
    assert.equal(bench.difference(id), undefined, history.join('\n'));
    bench.forget(id);
  }

  (canDisturb ? it : it.skip)(`loses nothing in ${killsAtCalls} kills at calls that write`, async () => {
    const struck: Record<string, number> = {};
    for (let attempts = 0; kills < killsAtCalls; attempts++) {
      assert.ok(attempts < 2 * killsAtCalls, 'calls are met where they were seen');
      // As many of each kind: most calls are small writes to the logs.
      const call = slow ? pick(changingCalls) : shortCalls[attempts % shortCalls.length];
      const nth = 1 + random.integer(await bench.callsOf(call));
      const action = pick(['kill', 'after'] as const);
      const id = bench.fresh();
      const { code, hits } = await bench.run(id, { call, nth, action });
      if (code === 'SIGKILL' && hits.length === 1) {
        kills++;
        struck[call] = (struck[call] ?? 0) + 1;
      }
      await assertWhole(id, [`${action} ${call} ${nth}: ${code} ${hits.join(' ')}`]);
      if (slow && kills % 20 === 0) console.log(`      ${kills} kills at calls: ${JSON.stringify(struck)}`);
    }
  });

  it(`loses nothing in ${killsInAll} kills, the others at any time, with seed ${seed}`, async () => {
    while (kills < killsInAll) {
      const id = bench.fresh();
      const history: string[] = [];
      for (let code: unknown; code !== 0; ) {
        const time = 50 + random.integer(1800);
        // More than a few in a row seldom get further than the last.
        ({ code } = await bench.run(id, undefined, history.length < 8 ? time : undefined));
        history.push(`killed after ${time} ms: ${code}`);
        if (code === 'SIGKILL') kills++;
        else assert.equal(code, 0, history.join('\n'));
        if (slow && code === 'SIGKILL' && kills % 100 === 0) console.log(`      ${kills} kills`);
      }
      assert.equal(bench.difference(id), undefined, history.join('\n'));
      bench.forget(id);
    }
  });

  for (const error of ['ENOSPC', 'EIO'] as const) {
    (canDisturb ? it : it.skip)(`ends with a sentence on ${error}, and goes on when the disk is well`, async () => {
      for (const call of slow ? changingCalls : shortCalls) {
        const ends: Record<string, number> = {};
        for (let done = 0, attempts = 0; done < faultsOfEach; attempts++) {
          assert.ok(attempts < 3 * faultsOfEach, `${call} is met where it was seen`);
          const nth = 1 + random.integer(await bench.callsOf(call));
          const id = bench.fresh();
          // Once, or from here on, as on a disk that stays full.
          const action = `${constants.errno[error]}${pick(['', '+'])}` as `${number}`;
          const { code, said, hits } = await bench.run(id, { call, nth, action });
          if (hits.length > 0) {
            done++;
            assert.ok(code === 0 || code === 1, `${code}: ${said}`);
            // Code 0: what could not be deleted is left to the next, and nothing is lost by it.
            // Of a folder that cannot be made node says that there is none.
            if (code === 1)
              assert.match(said, new RegExp(`ColaError[^]*(?:${error}${call === 'mkdir' ? '|ENOENT' : ''})`), said);
            ends[String(code)] = (ends[String(code)] ?? 0) + 1;
          }
          await assertWhole(id, [`${call} ${nth}: ${code}`, ...hits, said]);
        }
        if (slow) console.log(`      ${error} on ${call}: exit codes ${JSON.stringify(ends)}`);
      }
    });
  }
});
