import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { identityOf } from '../../server/cluster/program.ts';
import { RayCarrier } from '../../server/cluster/ray.ts';
import { findRay } from '../../server/cluster/ray-probe.ts';
import { Device } from '../../server/device/device.ts';
import { ColaError } from '../../server/errors.ts';
import { runFolder } from '../../server/store/run.ts';
import { program } from '../support/bundled.ts';
import { Bench, settingsOf, specOf, stages, start } from '../support/runs.ts';
import { type Job, type Kill, phases, victims } from './killed-run.ts';
import { hiring, measuredIn } from './measured.ts';
import { NodeApart, obstacle, python, RayCluster } from './ray-cluster.ts';
import { runsIn, stageRuns } from './trained.ts';

const slow = process.env.COLA_SLOW === '1';
/** Beside the one that the run speaks through. */
const nodes = slow ? 3 : 1;
const stageOf = (steps: number) => ({ reinforce: { ...settingsOf('grpo', steps), minibatches: 2, batch: 4 } });

describe('workers on a Ray cluster', function () {
  this.timeout(slow ? 1_200_000 : 240_000);
  const bench = Bench.forTests();
  const worker = () => program('worker');
  let cluster: RayCluster | undefined;
  before(async function () {
    const missing = obstacle();
    // As the nodes know it.
    process.env.COLA_TEST_LIES = mkdtempSync(join(bench.root, 'lies-'));
    if (missing === undefined) cluster = await RayCluster.start(nodes);
    if (cluster === undefined) {
      console.log(`Not tested: workers on a Ray cluster. ${missing ?? 'Ray started none on this machine.'}`);
      this.skip();
    }
    process.env.RAY_ADDRESS = cluster.address;
  });
  after(async () => {
    delete process.env.RAY_ADDRESS;
    delete process.env.COLA_TEST_LIES;
    await cluster?.end();
  });

  const ray = (workers: number) => () =>
    new RayCarrier({ workers, cpus: 1, gpus: 0, placement: 'spread' }, python, worker());
  const { train, found, same } = runsIn(bench, ray(1));

  it('are found by who asks for a cluster', async () => {
    assert.deepEqual(await findRay(), { nodes: nodes + 1, cpus: nodes, gpus: 0 });
  });

  // Stages and measurements differ from what is below in what a worker computes, and not in how it is reached.
  if (slow) {
    const counts = Array.from({ length: nodes + 1 }, (_, i) => i + 1);
    it(`come to the bits of one process, with ${counts.join(', ')} of them on ${nodes} nodes`, async () => {
      const here = await train([stageOf(2)], { engine: 'here' });
      for (const count of counts) same(await train([stageOf(2)], { workers: count }, ray(count)), here);
    });

    for (const [name, list] of Object.entries({ ...stageRuns, tokens: [stages(2)['tokens ppo']] })) {
      it(`come to the bits of one process: ${name}`, async () => {
        same(await train(list, { workers: 3 }, ray(3)), await train(list, { engine: 'here' }));
      });
    }

    it('come to the bits of one process in a measurement', async () => {
      const model = await start({ root: bench.root, id: bench.fresh() }, specOf(bench.cola, [stages(1).q]));
      const device = await Device.open('cpu', { threads: 1 });
      try {
        const here = await measuredIn(bench.root, device, model, undefined);
        const hire = hiring(ray(3)(), 3, () => {});
        assert.deepEqual(await measuredIn(bench.root, device, model, hire), here);
      } finally {
        await device.dispose();
      }
    });
  }

  // Every victim in every phase, in turns; or a few of them.
  const few = ['worker', 'raylet'] as const;
  const kills: readonly Kill[] = slow
    ? Array.from({ length: 50 }, (_, i) => ({
        what: victims[i % victims.length],
        during: phases[(i + Math.floor(i / (victims.length * phases.length))) % phases.length],
      }))
    : few.map((what, i) => ({ what, during: phases[i] }));
  const steps = slow ? 60 : 6;
  // In the short form one more than there are places: those that are there do the work.
  const workers = slow ? 2 : nodes + 1;

  it(`come to the bits of one process, where ${kills.length} times one is killed, its actor, its node or the run`, async () => {
    const here = await train([stageOf(steps)], { engine: 'here' });
    const id = bench.fresh();
    const spec = {
      model: bench.cola,
      device: 'cpu',
      threads: 1,
      seed: 7,
      stages: [stageOf(steps)],
      cluster: { engine: 'ray', shards: 3, workers },
    };
    const job: Job = { root: bench.root, id, spec, program: worker(), kills };
    const file = join(bench.root, `${id}.json`);
    writeFileSync(file, JSON.stringify(job));
    const killed: string[] = [];
    for (;;) {
      const run = spawn(process.execPath, [program('killed-run'), file], { stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      run.stderr.on('data', (text) => {
        said += text;
      });
      createInterface({ input: run.stdout }).on('line', (line) => {
        const [what, number] = line.split(' ');
        killed.push(what);
        if (what === 'ray.kill') cluster?.tell(`kill worker ${number}`);
        if (what === 'raylet') cluster?.tell('add');
      });
      const [code] = await once(run, 'close');
      if (code === 0) break;
      assert.equal(code, null, said);
      assert.equal(killed.at(-1), 'learner', said);
    }
    assert.deepEqual(
      killed,
      kills.map(({ what }) => what),
    );
    const log = readFileSync(join(runFolder(bench.root, id), 'log.txt'), 'utf8');
    if (process.env.COLA_RAY_LOG !== undefined) console.log(log);
    same(found(id, join(runFolder(bench.root, id), 'model'), []), here);
  });

  if (slow)
    it('are named and replaced where they lie or hang', async () => {
      const here = await train([stageOf(2)], { engine: 'here' });
      const liars = () => {
        const carrier = new RayCarrier(
          { workers: 1, cpus: 1, gpus: 0, placement: 'spread' },
          python,
          program('lying-worker'),
        );
        // It says of itself that it is a worker.
        return Object.assign(carrier, { identity: identityOf(worker()) });
      };
      const there = await train([stageOf(2)], { workers: 1, timeout: 20 }, liars);
      same(there, here);
      const reasons = there.said.filter((text) => /^Worker 1 on .* is replaced/.test(text));
      const expected = [
        /is not finite/,
        /another shape than the policy/,
        /is no message/,
        /did not answer within 20 s/,
      ];
      assert.equal(reasons.length, expected.length, reasons.join('\n'));
      for (const [i, reason] of expected.entries()) assert.match(reasons[i], reason);
    });

  // Those of this machine are refused by the same words; here the node has its name, and takes as long to start as all that is above.
  if (slow)
    it('are refused by name on a node without the model or the package, or with others', async function () {
      const node = NodeApart.start(cluster?.address ?? '');
      if (node === undefined) {
        console.log('Not tested: a node with other files. This account may not mount any.');
        this.skip();
      }
      // No other node has two.
      const carrier = new RayCarrier({ workers: 1, cpus: 2, gpus: 0, placement: 'spread' }, python, worker());
      const kept = () => ({ identity: carrier.identity, start: () => carrier.start(0), close: async () => {} });
      const programs = dirname(worker());
      const copyOf = (folder: string, changed: string) => {
        const copy = join(bench.root, `other-${basename(folder)}`);
        cpSync(folder, copy, { recursive: true });
        appendFileSync(join(copy, changed), '\n');
        return copy;
      };
      const none = ['-t', 'tmpfs', 'none'];
      const cases = [
        ['cluster.cannotBegin', [...none, bench.cola], bench.cola],
        ['cluster.cannotBegin', ['--bind', copyOf(bench.cola, 'tokenizer.json'), bench.cola], bench.cola],
        ['cluster.lacks', [...none, programs], programs],
        ['cluster.version', ['--bind', copyOf(programs, 'worker.js'), programs], programs],
      ] as const;
      try {
        for (const [id, mounted, place] of cases) {
          await node.mount(...mounted);
          await assert.rejects(train([stageOf(2)], { workers: 1 }, kept), (error: unknown) => {
            assert(error instanceof ColaError, String(error));
            assert.equal(error.id, id, error.message);
            assert.match(error.message, /orker.* on node-apart/);
            return true;
          });
          await node.unmount(place);
        }
      } finally {
        await carrier.close();
        await node.end();
      }
    });
});
