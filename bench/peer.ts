/** The same work in PyTorch and transformers, where a python3 that has them is found. They are peers, never dependencies. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DeviceName } from '../server/device/names.ts';

/** COLA_PEER_PYTHON names another interpreter. */
const python = process.env.COLA_PEER_PYTHON ?? 'python3';
const script = fileURLToPath(new URL('../bench/peers/torch_peer.py', import.meta.url));

/** The versions found, or undefined. */
export function peerVersions(): string | undefined {
  const found = spawnSync(
    python,
    ['-c', 'import torch, transformers; print("PyTorch", torch.__version__, "transformers", transformers.__version__)'],
    { encoding: 'utf8' },
  );
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** A peer that is kept alive and does one round of work whenever it is asked, so that rounds can alternate. */
export class Peer {
  private readonly lines: AsyncIterator<string>;

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
  }

  /**
   * Starts a job of the script; undefined where there is no peer.
   *
   * @param device what this engine computes on: beside an accelerator PyTorch uses CUDA, and has nothing to compare without
   */
  static async start(
    job: string,
    device: DeviceName,
    options: Readonly<Record<string, unknown>>,
  ): Promise<Peer | undefined> {
    if (peerVersions() === undefined) return undefined;
    const where = { device: device === 'cpu' ? 'cpu' : 'cuda', threads: availableParallelism() };
    const child = spawn(python, [script, job, JSON.stringify({ ...where, ...options })]);
    child.stderr.resume();
    const peer = new Peer(child, createInterface({ input: child.stdout }));
    const { ready } = await peer.line();
    if (ready === 1) return peer;
    peer.stop();
    return undefined;
  }

  private async line(): Promise<Record<string, number>> {
    const next = await this.lines.next();
    if (next.done === true) throw new Error('the peer ended');
    return JSON.parse(next.value) as Record<string, number>;
  }

  /** One round. */
  async round(): Promise<Record<string, number>> {
    this.child.stdin.write('\n');
    return this.line();
  }

  stop(): void {
    this.reader.close();
    this.child.kill('SIGKILL');
  }
}
