/**
 * Programs of one computation in several shapes, such as an update of answers of every length. The runtime keeps the memory of a
 * program's run until the program ends: those of many shapes, of which some never come again, would take it all.
 */
import { totalmem } from 'node:os';

export interface Ending {
  dispose(): Promise<void>;
}

interface Kept<P> {
  readonly program: P;
  /** Bytes that it holds between its runs. */
  readonly bytes: () => number;
}

/** Bytes that they may hold together: little of a machine, and enough for the shapes that come again and again. */
export const ownRoom = (): number => totalmem() / 8;

export class ShapedPrograms<P extends Ending> {
  /** The one that was asked for last stands last. */
  private readonly kept = new Map<string, Kept<P>>();

  /** @param room bytes that those of other shapes may hold beside the one that is asked for, together with it */
  constructor(private readonly room = ownRoom()) {}

  /** The program of a shape, if it is kept; it then counts as the one that was asked for last. */
  find(key: string): P | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    this.kept.delete(key);
    this.kept.set(key, found);
    return found.program;
  }

  /**
   * Keeps a program, and ends those that were not asked for the longest, until all have room; it stays, whatever it takes.
   *
   * @param reckon bytes that it holds between its runs; asked where there are others, for it takes a while
   */
  async keep(key: string, program: P, reckon: () => number): Promise<P> {
    let known: number | undefined;
    const bytes = () => {
      known ??= reckon();
      return known;
    };
    const others = [...this.kept];
    this.kept.set(key, { program, bytes });
    if (others.length === 0 || this.room === Number.POSITIVE_INFINITY) return program;
    let held = others.reduce((sum, [, other]) => sum + other.bytes(), bytes());
    for (const [old, other] of others) {
      if (held <= this.room) break;
      this.kept.delete(old);
      held -= other.bytes();
      await other.program.dispose();
    }
    return program;
  }

  /** How many are kept. */
  get count(): number {
    return this.kept.size;
  }

  async dispose(): Promise<void> {
    const all = [...this.kept.values()];
    this.kept.clear();
    for (const { program } of all) await program.dispose();
  }
}
