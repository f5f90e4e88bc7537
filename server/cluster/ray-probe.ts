/** Whether a Ray cluster answers, and what it has. */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RayCluster, rayCluster } from '../protocol/workers.ts';
import { rayBridge, rayPython } from './ray.ts';

/** How long it may take to answer. */
const patienceMs = 20_000;
const mostBytes = 10_000;

/** Where Ray notes the cluster of a machine, which it takes where no other is named. */
const noted = () => join(process.env.RAY_TMPDIR ?? tmpdir(), 'ray', 'ray_current_cluster');

/** Whether the person has a cluster here, or the system: what others note in a folder that all may write to is not followed. */
function isNoted(): boolean {
  const owner = statSync(noted(), { throwIfNoEntry: false })?.uid;
  return owner !== undefined && (owner === 0 || owner === (process.getuid?.() ?? owner));
}

/** @returns undefined where nothing says that there is a cluster, or none answers */
export async function findRay(): Promise<RayCluster | undefined> {
  const { RAY_ADDRESS: named } = process.env;
  // Where there is no Ray, nothing is started to find that out.
  if (named === undefined && !isNoted()) return undefined;
  const settings = { probe: true, address: named ?? 'auto' };
  const child = spawn(rayPython(), [rayBridge, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, RAY_USAGE_STATS_ENABLED: '0' },
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString('utf8')}`.slice(0, mostBytes);
  });
  await new Promise<void>((done) => child.on('error', () => done()).on('close', () => done()));
  try {
    return rayCluster.parse(JSON.parse(said));
  } catch {
    return undefined;
  }
}
