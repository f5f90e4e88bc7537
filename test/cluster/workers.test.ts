import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LocalCarrier } from '../../server/cluster/local.ts';
import { identityOf } from '../../server/cluster/program.ts';
import { ColaError } from '../../server/errors.ts';
import { runFolder } from '../../server/store/run.ts';
import type { HireOptions } from '../../server/train/run/hiring.ts';
import { program } from '../support/bundled.ts';
import { Bench, settingsOf } from '../support/runs.ts';
import { watched } from '../support/workers.ts';
import { runsIn, type Trained } from './trained.ts';

const stage = { reinforce: { ...settingsOf('grpo', 2), minibatches: 2, batch: 4 } };
const tokens = { tokens: { ...settingsOf('tokens ppo', 2), minibatches: 2, batch: 4 } };

describe('workers', function () {
  this.timeout(120_000);
  const bench = Bench.forTests();
  const worker = () => program('worker');
  /** It says of itself that it is one. */
  const liar = () => Object.assign(new LocalCarrier(program('lying-worker')), { identity: identityOf(worker()) });

  const { train, found, same } = runsIn(bench, () => new LocalCarrier(worker()));

  let here: Trained;
  before(async () => {
    here = await train([stage], { engine: 'here' });
  });

  // In the short form all of them are tried below: one where it lies, three where they are killed.
  for (const count of process.env.COLA_SLOW === '1' ? [1, 2, 3] : []) {
    it(`come to the bits of one process: ${count}`, async () => {
      const there = await train([stage], { engine: 'local', workers: count });
      same(there, here);
      assert.equal(there.restarts, 0, there.said.join('\n'));
    });
  }

  it('come to the bits of one process where the base learns, with values', async () => {
    const there = await train([tokens], { engine: 'local', workers: 2 });
    same(there, await train([tokens], { engine: 'here' }));
    assert.equal(there.restarts, 0, there.said.join('\n'));
  });

  it('may be killed at anything, and nothing is lost', async () => {
    let [since, killed] = [0, 0];
    const at = ['policy', 'begin', 'sum'];
    const kills = at.length;
    const carrier = () =>
      watched(new LocalCarrier(worker()), (kind, { hello }) => {
        // Not before the others have something, too.
        if (++since < 4 || kind !== at[killed]) return;
        since = 0;
        killed++;
        process.kill(hello.process, 'SIGKILL');
      });
    const there = await train([stage], { workers: 3 }, carrier);
    same(there, here);
    assert.equal(killed, kills);
    assert.equal(there.restarts, kills);
    assert.equal(
      there.said.filter((text) => /^Worker . on .* is replaced: it was ended by SIGKILL/.test(text)).length,
      kills,
    );
  });

  it('are named and replaced where they lie or hang', async () => {
    process.env.COLA_TEST_LIES = mkdtempSync(join(bench.root, 'lies-'));
    try {
      // One after the other, so that each lie is met before the next is told.
      const there = await train([stage], { workers: 1, timeout: 5 }, liar);
      same(there, here);
      const reasons = there.said.filter((text) => /^Worker 1 on .* is replaced/.test(text));
      const expected = [
        /: its gradient of shards? [\d, ]+ is not finite\.$/,
        /: its gradient of shards? [\d, ]+ has another shape than the policy\.$/,
        /: what it wrote is no message\.$/,
        /: it did not answer within \d+ s\.$/,
      ];
      assert.equal(reasons.length, expected.length, reasons.join('\n'));
      for (const [i, reason] of expected.entries()) assert.match(reasons[i], reason);
    } finally {
      delete process.env.COLA_TEST_LIES;
    }
  });

  const refused = (id: string, message: RegExp) => (error: unknown) =>
    error instanceof ColaError && error.id === id && message.test(error.message);

  it('are refused by name with another version, another model, or none', async () => {
    const other = () => {
      const carrier = new LocalCarrier(worker());
      return Object.assign(carrier, { identity: { ...carrier.identity, version: '9.9.9' } });
    };
    const cluster = { workers: 1 };
    const named = /orker.* on /;
    await assert.rejects(train([stage], cluster, other), refused('cluster.version', named));
    const carrier = () => new LocalCarrier(worker());
    const changed = (options: HireOptions) => ({ ...options, origin: { ...options.origin, model: '0'.repeat(64) } });
    await assert.rejects(train([stage], cluster, carrier, changed), refused('cluster.model', named));
    const missing = (options: HireOptions) => ({ ...options, spec: { ...options.spec, model: 'nowhere' } });
    await assert.rejects(train([stage], cluster, carrier, missing), refused('cluster.cannotBegin', named));
  });

  it('end with a run that is killed, which goes on to the same bits', async () => {
    const child = program('train-child');
    const id = bench.fresh();
    const job = join(bench.root, 'job.json');
    const spec = {
      model: bench.cola,
      device: 'cpu',
      threads: 1,
      seed: 7,
      stages: [stage],
      cluster: { shards: 3, workers: 2 },
    };
    writeFileSync(job, JSON.stringify({ root: bench.root, id, spec, killAt: 1 }));
    assert.equal(spawnSync(process.execPath, [child, job]).signal, 'SIGKILL');
    const log = readFileSync(join(runFolder(bench.root, id), 'log.txt'), 'utf8');
    const processes = [...log.matchAll(/\(process (\d+)\) is there/g)].map(([, pid]) => Number(pid));
    assert.equal(processes.length, 2);
    for (const pid of processes) while (isThere(pid)) await setTimeout(50);
    writeFileSync(job, JSON.stringify({ root: bench.root, id, spec }));
    const { status, stderr } = spawnSync(process.execPath, [child, job]);
    assert.equal(status, 0, String(stderr));
    same(found(id, join(runFolder(bench.root, id), 'model'), []), here);
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
