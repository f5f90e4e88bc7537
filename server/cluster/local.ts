/** Workers as processes of this machine. Frames go over their standard streams; nobody listens on a port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type Carrier, type Link, WorkerFault } from './carrier.ts';
import { type Frame, FrameFault, FrameReader, type Outgoing } from './frames.ts';
import { hello, wordsOf } from './messages.ts';
import { type Identity, identityOf, workerArguments, workerProgram } from './program.ts';

/** How much of what a worker said before it ended is shown. */
const lastWords = 500;
const lastWordsMs = 200;
/** A worker greets before it reads anything. */
const greetingMs = 120_000;

const live = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL');
});

export class LocalCarrier implements Carrier {
  readonly identity: Identity;
  private readonly links = new Set<LocalLink>();

  /** @param program what is run in place of the worker, for tests of what happens with those that lie */
  constructor(private readonly program = workerProgram) {
    this.identity = identityOf(program);
  }

  async start(): Promise<Link> {
    const link = new LocalLink(this.program);
    this.links.add(link);
    link.ended.finally(() => this.links.delete(link));
    return link.greeted();
  }

  async close(): Promise<void> {
    const all = [...this.links];
    for (const link of all) link.end();
    await Promise.all(all.map(({ ended }) => ended));
  }
}

interface Waiting {
  readonly mostFloats: number;
  readonly take: (frame: Frame) => void;
  readonly fail: (fault: WorkerFault) => void;
}

class LocalLink {
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private waiting: Waiting | undefined;
  private fault: WorkerFault | undefined;
  private said = '';

  constructor(program: string) {
    const child = spawn(process.execPath, [...workerArguments(program), program], { windowsHide: true });
    this.child = child;
    live.add(child);
    const reader = new FrameReader(
      () => this.waiting?.mostFloats ?? 0,
      (frame) => {
        const { waiting } = this;
        this.waiting = undefined;
        if (waiting === undefined) this.fail('it spoke without being asked');
        else waiting.take(frame);
      },
    );
    child.stdout.on('data', (chunk: Buffer) => {
      if (this.fault !== undefined) return;
      try {
        reader.push(chunk);
      } catch (error) {
        if (!(error instanceof FrameFault)) throw error;
        this.fail(error.message);
      }
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.said = `${this.said}${chunk.toString('utf8')}`.slice(-lastWords);
    });
    // That it is gone is told by its end.
    child.stdin.on('error', () => {});
    this.ended = new Promise((ended) => {
      const over = (how: string) => {
        live.delete(child);
        const words = wordsOf(this.said).trim();
        this.fail(words === '' ? how : `${how}, after it said: ${words}`);
        ended();
      };
      child.on('error', (error) => over(`it could not be started (${error.message})`));
      child.on('exit', (code, signal) => {
        const how = signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
        // Its last words may still be on their way; helpers of its own may keep the stream open.
        const timer = setTimeout(over, lastWordsMs, how);
        child.on('close', () => {
          clearTimeout(timer);
          over(how);
        });
      });
    });
  }

  async greeted(): Promise<Link> {
    const timer = setTimeout(() => this.fail('it did not greet in time'), greetingMs);
    try {
      const { head } = await this.answer(0);
      const said = hello.safeParse(head);
      if (said.success) return { hello: said.data, call: (...request) => this.call(...request), end: () => this.end() };
      this.fail('it did not greet as a worker does');
      throw this.fault;
    } finally {
      clearTimeout(timer);
    }
  }

  private call({ pieces }: Outgoing, mostFloats: number): Promise<Frame> {
    const answer = this.answer(mostFloats);
    if (this.fault === undefined) for (const piece of pieces) this.child.stdin?.write(piece);
    return answer;
  }

  private answer(mostFloats: number): Promise<Frame> {
    return new Promise((take, fail) => {
      if (this.fault !== undefined) fail(this.fault);
      else this.waiting = { mostFloats, take, fail };
    });
  }

  private fail(reason: string): void {
    this.fault ??= new WorkerFault(reason);
    this.child.kill('SIGKILL');
    this.waiting?.fail(this.fault);
    this.waiting = undefined;
  }

  end(): void {
    this.fail('it was ended');
  }
}
