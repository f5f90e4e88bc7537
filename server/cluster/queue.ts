/** What is to be computed, and who may take which: each is given out until it is done, again where its worker is lost. */
export class TaskQueue {
  /** Comes when nothing is left to do, or nothing more is to be done. */
  readonly ended: Promise<void>;
  private readonly open: Set<number>;
  private left: number;
  private wake: (() => void)[] = [];
  private stopped = false;
  private finish = () => {};

  constructor(tasks: readonly number[]) {
    this.open = new Set(tasks);
    this.left = this.open.size;
    this.ended = new Promise((done) => {
      this.finish = done;
    });
  }

  /** Whether nothing is left to do, or nothing more is to be done. */
  get over(): boolean {
    return this.left === 0 || this.stopped;
  }

  /** The first open task of the best rank; ranks below 0 are not for this one. @returns undefined where none is */
  take(rank: (task: number) => number): number | undefined {
    let best: number | undefined;
    for (const task of this.open) if (rank(task) >= 0 && (best === undefined || rank(task) > rank(best))) best = task;
    if (best !== undefined) this.open.delete(best);
    return best;
  }

  giveBack(task: number): void {
    this.open.add(task);
    this.changed();
  }

  done(): void {
    this.left--;
    this.changed();
  }

  end(): void {
    this.stopped = true;
    this.changed();
  }

  /** Wakes those who wait: there is something to take, or nothing any more. */
  private changed(): void {
    const { wake } = this;
    this.wake = [];
    for (const go of wake) go();
    if (this.over) this.finish();
  }

  wait(): Promise<void> {
    return new Promise((go) => {
      this.wake.push(go);
    });
  }
}
