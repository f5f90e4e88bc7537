/** Workers on a Ray cluster. A program in the cluster's own Python places them and carries the messages; nobody listens on a port of ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Carrier, type Link, WorkerFault } from './carrier.ts';
import { clusterErrors } from './errors.ts';
import { type Frame, FrameFault, FrameReader, type Outgoing } from './frames.ts';
import { hello } from './messages.ts';
import { type Identity, identityOf, workerArguments, workerProgram } from './program.ts';

const headerBytes = 13;
const mostReason = 10_000;

const lacks = z.tuple([z.string(), z.string()]);

/** @param said as JSON: a node, and the path that it does not have */
function lacking(said: string): Error {
  const [host, path] = lacks.parse(JSON.parse(said));
  return clusterErrors.lacks(`The worker on ${host}`, path);
}

export interface RaySettings {
  readonly workers: number;
  readonly cpus: number;
  readonly gpus: number;
  readonly placement: 'spread' | 'pack';
}

interface Waiting {
  readonly mostFloats: number;
  readonly take: (frame: Frame) => void;
  readonly fail: (error: Error) => void;
}

export class RayCarrier implements Carrier {
  readonly identity: Identity;
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private readonly shared = new Map<Outgoing, number>();
  /** Workers whose actor Ray has, or brings back, though the process behind it is lost. */
  private readonly lost = new Set<number>();
  private objects = 0;
  private fault: Error | undefined;
  private said = '';
  private pending = Buffer.alloc(0);

  constructor(settings: RaySettings, python = process.env.COLA_RAY_PYTHON ?? 'python3', program = workerProgram) {
    this.identity = identityOf(program);
    const bridge = fileURLToPath(new URL('./ray_workers.py', import.meta.url));
    const command = [process.execPath, ...workerArguments(program), program];
    const address = process.env.RAY_ADDRESS ?? 'auto';
    this.child = spawn(python, [bridge, JSON.stringify({ ...settings, command, address })], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, RAY_USAGE_STATS_ENABLED: '0' },
    });
    this.child.stdout?.on('data', (chunk: Buffer) => this.read(chunk));
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.said = `${this.said}${chunk.toString('utf8')}`.slice(-1000);
    });
    this.child.stdin?.on('error', () => {});
    this.child.on('error', (error) => this.end(clusterErrors.noCluster(python, error.message)));
    this.child.on('close', (code) =>
      this.end(clusterErrors.noCluster(python, this.said.trim() || `it ended with code ${code}`)),
    );
  }

  async start(worker: number): Promise<Link> {
    this.lost.delete(worker);
    const { head } = await this.ask(worker, 0, 'S', worker, []);
    const said = hello.safeParse(head);
    if (!said.success) throw new WorkerFault('it did not greet as a worker does');
    return {
      hello: said.data,
      call: (message, mostFloats) => this.call(worker, message, mostFloats),
      end: () => {
        if (!this.lost.has(worker)) this.write('K', worker, []);
        this.lose(worker, new WorkerFault('it was ended'));
      },
    };
  }

  private call(worker: number, message: Outgoing, mostFloats: number): Promise<Frame> {
    if (message.bytes < 2 ** 20) return this.ask(worker, mostFloats, 'C', worker, message.pieces);
    let object = this.shared.get(message);
    if (object === undefined) {
      object = this.objects++;
      // The last policies are enough: that of the round, and that of now; the opening message is small beside them.
      this.shared.set(message, object);
      this.write('P', object, message.pieces);
      for (const [old, number] of this.shared) {
        if (this.shared.size <= 4) break;
        this.shared.delete(old);
        this.write('D', number, []);
      }
    }
    const id = Buffer.alloc(4);
    id.writeUInt32LE(object);
    return this.ask(worker, mostFloats, 'O', worker, [id]);
  }

  private ask(worker: number, mostFloats: number, kind: string, number: number, pieces: readonly Uint8Array[]) {
    return new Promise<Frame>((take, fail) => {
      if (this.fault !== undefined) return fail(this.fault);
      this.waiting.set(worker, { mostFloats, take, fail });
      this.write(kind, number, pieces);
    });
  }

  private write(kind: string, number: number, pieces: readonly Uint8Array[]): void {
    if (this.fault !== undefined) return;
    const header = Buffer.alloc(headerBytes);
    header.write(kind, 0, 'latin1');
    header.writeUInt32LE(number, 1);
    header.writeBigUInt64LE(BigInt(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)), 5);
    for (const piece of [header, ...pieces]) this.child.stdin?.write(piece);
  }

  private read(chunk: Buffer): void {
    this.pending = Buffer.concat([this.pending, chunk]);
    while (this.pending.byteLength >= headerBytes) {
      const kind = this.pending.toString('latin1', 0, 1);
      const worker = this.pending.readUInt32LE(1);
      const length = Number(this.pending.readBigUInt64LE(5));
      if (this.pending.byteLength < headerBytes + length) return;
      const payload = this.pending.subarray(headerBytes, headerBytes + length);
      this.pending = this.pending.subarray(headerBytes + length);
      const reason = payload.toString('utf8', 0, mostReason);
      if (kind === 'A') this.answered(worker, payload);
      else if (kind === 'L') {
        this.lost.add(worker);
        this.lose(worker, new WorkerFault(reason));
      } else if (kind === 'M') this.lose(worker, lacking(reason));
      else this.end(clusterErrors.noCluster('Ray', reason));
    }
  }

  private answered(worker: number, payload: Buffer): void {
    const waiting = this.waiting.get(worker);
    if (waiting === undefined) return;
    this.waiting.delete(worker);
    try {
      new FrameReader(() => waiting.mostFloats, waiting.take).push(payload);
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error;
      waiting.fail(new WorkerFault(error.message));
    }
  }

  private lose(worker: number, error: Error): void {
    this.waiting.get(worker)?.fail(error);
    this.waiting.delete(worker);
  }

  private end(error: Error): void {
    this.fault ??= error;
    for (const worker of [...this.waiting.keys()]) this.lose(worker, this.fault);
  }

  async close(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('close', done));
    child.stdin?.end();
    await ended;
  }
}
