/**
 * Who computes next. A job is an async generator that yields between runs of the device; the scheduler asks the highest
 * lane with work for its next step, and the jobs of a lane in turn. Runs block the event loop, so a step that has not
 * settled is waiting for something other than the device, a file or a reward: a higher lane does not wait for it, a lower one
 * does. So what comes in on a higher lane waits for the end of one step at most.
 */
import { type Lane, laneNames } from '../protocol/status.ts';

/** Yields between runs. After each yield it looks at its signal, and ends soon after that is aborted. */
export type Job<T> = AsyncGenerator<void, T, void>;

export type JobState = 'ready' | 'paused' | 'ended';

export interface JobHandle<T> {
  /** What the job returns, or why it failed. */
  readonly done: Promise<T>;
  readonly state: JobState;
  /** Lets the job stand at its next yield. A job that has ended stays so. */
  pause(): void;
  resume(): void;
  /** Aborts the job's signal, with a paused job too; `done` tells how it ended. A job that has not begun never begins. */
  cancel(reason: unknown): void;
}

class Entry<T = unknown> implements JobHandle<T> {
  readonly done: Promise<T>;
  state: JobState = 'ready';
  /** Whether a step of it has not settled. */
  busy = false;
  private readonly controller = new AbortController();
  private job: Job<T> | undefined;
  private succeed: (value: T) => void = () => {};
  private fail: (reason: unknown) => void = () => {};

  constructor(
    readonly lane: Lane,
    private readonly make: (signal: AbortSignal) => Job<T>,
    private readonly changed: () => void,
  ) {
    this.done = new Promise<T>((resolve, reject) => {
      this.succeed = resolve;
      this.fail = reject;
    });
    // Whoever wants to know awaits it; nobody has to.
    this.done.catch(() => {});
  }

  pause(): void {
    if (this.state === 'ready' && !this.controller.signal.aborted) this.state = 'paused';
    this.changed();
  }

  resume(): void {
    if (this.state === 'paused') this.state = 'ready';
    this.changed();
  }

  cancel(reason: unknown): void {
    if (this.state === 'ended') return;
    this.controller.abort(reason);
    this.state = 'ready';
    if (this.job === undefined) this.end(() => this.fail(reason));
    this.changed();
  }

  /** Runs to the next yield. */
  async step(): Promise<void> {
    this.busy = true;
    try {
      this.job ??= this.make(this.controller.signal);
      const next = await this.job.next();
      if (next.done === true) this.end(() => this.succeed(next.value));
    } catch (error) {
      this.end(() => this.fail(error));
    } finally {
      this.busy = false;
    }
  }

  private end(settle: () => void): void {
    this.state = 'ended';
    settle();
  }
}

export class Scheduler {
  private readonly queues: Readonly<Record<Lane, Entry[]>> = { interactive: [], search: [], train: [] };
  private woken = false;
  private current: Lane | null = null;

  /** @param onLane told whenever another lane is at work, or none */
  constructor(private readonly onLane: (lane: Lane | null) => void = () => {}) {}

  /** The lane at work. */
  get lane(): Lane | null {
    return this.current;
  }

  /** Whether there is no job, not even a paused one. */
  get idle(): boolean {
    return laneNames.every((lane) => this.queues[lane].length === 0);
  }

  /**
   * Adds a job to a lane. An error of the job reaches `done` of its handle and nobody else.
   *
   * @param make called when the job's turn comes first
   */
  submit<T>(lane: Lane, make: (signal: AbortSignal) => Job<T>): JobHandle<T> {
    const entry = new Entry(lane, make, () => this.wake());
    this.queues[lane].push(entry as Entry);
    this.wake();
    return entry;
  }

  /** Ends all jobs, and waits until they have. */
  async close(reason: unknown): Promise<void> {
    const entries = laneNames.flatMap((lane) => [...this.queues[lane]]);
    for (const entry of entries) entry.cancel(reason);
    await Promise.allSettled(entries.map(({ done }) => done));
  }

  /** Behind everything the event loop has to hand in, so that messages that came during a run are seen before the next. */
  private wake(): void {
    if (this.woken) return;
    this.woken = true;
    setImmediate(() => {
      this.woken = false;
      this.pick();
    });
  }

  private pick(): void {
    for (const lane of laneNames) {
      const queue = this.queues[lane];
      const open = queue.filter(({ state }) => state !== 'ended');
      queue.splice(0, queue.length, ...open);
      if (open.some(({ busy }) => busy)) {
        this.tell(lane);
        return;
      }
      const at = open.findIndex(({ state }) => state === 'ready');
      if (at < 0) continue;
      const [entry] = queue.splice(at, 1);
      // To the end of its lane: the others come before it comes again.
      queue.push(entry);
      this.tell(lane);
      entry.step().finally(() => this.wake());
      return;
    }
    this.tell(null);
  }

  private tell(lane: Lane | null): void {
    if (this.current === lane) return;
    this.current = lane;
    this.onLane(lane);
  }
}
