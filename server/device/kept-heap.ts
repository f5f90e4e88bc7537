/**
 * Memory that runs give back and need again. What a run writes into memory that it was given comes back a second time, as
 * copies, which go at once ({@link discard}). glibc then gives the end of its heap back to the system, so that every page of
 * the next run's copies has to be found and cleared anew: a sixth of a training step at 360 M parameters. A small block that
 * was taken while the copies were there lies above them, and what lies below it stays.
 */
import { discard } from './discard.ts';

const blockBytes = 2 ** 20;
/** Older blocks lie below the newest, or in a gap, and do nothing. */
const mostBlocks = 4;
/** Memory may come from elsewhere than glibc's heap, where blocks change nothing. */
const mostTries = 8;
const pageBytes = 4096;
/** Fewer bytes of copies than this are not worth looking at. */
const worthwhile = 4 * 2 ** 20;

let blocks: ArrayBuffer[] = [];
const users = new Set<KeptHeap>();

const faultsSoFar = () => process.resourceUsage().minorPageFault;

/** What one program knows of the memory of its copies. */
export class KeptHeap {
  private copied = 0;
  private tries = 0;

  private get watches(): boolean {
    return process.platform === 'linux' && this.copied >= worthwhile && this.tries < mostTries;
  }

  /** @returns page faults of the process up to a run, for {@link after}; undefined where they do not matter */
  before(): number | undefined {
    return this.watches ? faultsSoFar() : undefined;
  }

  /**
   * Called behind a run, while its copies are still there.
   *
   * @param copied bytes of them
   */
  after(before: number | undefined, copied: number): void {
    this.copied = copied;
    if (before === undefined || (faultsSoFar() - before) * pageBytes < copied / 8) return;
    this.tries++;
    users.add(this);
    blocks.push(Buffer.allocUnsafeSlow(blockBytes).buffer);
    if (blocks.length > mostBlocks) discard(blocks.splice(0, 1));
  }

  /** The program has ended; without any other the memory goes back to the system. */
  release(): void {
    if (!users.delete(this) || users.size > 0) return;
    discard(blocks);
    blocks = [];
  }
}
