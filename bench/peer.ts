/** The same work in PyTorch and transformers, where a python3 that has them is found. They are peers, never dependencies. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DeviceName } from '../server/device/names.ts';

/** COLA_PEER_PYTHON names another interpreter. */
export const peerPython = process.env.COLA_PEER_PYTHON ?? 'python3';

/** The versions found, or undefined. */
export function peerVersions(): string | undefined {
  const found = spawnSync(
    peerPython,
    ['-c', 'import torch, transformers; print("PyTorch", torch.__version__, "transformers", transformers.__version__)'],
    { encoding: 'utf8' },
  );
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** A script of `bench/peers`. */
export const peerFile = (name: string): string => fileURLToPath(new URL(`../bench/peers/${name}`, import.meta.url));

/** A process that is kept alive and does one round of work whenever it is asked, so that rounds can alternate. */
export class LineProcess {
  private readonly lines: AsyncIterator<string>;
  private errors = '';

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
    child.stderr.on('data', (part: Buffer) => {
      this.errors = (this.errors + part.toString()).slice(-2000);
    });
  }

  /** Starts it, and waits until it is ready; undefined if it says that it cannot be. */
  static async start(command: string, given: readonly string[]): Promise<LineProcess | undefined> {
    const child = spawn(command, given);
    const started = new LineProcess(child, createInterface({ input: child.stdout }));
    const { ready } = await started.line();
    if (ready === 1) return started;
    started.stop();
    return undefined;
  }

  private async line(): Promise<Record<string, number>> {
    const next = await this.lines.next();
    if (next.done === true) throw new Error(`the other process ended: ${this.errors}`);
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

/** Starts a job in PyTorch; undefined where there is no peer, or nothing to compare with. */
export async function startPeer(
  job: string,
  device: DeviceName,
  options: Readonly<Record<string, unknown>>,
): Promise<LineProcess | undefined> {
  if (peerVersions() === undefined) return undefined;
  // Beside an accelerator PyTorch uses CUDA, and has nothing to compare without.
  const where = { device: device === 'cpu' ? 'cpu' : 'cuda', threads: availableParallelism() };
  return LineProcess.start(peerPython, [peerFile('torch_peer.py'), job, JSON.stringify({ ...where, ...options })]);
}
