/**
 * A cache language model: what followed in the files of a project where the last tokens were the same. What people write is local
 * (Tu, Su and Devanbu, "On the Localness of Software", FSE 2014): names and lines of a project come again in it, and a model that was
 * trained elsewhere has never seen them. Counts of tokens, so it costs no training, and is as new as the files are.
 */

/** Tokens that have to agree before it says anything, and after which it compares no further. */
const shortest = 3;
const longest = 16;
/** Places with the same last tokens that are looked at, the newest first. */
const mostPlaces = 256;
/** Tokens that are kept of all texts together: 12 bytes each, twice as many while texts are replaced. */
export const mostTokens = 1 << 20;
/** Chains of places; others than those that are looked for may be in them. */
const chainBits = 18;
/** What it counts for where it says something; the model has the rest. */
export const cacheShare = 0.5;
/** It goes on guessing as long as it is as sure as this. */
const surely = 0.5;
/** Between texts: no token. */
export const between = -1;

/** What followed the longest agreement with the end of a sequence. */
export interface Said {
  /** The most frequent, the newest among equals. */
  readonly token: number;
  /** How often each token followed, and all of them together. */
  readonly counts: ReadonlyMap<number, number>;
  readonly total: number;
  /** Those that followed in other texts than the sequence itself. */
  readonly elsewhere: ReadonlySet<number>;
}

/** Its probability of a token. */
export const saidOf = ({ counts, total }: Said, token: number): number => (counts.get(token) ?? 0) / total;

/** What is asked at a place. */
export interface TextCache {
  /** What it says behind a sequence; undefined where nothing agrees. */
  look(sequence: readonly number[]): Said | undefined;
  /** Up to `count` tokens that it is sure of, one behind the other. */
  follow(sequence: readonly number[], count: number): number[];
}

export class CacheModel {
  private tokens = new Int32Array(1 << 12);
  /** For every token the text it belongs to. */
  private owners = new Int32Array(1 << 12);
  /** For every token the place before it in its chain; -1 for none. */
  private earlier = new Int32Array(1 << 12);
  /** The newest place of each chain. */
  private readonly latest = new Int32Array(1 << chainBits).fill(-1);
  private length = 0;
  private living = 0;
  private readonly texts = new Map<string, { readonly owner: number; readonly size: number }>();
  /** Owners of the texts that it has: those of others are left where they stand until it is compacted. */
  private readonly owned = new Set<number>();
  private nextOwner = 0;

  /** Tokens of the texts that it has. */
  get size(): number {
    return this.living;
  }

  has(name: string): boolean {
    return this.texts.has(name);
  }

  /** Takes a text in place of what it had under this name. @returns false where there is no room for it: it has none of it then */
  set(name: string, tokens: ArrayLike<number>): boolean {
    this.delete(name);
    if (this.living + tokens.length > mostTokens) return false;
    if (this.length + tokens.length + 1 > 2 * mostTokens) this.compact();
    const owner = this.nextOwner++;
    this.texts.set(name, { owner, size: tokens.length });
    this.owned.add(owner);
    this.append(tokens, owner);
    return true;
  }

  delete(name: string): void {
    const text = this.texts.get(name);
    if (text === undefined) return;
    this.texts.delete(name);
    this.owned.delete(text.owner);
    this.living -= text.size;
    if (this.length > 2 * this.living + 4096) this.compact();
  }

  /** Of all texts but one: that which is written, of which what stands before the place is in the sequence itself. */
  without(name: string | undefined): TextCache {
    const except = name === undefined ? undefined : this.texts.get(name)?.owner;
    const look = (sequence: readonly number[]) => this.look(sequence, except);
    return {
      look,
      follow(sequence, count) {
        const all = [...sequence];
        while (all.length < sequence.length + count) {
          const said = look(all);
          if (said === undefined || saidOf(said, said.token) < surely) break;
          all.push(said.token);
        }
        return all.slice(sequence.length);
      },
    };
  }

  private look(sequence: readonly number[], except: number | undefined): Said | undefined {
    const end = sequence.length;
    if (end < shortest) return undefined;
    const counts = new Map<number, number>();
    const elsewhere = new Set<number>();
    let best = shortest;
    let token = between;
    const note = (agreed: number, next: number, other: boolean) => {
      if (agreed < best) return;
      if (agreed > best) {
        counts.clear();
        elsewhere.clear();
        token = between;
        best = agreed;
      }
      const count = (counts.get(next) ?? 0) + 1;
      counts.set(next, count);
      if (other) elsewhere.add(next);
      if (token === between || count > (counts.get(token) ?? 0)) token = next;
    };
    // What stands before in the text itself is the newest.
    for (let at = end - 1; at >= shortest; at--) note(agreement(sequence, at, sequence), sequence[at], false);
    let at = this.latest[chainOf(sequence, end)];
    for (let looked = 0; at >= 0 && looked < mostPlaces; looked++, at = this.earlier[at])
      if (this.owners[at] !== except && this.owned.has(this.owners[at]))
        note(agreement(this.tokens, at, sequence), this.tokens[at], true);
    if (counts.size === 0) return undefined;
    let total = 0;
    for (const count of counts.values()) total += count;
    return { token, counts, total, elsewhere };
  }

  private append(tokens: ArrayLike<number>, owner: number): void {
    this.reserve(this.length + tokens.length + 1);
    const first = this.length;
    for (let i = 0; i <= tokens.length; i++) {
      const at = this.length++;
      this.tokens[at] = i < tokens.length ? tokens[i] : between;
      this.owners[at] = owner;
      this.earlier[at] = -1;
      if (i === tokens.length || at - first < shortest) continue;
      const chain = chainOf(this.tokens, at);
      this.earlier[at] = this.latest[chain];
      this.latest[chain] = at;
    }
    this.living += tokens.length;
  }

  private reserve(length: number): void {
    if (length <= this.tokens.length) return;
    const room = Math.max(length, 2 * this.tokens.length);
    for (const name of ['tokens', 'owners', 'earlier'] as const) {
      const larger = new Int32Array(room);
      larger.set(this[name].subarray(0, this.length));
      this[name] = larger;
    }
  }

  /** Lets go of what is not in use. */
  private compact(): void {
    const { tokens, owners, length, owned } = this;
    const kept: { owner: number; tokens: Int32Array }[] = [];
    for (let from = 0; from < length; ) {
      const to = tokens.indexOf(between, from);
      if (owned.has(owners[from])) kept.push({ owner: owners[from], tokens: tokens.slice(from, to) });
      from = to + 1;
    }
    this.latest.fill(-1);
    this.length = 0;
    this.living = 0;
    for (const each of kept) this.append(each.tokens, each.owner);
  }
}

/** The chain of a place, by the tokens before it. */
const chainOf = (tokens: ArrayLike<number>, at: number): number => {
  const mixed = Math.imul(
    Math.imul(Math.imul(tokens[at - 3], 31) + tokens[at - 2], 0x85ebca6b) + tokens[at - 1],
    0x9e3779b1,
  );
  return mixed >>> (32 - chainBits);
};

/** How many tokens before `at` are those at the end of the sequence, in a row. */
function agreement(source: ArrayLike<number>, at: number, sequence: readonly number[]): number {
  const end = sequence.length;
  const most = Math.min(longest, at, end);
  let agreed = 0;
  while (agreed < most && source[at - 1 - agreed] === sequence[end - 1 - agreed]) agreed++;
  return agreed;
}
