/**
 * Weights of model folders that are in memory: whoever loads a folder that is there already gets the same memory. A model that
 * learns takes memory of its own for what it changes ({@link SharedWeights.own}).
 */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredWeight } from '../../graph/stored.ts';
import type { Precision } from '../../protocol/precision.ts';

/** A weight in memory: in float32, or in the form it is kept in. */
export type HeldWeight = Float32Array | StoredWeight;

export class WeightShelf {
  /** Weak, so that what nobody uses any more goes. */
  private readonly known = new Map<string, ReadonlyMap<string, WeakRef<HeldWeight>>>();

  /**
   * Weights of a folder.
   *
   * @param folders the folder, and others that say what is to be in it
   * @param kind which of them, and the form they are wanted in
   * @param read loads them where they are not in memory, or the files are others than they were
   * @returns a map of the caller's, of arrays that others may have too
   */
  take<W extends HeldWeight>(
    folders: readonly string[],
    kind: Precision | 'modules',
    read: () => ReadonlyMap<string, W>,
  ) {
    for (const [key, weights] of this.known) if (present(weights) === undefined) this.known.delete(key);
    const key = [kind, ...folders.map(signature)].join('\n');
    const known = this.known.get(key);
    const there = known === undefined ? undefined : present(known);
    // What was kept under a kind is of the type that is read for it.
    if (there !== undefined) return there as Map<string, W>;
    const weights = new Map(read());
    this.known.set(key, new Map([...weights].map(([name, values]) => [name, new WeakRef(values)])));
    return weights;
  }
}

/** Weights of one model, of whose memory others may have a part too: that is never written. */
export class SharedWeights {
  /** @param names those whose memory others may have */
  constructor(
    private readonly weights: Map<string, Float32Array>,
    private readonly names = new Set<string>(),
  ) {}

  /**
   * Copies the named weights that others may have too, before they are trained. Names of no weights are passed over.
   *
   * @returns whether any had to be copied
   */
  own(names: Iterable<string>): boolean {
    let copied = false;
    for (const name of names) {
      const values = this.weights.get(name);
      if (!this.names.delete(name) || values === undefined) continue;
      this.weights.set(name, values.slice());
      copied = true;
    }
    return copied;
  }

  /** Of these that others may have too, the names of those that are in another map as they are. */
  still(map: ReadonlyMap<string, Float32Array>, from: ReadonlyMap<string, Float32Array>): Set<string> {
    return new Set([...this.names].filter((name) => map.get(name) === from.get(name)));
  }

  /** Whether others may have the memory of a weight too. */
  has(name: string): boolean {
    return this.names.has(name);
  }

  /** Of the names, one whose memory others may have too. */
  among(names: readonly string[]): string | undefined {
    return names.find((name) => this.names.has(name));
  }
}

/** The arrays, if all of them are still in memory. */
function present(weights: ReadonlyMap<string, WeakRef<HeldWeight>>): Map<string, HeldWeight> | undefined {
  const found = new Map<string, HeldWeight>();
  for (const [name, weak] of weights) {
    const values = weak.deref();
    if (values === undefined) return undefined;
    found.set(name, values);
  }
  return found;
}

/** The folder, and which files its configurations and weights are: a file that is written anew has another time or number. */
function signature(folder: string): string {
  if (statSync(folder).isFile()) return [realpathSync(folder), stamp(folder)].join('\n');
  const files = readdirSync(folder)
    .filter((name) => /^(config|cola)\.json$|\.safetensors(\.index\.json)?$/.test(name))
    .sort()
    .map((name) => `${name} ${stamp(join(folder, name))}`);
  return [realpathSync(folder), ...files].join('\n');
}

function stamp(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    // A link that leads nowhere; who reads it says so.
    return '';
  }
}
