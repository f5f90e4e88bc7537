/**
 * A model with latent actions as a search needs it. A state is a branch: a node of a trie of tokens, with the keys and
 * values of its own token only, in host memory. The sequences a device computes on are rows of a few fixed caches (some of one
 * row, for single branches, and one of several rows in lockstep); a row is brought to a branch by copying only what it does not
 * hold already, and a search that goes to and fro between branches finds each in a row of its own. So no prefix is read twice
 * while its keys fit the budget; beyond it the branches used longest ago lose theirs, leaves first.
 */
import { Decoder, type StepResult } from '../cola/decoder.ts';
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import type { State } from '../device/program.ts';
import { concatenated } from '../files/floats.ts';
import type { KeyValueCache } from '../model/cache/key-value-cache.ts';
import { CacheRows, type FilledSpan } from '../model/cache/rows.ts';
import type { Looked, Outlook, SearchModel } from './model.ts';

/** A prompt (the root) or one more token. */
export class Branch {
  readonly children = new Map<number, Branch>();
  /** Keys and values of its own tokens; null when not read yet, or given up. */
  keys: Float32Array | null = null;
  outlook: Outlook | null = null;
  /** h of its own tokens `[tokens, d]`, where the model keeps it; null before it is read, and then never given up. */
  hidden: Float32Array | null = null;
  /** Children whose keys are kept: without this branch's they would be of no use. */
  keptChildren = 0;
  /** Edges from the root. */
  readonly depth: number;
  /** Tokens from the start of the sequence, its own included. */
  readonly length: number;

  constructor(
    readonly parent: Branch | null,
    readonly tokens: readonly number[],
  ) {
    this.depth = parent === null ? 0 : parent.depth + 1;
    this.length = (parent?.length ?? 0) + tokens.length;
  }
}

/** One row of a working cache, and the branches from a root on whose keys it holds. */
interface CacheRow {
  held: Branch[];
}

interface Desk {
  readonly cache: KeyValueCache;
  readonly rows: readonly CacheRow[];
}

export interface BranchOptions {
  /** Longest sequence, prompt included; no more than the model's context. */
  readonly tokens: number;
  /** Branches in lockstep at most: breadth or batch of the search, whichever is more. */
  readonly rows?: number;
  /** Branches that are at hand for a run by themselves. */
  readonly singles?: number;
  /** Memory for keys, values and outlooks, in MB. */
  readonly megabytes?: number;
  /** Whether branches keep h, for {@link BranchedModel.hidden}. It is not counted as memory for keys. */
  readonly keepHidden?: boolean;
  /** Whether outlooks have Q and V; by default they have what the model has. */
  readonly q?: boolean;
  readonly value?: boolean;
  /** Weights that change while the model is in use, and which; {@link BranchedModel.forget} follows each change. */
  readonly live?: { readonly states: readonly State[]; readonly trained: ReadonlySet<string> };
}

export class BranchedModel implements SearchModel<Branch> {
  readonly numCodes: number;
  readonly vocabSize: number;
  readonly endIds: ReadonlySet<number>;
  readonly hasQ: boolean;
  readonly hasValue: boolean;
  readonly context: number;
  /** Tokens read by the model so far, prompts included. */
  tokensRead = 0;
  /** Bytes held by branches. */
  bytes = 0;
  private readonly decoder: Decoder;
  private readonly transfer: CacheRows;
  private readonly keepHidden: boolean;
  private readonly budget: number;
  private readonly rows: number;
  /** Caches of one row, the one used longest ago first. */
  private singles: Desk[] = [];
  private readonly mostSingles: number;
  /** The cache of several rows. */
  private wide: Desk | undefined;
  /** Branches that may be given up, the one used longest ago first. */
  private readonly leaves = new Set<Branch>();
  private busy: Promise<unknown> = Promise.resolve();

  /** @throws cola.missing */
  constructor(device: Device, model: ColaModel, options: BranchOptions) {
    this.hasQ = options.q ?? model.has('q');
    this.hasValue = options.value ?? model.has('value');
    this.keepHidden = options.keepHidden ?? false;
    this.numCodes = model.config.numCodes;
    this.vocabSize = model.base.config.vocabSize;
    this.endIds = model.base.endIds;
    this.context = Math.min(options.tokens, model.base.config.maxPositionEmbeddings);
    this.rows = options.rows ?? 8;
    this.mostSingles = options.singles ?? 4;
    this.budget = (options.megabytes ?? 1024) * 2 ** 20;
    const { live } = options;
    this.decoder = new Decoder(device, model, {
      parts: { preview: true, q: this.hasQ, value: this.hasValue, hidden: this.keepHidden },
      ...(live === undefined ? {} : { live: live.states, trained: live.trained }),
    });
    this.transfer = new CacheRows(device, model.base.config);
  }

  open(prompt: readonly number[]): Branch {
    return new Branch(null, [...prompt]);
  }

  child(state: Branch, token: number): Branch {
    const known = state.children.get(token);
    if (known !== undefined) return known;
    const child = new Branch(state, [token]);
    state.children.set(token, child);
    return child;
  }

  /** Searches that share the model take turns here. */
  look(states: readonly Branch[]): Promise<Looked> {
    const turn = this.busy.then(() => this.lookNow(states));
    this.busy = turn.catch(() => {});
    return turn;
  }

  private async lookNow(states: readonly Branch[]): Promise<Looked> {
    const missing = [...new Set(states)].filter(({ outlook }) => outlook === null);
    for (let at = 0; at < missing.length; at += this.rows) await this.read(missing.slice(at, at + this.rows));
    const outlooks = states.map(({ outlook }) => {
      if (outlook === null) throw new Error('a branch was read without an outlook');
      return outlook;
    });
    for (const state of states) if (this.leaves.delete(state)) this.leaves.add(state);
    this.trim();
    return { outlooks, generated: missing.length };
  }

  /** Reads branches so that each has its keys and its outlook. */
  private async read(branches: readonly Branch[]): Promise<void> {
    const roots = branches.filter(({ parent }) => parent === null);
    for (const root of roots) await this.readAlone(root);
    const rest = branches.filter(({ parent }) => parent !== null);
    if (rest.length === 1) return this.readAlone(rest[0]);
    // Side by side, each row reads one token; what comes before it is read first, by itself.
    for (const { parent } of rest) {
      if (parent !== null && parent.keys === null) await this.readAlone(parent);
    }
    if (rest.length === 0) return;
    this.wide ??= await this.desk(this.rows);
    await this.readTogether(this.wide, rest);
  }

  private async readAlone(branch: Branch): Promise<void> {
    const at = closestDesk(this.singles, branch, this.singles.length < this.mostSingles);
    const desk = at < 0 ? await this.desk(1) : this.singles[at];
    this.singles = [...this.singles.filter((other) => other !== desk), desk];
    await this.readTogether(desk, [branch]);
  }

  private async desk(rows: number): Promise<Desk> {
    const cache = await this.decoder.cache(rows, this.context);
    return { cache, rows: Array.from({ length: rows }, (): CacheRow => ({ held: [] })) };
  }

  private get desks(): readonly Desk[] {
    return this.wide === undefined ? this.singles : [...this.singles, this.wide];
  }

  private async readTogether({ cache, rows }: Desk, branches: readonly Branch[]): Promise<void> {
    const tokens: number[][] = rows.map(() => []);
    const load: FilledSpan[] = [];
    const reading: { readonly branch: Branch; readonly row: number; readonly fresh: Branch[] }[] = [];
    const free = new Set(rows.keys());
    for (const branch of branches) {
      const { row, held } = closestRow(rows, free, branch);
      free.delete(row);
      const chain: Branch[] = [];
      for (let at: Branch = branch; at.depth >= held; at = at.parent) {
        chain.push(at);
        if (at.parent === null) break;
      }
      chain.reverse();
      const stop = chain.findIndex(({ keys }, i) => keys === null || i === chain.length - 1);
      for (const { keys, length, tokens: own } of chain.slice(0, stop)) {
        if (keys !== null) load.push({ row, start: length - own.length, end: length, data: keys });
      }
      const fresh = chain.slice(stop);
      rows[row].held = [...rows[row].held.slice(0, held), ...chain];
      cache.lengths[row] = fresh[0].length - fresh[0].tokens.length;
      for (const { tokens: own } of fresh) for (const token of own) tokens[row].push(token);
      reading.push({ branch, row, fresh });
    }
    try {
      await this.transfer.write(cache, load);
      await this.advance(cache, tokens, reading);
    } catch (error) {
      // What the rows hold is not known any more.
      for (const row of rows) row.held = [];
      throw error;
    }
  }

  private async advance(
    cache: KeyValueCache,
    tokens: readonly (readonly number[])[],
    reading: readonly { readonly branch: Branch; readonly row: number; readonly fresh: readonly Branch[] }[],
  ): Promise<void> {
    const hidden = new Map<number, Float32Array[]>();
    const takeHidden = (row: number, values: Float32Array) => {
      hidden.set(row, [...(hidden.get(row) ?? []), values.slice()]);
    };
    const result = await this.decoder.step(cache, tokens, undefined, 1, this.keepHidden ? takeHidden : undefined);
    for (const { row, fresh } of reading) keepHiddenOf(fresh, hidden.get(row) ?? []);
    for (const row of tokens) this.tokensRead += row.length;
    const fresh = reading.flatMap(({ row, fresh }) => {
      const read = [...fresh];
      // The row still held what had been given up before it: a branch is kept only with all that comes before it.
      for (let at = fresh[0].parent; at !== null && at.keys === null; at = at.parent) read.push(at);
      return read.map((branch) => ({ row, branch }));
    });
    const spans = fresh.map(({ row, branch: { length, tokens: own } }) => ({
      row,
      start: length - own.length,
      end: length,
    }));
    const keys = await this.transfer.read(cache, spans);
    for (const [i, { branch }] of fresh.entries()) if (branch.keys === null) this.keep(branch, keys[i]);
    for (const { branch, row } of reading) {
      if (branch.outlook !== null) this.bytes -= outlookBytes(branch.outlook);
      branch.outlook = this.outlookOf(result, row);
      this.bytes += outlookBytes(branch.outlook);
    }
  }

  private outlookOf({ policyLogits, nextTokens, q, value }: StepResult, row: number): Outlook {
    if (nextTokens === undefined) throw new Error('the step gives no preview');
    const [start, end] = [row * this.numCodes, (row + 1) * this.numCodes];
    return {
      policy: policyLogits.slice(start, end),
      nextTokens: nextTokens.slice(start, end),
      ...(q === undefined ? {} : { q: q.slice(start, end) }),
      ...(value === undefined ? {} : { value: value[row] }),
    };
  }

  private keep(branch: Branch, keys: Float32Array): void {
    branch.keys = keys;
    this.bytes += keys.byteLength;
    if (branch.keptChildren === 0) this.leaves.add(branch);
    if (branch.parent === null) return;
    branch.parent.keptChildren++;
    this.leaves.delete(branch.parent);
  }

  /** Gives up branches until the budget holds: leaf by leaf along the branch that was used longest ago. */
  private trim(): void {
    while (this.bytes > this.budget) {
      const [oldest] = this.leaves;
      if (oldest === undefined) return;
      let at: Branch | null = oldest;
      while (at !== null && at.keptChildren === 0 && this.bytes > this.budget) at = this.giveUp(at);
    }
  }

  /** @returns its parent */
  private giveUp(branch: Branch): Branch | null {
    const { parent } = branch;
    this.leaves.delete(branch);
    this.bytes -= branch.keys?.byteLength ?? 0;
    if (branch.outlook !== null) this.bytes -= outlookBytes(branch.outlook);
    branch.keys = null;
    branch.outlook = null;
    if (parent === null) return null;
    // Whoever still holds the handle can read it again; the trie forgets it.
    if (branch.children.size === 0) parent.children.delete(branch.tokens[0]);
    parent.keptChildren--;
    if (parent.keptChildren === 0) this.leaves.add(parent);
    return parent;
  }

  /**
   * h of a branch and all before it, `[length, d]`, in a model that keeps it. Runs the model only where the branch was never read.
   */
  async hidden(branch: Branch): Promise<Float32Array> {
    if (branch.hidden === null) await this.look([branch]);
    const parts: Float32Array[] = [];
    for (let at: Branch | null = branch; at !== null; at = at.parent) {
      if (at.hidden === null) throw new Error('a branch was read without h');
      parts.unshift(at.hidden);
    }
    return concatenated(parts);
  }

  /** Gives up all that branches hold: the weights have changed. States from before are read again when they are asked for. */
  async forget(): Promise<void> {
    await this.busy;
    while (this.leaves.size > 0) {
      const [leaf] = this.leaves;
      let at: Branch | null = leaf;
      while (at !== null && at.keptChildren === 0) at = this.giveUp(at);
    }
    for (const { rows } of this.desks) for (const row of rows) row.held = [];
  }

  async dispose(): Promise<void> {
    await this.busy;
    for (const { cache } of this.desks) cache.dispose();
    this.singles = [];
    this.wide = undefined;
    await this.transfer.dispose();
    await this.decoder.dispose();
  }
}

/** Hands h of newly read tokens to their branches. @param parts in order, cut anyhow */
function keepHiddenOf(fresh: readonly Branch[], parts: readonly Float32Array[]): void {
  if (parts.length === 0) return;
  const all = concatenated(parts);
  const width = all.length / fresh.reduce((n, { tokens }) => n + tokens.length, 0);
  let at = 0;
  for (const branch of fresh) {
    const end = at + branch.tokens.length * width;
    branch.hidden = all.slice(at, end);
    at = end;
  }
}

function outlookBytes({ policy, nextTokens, q }: Outlook): number {
  return policy.byteLength + nextTokens.byteLength + (q?.byteLength ?? 0);
}

/** The free row that holds most of what comes before a branch, and how many branches of it. */
function closestRow(
  rows: readonly CacheRow[],
  free: ReadonlySet<number>,
  branch: Branch,
): { row: number; held: number } {
  let best = -1;
  let most = -1;
  for (const row of free) {
    const count = heldOf(rows[row], branch);
    if (count > most) [best, most] = [row, count];
  }
  return { row: best, held: most };
}

/** How many of the branches before this one a row holds. */
function heldOf({ held }: CacheRow, branch: Branch): number {
  let at = branch.parent;
  while (at !== null && held[at.depth] !== at) at = at.parent;
  return at === null ? 0 : at.depth + 1;
}

/**
 * The cache of one row that is brought to a branch at the least cost: tokens to copy now, and those that are thrown away and may
 * be wanted again. What was used longest ago is thrown away for nothing.
 *
 * @param room whether there may be one more
 * @returns -1 for a new one
 */
function closestDesk(desks: readonly Desk[], branch: Branch, room: boolean): number {
  let best = -1;
  let least = room ? branch.length : Number.POSITIVE_INFINITY;
  for (const [i, { rows }] of desks.entries()) {
    const [row] = rows;
    const count = heldOf(row, branch);
    const last = row.held[row.held.length - 1];
    const common = count === 0 ? 0 : row.held[count - 1].length;
    const lost = i === 0 && !room ? 0 : (last?.length ?? 0) - common;
    const cost = branch.length - common + lost;
    // Among equals the one used last, whose memory is still near.
    if (cost <= least) [best, least] = [i, cost];
  }
  return best;
}
