/**
 * Byte-pair encoding of one piece of text, on token ids.
 *
 * Merging takes the pair of lowest rank first and the leftmost of equals. A heap over (rank, position) keeps it at
 * O(n log n), so that a run of a million blanks (one piece) is no trouble.
 */
import { tokenizerErrors } from './errors.ts';
import type { TokenizerFile } from './file.ts';

/** The character that stands for each byte in byte-level vocabularies: printable Latin-1 as it is, the others from U+0100 on. */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  const characters: string[] = [];
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    characters.push(String.fromCharCode(printable ? byte : next++));
  }
  return characters;
})();

/** Pieces longer than this are rare and not worth remembering. */
const CACHED_LENGTH = 64;
const CACHED_PIECES = 50_000;

/** A binary heap of numbers, least first. */
class MinHeap {
  private readonly items: number[] = [];

  push(value: number): void {
    const { items } = this;
    let i = items.length;
    items.push(value);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (items[parent] <= value) break;
      items[i] = items[parent];
      i = parent;
    }
    items[i] = value;
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let i = 0;
    for (let child = 1; child < items.length; child = 2 * i + 1) {
      if (child + 1 < items.length && items[child + 1] < items[child]) child++;
      if (items[child] >= last) break;
      items[i] = items[child];
      i = child;
    }
    items[i] = last;
    return top;
  }
}

export class Merger {
  private readonly vocab: ReadonlyMap<string, number>;
  /** left id * idRange + right id -> rank of the merge */
  private readonly ranks = new Map<number, number>();
  /** rank -> id of the merged token */
  private readonly merged: Int32Array;
  private readonly idRange: number;
  /** byte -> id of the letter that stands for it in the alphabet of bytes, -1 without one */
  private readonly letterIds: Int32Array;
  /** byte -> id of its own token (`<0xE4>`), -1 without one */
  private readonly byteIds: Int32Array;
  private readonly cache = new Map<string, readonly number[]>();
  private readonly unknownId: number | undefined;

  /**
   * @param model the `model` of tokenizer.json
   * @param byteLevel merge the UTF-8 bytes of a piece (true) or its characters (false)
   * @param control ids that no text becomes, even where the vocabulary has its spelling
   */
  constructor(
    private readonly model: TokenizerFile['model'],
    private readonly byteLevel: boolean,
    private readonly control: ReadonlySet<number>,
    file: string,
  ) {
    this.vocab = new Map(Object.entries(model.vocab));
    let largest = 0;
    for (const id of this.vocab.values()) largest = Math.max(largest, id);
    this.idRange = largest + 1;
    const known = (token: string): number => {
      const id = this.vocab.get(token);
      if (id === undefined)
        throw tokenizerErrors.broken(file, 'model.merges', `${JSON.stringify(token)} is not in the vocabulary`);
      return id;
    };
    this.merged = new Int32Array(model.merges.length);
    model.merges.forEach((rule, rank) => {
      let pair: readonly [string, string];
      if (typeof rule === 'string') {
        const space = rule.indexOf(' ');
        pair = [rule.slice(0, space), rule.slice(space + 1)];
      } else pair = rule;
      this.ranks.set(known(pair[0]) * this.idRange + known(pair[1]), rank);
      this.merged[rank] = known(pair[0] + pair[1]);
    });
    const { unk_token: unknown } = model;
    this.unknownId = unknown === null || unknown === undefined ? undefined : this.vocab.get(unknown);
    const idsOf = (name: (byte: number) => string) =>
      Int32Array.from({ length: 256 }, (_, byte) => this.vocab.get(name(byte)) ?? -1);
    this.letterIds = idsOf((byte) => BYTE_CHARACTERS[byte]);
    this.byteIds = idsOf((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  }

  /** The token ids of one piece. Throws `tokenizer.unencodable` where a character has no token at all. */
  encode(piece: string): readonly number[] {
    const cached = this.cache.get(piece);
    if (cached !== undefined) return cached;
    const whole = this.model.ignore_merges ? this.wholeToken(piece) : undefined;
    const ids = whole !== undefined ? [whole] : this.merge(this.symbols(piece));
    if (piece.length <= CACHED_LENGTH) {
      // Starting afresh now and then costs less than keeping an order of use.
      if (this.cache.size >= CACHED_PIECES) this.cache.clear();
      this.cache.set(piece, ids);
    }
    return ids;
  }

  private wholeToken(piece: string): number | undefined {
    let name = piece;
    if (this.byteLevel) {
      name = '';
      for (const byte of Buffer.from(piece, 'utf8')) name += BYTE_CHARACTERS[byte];
    }
    const id = this.vocab.get(name);
    return id !== undefined && this.control.has(id) ? undefined : id;
  }

  private symbols(piece: string): number[] {
    const ids: number[] = [];
    if (this.byteLevel) {
      for (const byte of Buffer.from(piece, 'utf8')) {
        const id = this.letterIds[byte];
        if (id >= 0) ids.push(id);
        else this.pushBytes(ids, BYTE_CHARACTERS[byte], piece);
      }
      return ids;
    }
    for (const character of piece) {
      const id = this.vocab.get(character);
      if (id !== undefined) ids.push(id);
      else this.pushBytes(ids, character, character);
    }
    return ids;
  }

  /** A character without a token: its bytes, where the model falls back to them and has them all. */
  private pushBytes(ids: number[], character: string, of: string): void {
    const bytes = this.model.byte_fallback ? [...Buffer.from(character, 'utf8')].map((b) => this.byteIds[b]) : [-1];
    if (bytes.includes(-1)) this.pushUnknown(ids, of);
    else ids.push(...bytes);
  }

  private pushUnknown(ids: number[], character: string): void {
    // The reference drops such characters silently; text that vanishes from a corpus should be noticed.
    if (this.unknownId === undefined) throw tokenizerErrors.unencodable(character.slice(0, 20));
    if (!this.model.fuse_unk || ids.at(-1) !== this.unknownId) ids.push(this.unknownId);
  }

  private merge(ids: number[]): readonly number[] {
    const n = ids.length;
    if (n < 2) return ids;
    const next = new Int32Array(n);
    const before = new Int32Array(n);
    // Rank of the pair that starts at each position, -1 for none: a heap entry that disagrees is out of date.
    const rankAt = new Int32Array(n).fill(-1);
    const heap = new MinHeap();
    const offer = (at: number): void => {
      const right = next[at];
      const rank = right < n ? this.ranks.get(ids[at] * this.idRange + ids[right]) : undefined;
      rankAt[at] = rank ?? -1;
      if (rank !== undefined) heap.push(rank * n + at);
    };
    for (let i = 0; i < n; i++) {
      next[i] = i + 1;
      before[i] = i - 1;
    }
    for (let i = 0; i + 1 < n; i++) offer(i);
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const rank = Math.floor(top / n);
      const at = top - rank * n;
      if (rankAt[at] !== rank) continue;
      const right = next[at];
      ids[at] = this.merged[rank];
      next[at] = next[right];
      rankAt[right] = -1;
      if (next[right] < n) before[next[right]] = at;
      offer(at);
      if (before[at] >= 0) offer(before[at]);
    }
    const result: number[] = [];
    for (let i = 0; i < n; i = next[i]) result.push(ids[i]);
    return result;
  }
}
