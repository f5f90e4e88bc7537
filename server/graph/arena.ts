/**
 * What the arena of ONNX Runtime's CPU provider does with the requests of a program: best fit among what is free, regions of the
 * system's memory that double, chunks that are cut where at least half of them is left. Memory of a region costs nothing before
 * it is written, so what counts is how much of it has ever been part of a tensor.
 */

/** Every request is rounded up to this. */
const granule = 256;
const firstRegion = 2 ** 20;
/** Regions do not double beyond this. */
const largestGrowth = 2 ** 30;
/** A chunk that is larger than asked for by so much is cut in any case. */
const mostWaste = 128 * 2 ** 20;

interface Chunk {
  readonly region: Region;
  start: number;
  size: number;
  free: boolean;
  before: Chunk | undefined;
  behind: Chunk | undefined;
}

/** A piece of memory that the arena has from the system. */
interface Region {
  readonly order: number;
  /** Stretches that were written, apart from each other and in order. */
  written: [start: number, end: number][];
}

const rounded = (bytes: number) => Math.max(1, Math.ceil(bytes / granule)) * granule;

/** The smaller first; of equal ones the one that lies first. */
const before = (a: Chunk, b: Pick<Chunk, 'size' | 'start' | 'region'>) =>
  a.size - b.size || a.region.order - b.region.order || a.start - b.start;

export class Arena {
  private readonly regions: Region[] = [];
  /** Chunks that are free, by {@link before}. */
  private readonly free: Chunk[] = [];
  private growth = firstRegion;

  /** Bytes that were ever part of what was asked for. */
  get touched(): number {
    return this.regions.reduce(
      (sum, { written }) => sum + written.reduce((bytes, [start, end]) => bytes + end - start, 0),
      0,
    );
  }

  take(bytes: number): Chunk {
    const size = rounded(bytes);
    const chunk = this.free[this.firstOf(size)] ?? this.grown(size);
    this.free.splice(this.placeOf(chunk), 1);
    chunk.free = false;
    const rest = chunk.size - size;
    if (rest >= size || rest >= mostWaste) {
      const left: Chunk = { ...chunk, start: chunk.start + size, size: rest, free: true, before: chunk };
      if (chunk.behind !== undefined) chunk.behind.before = left;
      chunk.behind = left;
      chunk.size = size;
      this.put(left);
    }
    write(chunk.region, chunk.start, chunk.start + bytes);
    return chunk;
  }

  give(chunk: Chunk): void {
    let whole = chunk;
    const { before: ahead, behind } = chunk;
    if (behind?.free === true) this.join(whole, behind);
    if (ahead?.free === true) {
      this.free.splice(this.placeOf(ahead), 1);
      this.join(ahead, whole, false);
      whole = ahead;
    }
    whole.free = true;
    this.put(whole);
  }

  /** Makes one chunk of two that lie behind each other. */
  private join(first: Chunk, second: Chunk, listed = true): void {
    if (listed) this.free.splice(this.placeOf(second), 1);
    first.size += second.size;
    first.behind = second.behind;
    if (second.behind !== undefined) second.behind.before = first;
  }

  /** A region in which so many bytes have room, as one free chunk. */
  private grown(size: number): Chunk {
    let doubled = false;
    while (this.growth < size) {
      this.growth *= 2;
      doubled = true;
    }
    const region: Region = { order: this.regions.length, written: [] };
    const chunk: Chunk = { region, start: 0, size: this.growth, free: true, before: undefined, behind: undefined };
    if (!doubled) this.growth = Math.max(this.growth, Math.min(2 * this.growth, largestGrowth));
    this.regions.push(region);
    this.put(chunk);
    return chunk;
  }

  private put(chunk: Chunk): void {
    this.free.splice(this.placeOf(chunk), 0, chunk);
  }

  private placeOf(chunk: Chunk): number {
    return this.search((other) => before(other, chunk) < 0);
  }

  /** Index of the smallest chunk of at least so many bytes. */
  private firstOf(size: number): number {
    return this.search((other) => other.size < size);
  }

  private search(isBefore: (chunk: Chunk) => boolean): number {
    let [low, high] = [0, this.free.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.free[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function write(region: Region, start: number, end: number): void {
  const apart = region.written.filter(([from, to]) => to < start || from > end);
  const met = region.written.filter(([from, to]) => to >= start && from <= end);
  apart.push([Math.min(start, ...met.map(([from]) => from)), Math.max(end, ...met.map(([, to]) => to))]);
  region.written = apart.sort(([a], [b]) => a - b);
}
