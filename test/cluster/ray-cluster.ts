/** A Ray cluster of several nodes on this machine, for tests. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export const python = process.env.COLA_RAY_PYTHON ?? 'python3';

/**
 * Says its address, then does what lines tell it: a node more, or an actor less. The first node has no place for workers: it is the
 * one that the run speaks through, and may not be lost.
 */
const program = (count: number) => `
import sys
import ray
from ray.cluster_utils import Cluster
head = {"num_cpus": 0, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
nodes = Cluster(initialize_head=True, head_node_args=head)
for _ in range(${count}): nodes.add_node(num_cpus=1, wait=False)
nodes.wait_for_nodes()
print("ready", nodes.address, flush=True)
for line in sys.stdin:
    what, _, name = line.strip().partition(" ")
    if what == "add":
        nodes.add_node(num_cpus=1, wait=False)
    elif what == "kill":
        if not ray.is_initialized(): ray.init(address=nodes.address, namespace="cola", log_to_driver=False)
        for actor in ray.util.list_named_actors():
            if actor.startswith(name + " "): ray.kill(ray.get_actor(actor))
nodes.shutdown()
`;

/** Why there is no such cluster here; undefined if there can be one. */
export function obstacle(): string | undefined {
  // To load it takes a second.
  const there = 'import sys, importlib.util; sys.exit(importlib.util.find_spec("ray") is None)';
  if (spawnSync(python, ['-c', there]).status === 0) return undefined;
  return `${python} has no Ray; COLA_RAY_PYTHON may name another.`;
}

const patienceMs = 150_000;

export class RayCluster {
  private constructor(
    private readonly child: ChildProcess,
    readonly address: string,
  ) {}

  /** @param nodes with a place for a worker @returns undefined where Ray makes none in time */
  static async start(nodes: number): Promise<RayCluster | undefined> {
    const child = spawn(python, ['-c', program(nodes)], { stdio: ['pipe', 'pipe', 'ignore'] });
    const late = setTimeout(() => child.kill(), patienceMs);
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith('ready ')) continue;
      clearTimeout(late);
      return new RayCluster(child, line.slice(6));
    }
    return undefined;
  }

  /** Brings a node, or ends an actor by the beginning of its name. */
  tell(what: 'add' | `kill ${string}`): void {
    this.child.stdin?.write(`${what}\n`);
  }

  async end(): Promise<void> {
    this.child.stdin?.end();
    await once(this.child, 'exit');
  }
}

/** On Linux. */
export function parentOf(pid: number): number {
  const after = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '';
  return Number(after.split(' ')[1]);
}

/** Starts a node, then does what lines tell it. */
const apart = `
hostname node-apart
"$1" -c 'from ray.scripts.scripts import main; main()' start --address "$2" --num-cpus 2 --block --disable-usage-stats >/dev/null 2>&1 &
while read -r line; do eval "$line" && echo done; done
kill $!
wait
`;

/** Another node of a cluster, with a name and files of its own: what is mounted there is mounted nowhere else. */
export class NodeApart {
  private constructor(private readonly child: ChildProcess) {}

  /** @returns undefined where this account may not */
  static start(address: string): NodeApart | undefined {
    const alone = ['--mount', '--uts'];
    if (process.platform !== 'linux' || spawnSync('unshare', [...alone, 'true']).status !== 0) return undefined;
    const arguments_ = [...alone, 'sh', '-c', apart, 'sh', python, address];
    return new NodeApart(spawn('unshare', arguments_, { stdio: ['pipe', 'pipe', 'ignore'] }));
  }

  async mount(...what: readonly string[]): Promise<void> {
    this.child.stdin?.write(`mount ${what.map((word) => `'${word}'`).join(' ')}\n`);
    if (this.child.stdout !== null) await once(this.child.stdout, 'data');
  }

  async unmount(path: string): Promise<void> {
    this.child.stdin?.write(`umount '${path}'\n`);
    if (this.child.stdout !== null) await once(this.child.stdout, 'data');
  }

  async end(): Promise<void> {
    this.child.stdin?.end();
    await once(this.child, 'exit');
  }
}
