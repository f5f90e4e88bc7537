import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { RayCarrier } from '../../server/cluster/ray.ts';
import { program } from '../support/bundled.ts';
import { Bench, settingsOf } from '../support/runs.ts';
import { watched } from '../support/workers.ts';
import { runsIn } from './trained.ts';

const stage = { reinforce: { ...settingsOf('grpo', 2), minibatches: 2, batch: 4 } };
const python = process.env.COLA_RAY_PYTHON ?? 'python3';
/** Three nodes on this machine; its address is the first line that it says. */
const cluster = `
import sys
from ray.cluster_utils import Cluster
nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
for _ in range(2): nodes.add_node(num_cpus=1)
print(nodes.address, flush=True)
sys.stdin.read()
nodes.shutdown()
`;

describe('workers on a Ray cluster', function () {
  this.timeout(240_000);
  const bench = Bench.forTests();
  const worker = () => program('worker');
  let nodes: ChildProcess | undefined;
  before(async function () {
    if (spawnSync(python, ['-c', 'import ray']).status !== 0) {
      console.log(`Not tested: workers on a Ray cluster. ${python} has no Ray; COLA_RAY_PYTHON may name another.`);
      this.skip();
    }
    nodes = spawn(python, ['-c', cluster], { stdio: ['pipe', 'pipe', 'ignore'] });
    for await (const line of createInterface({ input: nodes.stdout! })) {
      if (!/^[\d.]+:\d+$/.test(line)) continue;
      process.env.RAY_ADDRESS = line;
      break;
    }
  });
  after(async () => {
    delete process.env.RAY_ADDRESS;
    if (nodes === undefined) return;
    nodes.stdin?.end();
    await once(nodes, 'exit');
  });

  const ray = (workers: number) => () =>
    new RayCarrier({ workers, cpus: 1, gpus: 0, placement: 'spread' }, python, worker());
  const { train, same } = runsIn(bench, ray(1));

  it('come to the bits of one process, with 1, 2 and 3 of them and where one is killed', async () => {
    const here = await train([stage], { engine: 'here' });
    for (const count of [1, 2, 3]) same(await train([stage], { workers: count }, ray(count)), here);
    let sent = 0;
    const killing = () =>
      watched(ray(2)(), (kind, { hello }) => {
        if (kind === 'gradient' && ++sent === 2) process.kill(hello.process, 'SIGKILL');
      });
    const there = await train([stage], { workers: 2 }, killing);
    same(there, here);
    assert.equal(there.restarts, 1);
  });
});
