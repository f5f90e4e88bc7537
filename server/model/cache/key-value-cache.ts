/** Keys and values of sequences that are decoded, and how many slots they have. */
import type { State } from '../../device/program.ts';
import type { StemShape } from './store.ts';

/** What stands before the rows of a cache, once for several of them. */
export interface Stem extends StemShape {
  /** Tokens of each. */
  readonly lengths: Int32Array;
}

/** Keys and values of B sequences with room for `capacity` tokens each, behind those of the stem. */
export class KeyValueCache {
  /** Tokens read so far, a row; those of the stem do not count. */
  readonly lengths: Int32Array;

  constructor(
    readonly batch: number,
    public capacity: number,
    readonly state: State,
    /** Takes the memory; it goes back, if not given. */
    private readonly disposing?: (cache: KeyValueCache) => void,
    readonly stem?: Stem,
    /** Slots that it may grow to. */
    readonly most: number = capacity,
  ) {
    this.lengths = new Int32Array(batch);
  }

  /** Tokens before the first of a row's own. */
  before(row: number): number {
    return this.stem === undefined ? 0 : this.stem.lengths[Math.floor(row / this.stem.sharers)];
  }

  dispose(): void {
    this.disposing?.(this);
    if (this.disposing === undefined) this.state.giveBack();
    else this.state.dispose();
  }
}

const fewestSlots = 64;

/** Slots for at least `tokens` tokens: powers of two, so that few programs are compiled. One more is scratch for padding. */
export function capacityFor(tokens: number): number {
  let slots = fewestSlots;
  while (slots - 1 < tokens) slots *= 2;
  return slots;
}

/** The same of what others stand behind, which is read whole in every step: few slots where few are needed. */
export function stemCapacity(tokens: number): number {
  const least = 8 * Math.ceil((tokens + 1) / 8);
  return least < fewestSlots ? least : capacityFor(tokens);
}

/** Slots for the rows of a branched cache at first: they are read whole in every step, so there are few as long as few are needed. */
export const branchSlots = 16;

/** Slots of such a row for at least `tokens` tokens and one that is scratch: each time four times as many, so that few programs are compiled. */
export function branchCapacity(tokens: number): number {
  let slots = branchSlots;
  while (slots - 1 < tokens) slots *= 4;
  return slots;
}

/** How many rooms such a row comes to have until there are so many tokens in it. */
export function branchRooms(tokens: number): number {
  return 1 + Math.log2(branchCapacity(tokens) / branchSlots) / 2;
}
