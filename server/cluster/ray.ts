/** Workers on a Ray cluster. A program in the cluster's own Python places them and carries the messages; nobody listens on a port of ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Carrier, type Link, WorkerFault } from './carrier.ts';
import { clusterErrors } from './errors.ts';
import { type Frame, FrameFault, FrameReader, type Outgoing } from './frames.ts';
import { hello, wordsOf } from './messages.ts';
import { type Identity, identityOf, workerArguments, workerProgram } from './program.ts';

/** What the cluster's own Python runs. */
export const rayBridge = fileURLToPath(new URL('./ray_workers.py', import.meta.url));
export const rayPython = (): string => process.env.COLA_RAY_PYTHON ?? 'python3';

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

/** What comes from Ray, as far as it is there. */
interface Packet {
  /** Bytes that are still to come. */
  left: number;
  readonly push: (part: Buffer) => void;
  readonly end: () => void;
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
  private header: Buffer = Buffer.alloc(0);
  private packet: Packet | undefined;

  constructor(settings: RaySettings, python = rayPython(), program = workerProgram) {
    this.identity = identityOf(program);
    const command = [process.execPath, ...workerArguments(program), program];
    const address = process.env.RAY_ADDRESS ?? 'auto';
    this.child = spawn(python, [rayBridge, JSON.stringify({ ...settings, command, address })], {
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
      this.end(clusterErrors.noCluster(python, wordsOf(this.said).trim() || `it ended with code ${code}`)),
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
    if (!message.shared || message.bytes < 2 ** 20) return this.ask(worker, mostFloats, 'C', worker, message.pieces);
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

  /** Answers go on to who reads them as they come: they are large. */
  private read(chunk: Buffer): void {
    for (let at = 0; at < chunk.byteLength; ) {
      const { packet } = this;
      if (packet === undefined) {
        const part = chunk.subarray(at, at + headerBytes - this.header.byteLength);
        at += part.byteLength;
        this.header = Buffer.concat([this.header, part]);
        if (this.header.byteLength < headerBytes) return;
        this.packet = this.packetOf(this.header);
        this.header = Buffer.alloc(0);
      } else {
        const part = chunk.subarray(at, at + packet.left);
        at += part.byteLength;
        packet.left -= part.byteLength;
        packet.push(part);
      }
      if (this.packet?.left !== 0) continue;
      const { end } = this.packet;
      this.packet = undefined;
      end();
    }
  }

  private packetOf(header: Buffer): Packet {
    const kind = header.toString('latin1', 0, 1);
    const worker = header.readUInt32LE(1);
    const left = Number(header.readBigUInt64LE(5));
    if (kind === 'A') return { left, ...this.answerOf(worker) };
    let text = '';
    const push = (part: Buffer) => {
      text = `${text}${part.toString('utf8')}`.slice(0, mostReason);
    };
    return { left, push, end: () => this.told(kind, worker, text) };
  }

  private told(kind: string, worker: number, said: string): void {
    const reason = wordsOf(said);
    if (kind === 'L') {
      this.lost.add(worker);
      this.lose(worker, new WorkerFault(reason));
    } else if (kind === 'M') this.lose(worker, lacking(reason));
    else this.end(clusterErrors.noCluster('Ray', reason));
  }

  private answerOf(worker: number): Pick<Packet, 'push' | 'end'> {
    const waiting = this.waiting.get(worker);
    let reader: FrameReader | undefined = new FrameReader(
      () => waiting?.mostFloats ?? 0,
      (frame) => {
        // Who was given up meanwhile is not listened to.
        if (waiting === undefined || this.waiting.get(worker) !== waiting) return;
        this.waiting.delete(worker);
        waiting.take(frame);
      },
    );
    const fail = (problem: string) => {
      reader = undefined;
      if (waiting === undefined || this.waiting.get(worker) !== waiting) return;
      this.lose(worker, new WorkerFault(problem));
    };
    const push = (part: Buffer) => {
      try {
        reader?.push(part);
      } catch (error) {
        if (!(error instanceof FrameFault)) throw error;
        fail(error.message);
      }
    };
    return { push, end: () => fail('its answer was cut off') };
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
