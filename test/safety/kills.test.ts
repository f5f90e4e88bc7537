/**
 * A run that is killed at the calls by which it writes, at any time, and whose calls fail as on a full or a broken disk. Each is
 * gone on with, and must come out bit for bit as if nothing had been. The slow form writes down what it has counted after each run
 * that came out whole (see results.ts), and COLA_CONTINUE=1 goes on from there after an interruption. COLA_SEED takes another seed.
 */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { Random } from '../../server/random.ts';
import { Bench, type ChangingCall, canDisturb, changingCalls, type End } from './disturbed-run.ts';
import { record, recorded } from './results.ts';

const slow = process.env.COLA_SLOW === '1';
const seed = Number(process.env.COLA_SEED ?? 7);
const killsAtCalls = Number(process.env.COLA_KILLS_AT_CALLS ?? (slow ? 240 : 2));
const killsInAll = Number(process.env.COLA_KILLS ?? (slow ? 1040 : 3));
const shortCalls: readonly ChangingCall[] = ['write', 'rename', 'fsync', 'unlink', 'mkdir'];
/** The short form has a call of each kind fail in one of the two ways: bytes, names and what makes them last. */
const failing: Readonly<Record<'ENOSPC' | 'EIO', readonly ChangingCall[]>> = slow
  ? { ENOSPC: changingCalls, EIO: changingCalls }
  : { ENOSPC: ['write', 'mkdir'], EIO: ['fsync'] };
const faultsOfEach = slow ? 10 : 1;

/** What was counted so far. */
interface Counts {
  atCalls: number;
  atAnyTime: number;
  byCall: Record<string, number>;
  /** Runs that were killed, and then gone on with to an end that is bit for bit the undisturbed one. */
  whole: number;
  /** Runs that were not. */
  lost: number;
}
const none: Counts = { atCalls: 0, atAnyTime: 0, byCall: {}, whole: 0, lost: 0 };
const counts: Counts = { ...none, ...(slow && process.env.COLA_CONTINUE === '1' ? recorded<Counts>('kills') : {}) };
const killed = () => counts.atCalls + counts.atAnyTime;
function count(change: () => void): void {
  change();
  if (slow) record('kills', { seed, ...counts });
}

describe('a run that is killed or whose disk fails', function () {
  this.timeout(slow ? 4 * 3_600_000 : 600_000);
  // Other kills than those that were counted already.
  const random = new Random(seed + killed());
  let bench: Bench;

  before(async () => {
    bench = new Bench();
    await bench.prepare();
  });
  after(() => bench.remove());

  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];

  /** Goes on with a run until its end, and holds it against one that nothing disturbed. */
  async function assertWhole(id: string, history: readonly string[]): Promise<void> {
    const { code, said } = await bench.run(id);
    assertEnd(id, code, said, history);
  }

  function assertEnd(id: string, code: End['code'], said: string, history: readonly string[]): void {
    const different = bench.difference(id);
    if (code !== 0 || different !== undefined) count(() => counts.lost++);
    assert.equal(code, 0, `${said}\n${history.join('\n')}`);
    assert.equal(different, undefined, history.join('\n'));
    bench.forget(id);
  }

  (canDisturb ? it : it.skip)(`loses nothing in ${killsAtCalls} kills at calls that write`, async () => {
    for (let attempts = 0; counts.atCalls < killsAtCalls; attempts++) {
      assert.ok(attempts < 2 * killsAtCalls, 'calls are met where they were seen');
      // As many of each kind: most calls are small writes to the logs.
      const call = slow ? pick(changingCalls) : shortCalls[attempts % shortCalls.length];
      const nth = 1 + random.integer(bench.callsOf(call));
      const action = pick(['kill', 'after'] as const);
      const id = bench.fresh();
      const { code, hits } = await bench.run(id, { call, nth, action });
      const struck = code === 'SIGKILL' && hits.length === 1;
      await assertWhole(id, [`${action} ${call} ${nth}: ${code} ${hits.join(' ')}`]);
      if (!struck) continue;
      count(() => {
        counts.atCalls++;
        counts.whole++;
        counts.byCall[call] = (counts.byCall[call] ?? 0) + 1;
      });
    }
  });

  it(`loses nothing in ${killsInAll} kills, the others at any time, with seed ${seed}`, async () => {
    while (killed() < killsInAll) {
      const id = bench.fresh();
      const history: string[] = [];
      let struck = 0;
      for (let code: End['code'] = null; code !== 0; ) {
        const time = 50 + random.integer(1800);
        // More than a few in a row seldom get further than the last.
        let said: string;
        ({ code, said } = await bench.run(id, undefined, history.length < 8 ? time : undefined));
        history.push(`killed after ${time} ms: ${code}`);
        if (code === 'SIGKILL') struck++;
        else assertEnd(id, code, said, history);
      }
      if (struck === 0) continue;
      count(() => {
        counts.atAnyTime += struck;
        counts.whole++;
      });
    }
  });

  for (const error of ['ENOSPC', 'EIO'] as const) {
    (canDisturb ? it : it.skip)(`ends with a sentence on ${error}, and goes on when the disk is well`, async () => {
      for (const call of failing[error]) {
        const ends: Record<string, number> = {};
        for (let done = 0, attempts = 0; done < faultsOfEach; attempts++) {
          assert.ok(attempts < 3 * faultsOfEach, `${call} is met where it was seen`);
          const nth = 1 + random.integer(bench.callsOf(call));
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
