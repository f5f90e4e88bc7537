/** How long a run of training may take, so that whoever uses the editor does not wait for it. */

/** Somebody who has asked for nothing for so long, in milliseconds, is not waiting. */
const inUse = 60_000;

export class Patience {
  /** How long somebody may wait. */
  milliseconds = 45;
  private last = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Notes that somebody has asked for something. */
  asked(): void {
    this.last = this.now();
  }

  /** Seconds; Infinity while nobody uses the editor. */
  get longestRun(): number {
    return this.now() - this.last < inUse ? this.milliseconds / 1000 : Number.POSITIVE_INFINITY;
  }
}
