/**
 * Programs that have copies of weights, laid out for their products. One is made for every number of rows and every room of a cache,
 * so that of a large model a few of them are more than the model itself. Together they take a bounded memory: where a further
 * one is needed, those go that were not used for longest. A program that is made again computes what the first one did, bit for bit.
 */
import { totalmem } from 'node:os';
import type { Program } from './program.ts';

/** Share of the memory of the machine, or of what a container allows, that laid out weights may take. */
const share = 1 / 8;

/** Bytes that copies of weights in programs take at most, beside a first one that takes more alone. */
export function layoutRoom(): number {
  const limit = process.constrainedMemory();
  return share * (limit > 0 ? Math.min(limit, totalmem()) : totalmem());
}

interface Entry {
  readonly bytes: number;
  readonly program: Promise<Program>;
  /** Runs that are under way. */
  users: number;
  /** Forgets it. */
  readonly forget: () => void;
}

/** The programs of all owners on one device, the one that was used least recently first. */
export class LaidOutPrograms {
  private readonly kept = new Set<Entry>();
  private readonly owners = new Map<object, Map<string, Entry>>();
  private total = 0;

  constructor(private readonly room: number) {}

  /** Bytes of the copies that there are. */
  get bytes(): number {
    return this.total;
  }

  /**
   * Does `work` with the program of a key, which stays as long.
   *
   * @param bytesOf what it has of copies of weights; asked where there is none
   * @param compile makes it where there is none
   * @throws what `compile` throws, which is forgotten then, and what `work` throws
   */
  async use<T>(
    owner: object,
    key: string,
    bytesOf: () => number,
    compile: () => Promise<Program>,
    work: (program: Program) => Promise<T>,
  ): Promise<T> {
    const entry = this.owners.get(owner)?.get(key) ?? this.make(owner, key, bytesOf(), compile);
    this.kept.delete(entry);
    this.kept.add(entry);
    entry.users++;
    try {
      return await work(await entry.program);
    } finally {
      entry.users--;
    }
  }

  private make(owner: object, key: string, bytes: number, compile: () => Promise<Program>): Entry {
    const going = this.makeRoom(bytes);
    // The old ones are gone before there is a new one: both at once would be what is to be avoided.
    const program = going.length === 0 ? compile() : Promise.all(going).then(compile);
    const programs = this.owners.get(owner) ?? new Map<string, Entry>();
    this.owners.set(owner, programs);
    const forget = () => {
      if (!this.kept.delete(entry)) return;
      this.total -= bytes;
      programs.delete(key);
      if (programs.size === 0 && this.owners.get(owner) === programs) this.owners.delete(owner);
    };
    const entry: Entry = { bytes, program, users: 0, forget };
    programs.set(key, entry);
    this.kept.add(entry);
    this.total += bytes;
    program.catch(forget);
    return entry;
  }

  /** Ends programs until so many bytes more have room, or all others are at work. */
  private makeRoom(bytes: number): Promise<void>[] {
    const going: Promise<void>[] = [];
    for (const entry of this.kept) {
      if (this.total + bytes <= this.room) break;
      if (entry.users > 0 || entry.bytes === 0) continue;
      entry.forget();
      going.push(end(entry));
    }
    return going;
  }

  /** Ends all programs of an owner, also those that are being compiled. The owner may begin anew. */
  async release(owner: object): Promise<void> {
    const entries = [...(this.owners.get(owner)?.values() ?? [])];
    for (const entry of entries) entry.forget();
    await Promise.all(entries.map(end));
  }
}

async function end({ program }: Entry): Promise<void> {
  const ended = await program.catch(() => undefined);
  await ended?.dispose();
}
