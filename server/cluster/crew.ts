/**
 * The workers of a run. Shards go to whoever is free, gradients to who holds the shard; a worker that ends, is late or answers
 * what cannot be is replaced, and its shards are begun anew under the weights that they were first begun under. So results follow
 * from the shards alone.
 */
import { createHash } from 'node:crypto';
import type { Asked, Payload, Shards, Summed } from '../train/shards/shards.ts';
import { leavesOf, nodesOf, type TreeNode, TreeSum } from '../train/shards/tree-sum.ts';
import type { Metrics } from '../train/stage.ts';
import { type Carrier, WorkerFault } from './carrier.ts';
import type { Employment } from './employment.ts';
import { clusterErrors } from './errors.ts';
import { Outgoing } from './frames.ts';
import { TaskQueue } from './queue.ts';
import { type Spent, WorkerSeat } from './worker-seat.ts';

/** How often a shard is begun before the run ends: it may be what ends its workers. */
const mostAttempts = 8;

/** The round that is under way. */
interface Round {
  readonly number: number;
  readonly inputs: readonly Outgoing[];
  /** The weights that it was begun under. */
  readonly policy: Outgoing;
  readonly read: (value: unknown, shard: number) => unknown;
  /** Of what each shard came to. */
  readonly hashes: Map<number, string>;
}

/** Shards that one worker adds up. */
interface Unit {
  readonly node: TreeNode;
  readonly items: readonly { readonly shard: number; readonly share: number }[];
}

export class Crew implements Shards {
  private readonly seats: readonly WorkerSeat[];
  private readonly lengths: readonly number[];
  private readonly tree: TreeSum;
  private opening: Promise<Outgoing> | undefined;
  private current: Promise<Outgoing> | undefined;
  private round: Round | undefined;
  private restarts = 0;
  private since = performance.now();

  constructor(
    private readonly carrier: Carrier,
    private readonly work: Employment,
  ) {
    const { settings, say, lengths } = work;
    this.seats = Array.from({ length: settings.workers }, (_, i) => new WorkerSeat(i, carrier, settings.timeout, say));
    this.lengths = lengths;
    this.tree = new TreeSum(this.lengths);
  }

  async begin<T>(
    number: number,
    inputs: readonly Payload[],
    read: (value: unknown, shard: number) => T,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    this.learned();
    const asked = inputs.map(({ value, arrays }, shard) =>
      Outgoing.of({ kind: 'begin', round: number, shard, value }, arrays),
    );
    const round: Round = { number, inputs: asked, policy: await this.policy(), read, hashes: new Map() };
    this.round = round;
    for (const { holds } of this.seats) holds.clear();
    const found: T[] = [];
    const each = async (seat: WorkerSeat, shard: number) => {
      found[shard] = (await this.beginShard(seat, round, shard)) as T;
    };
    const { length } = inputs;
    const home = this.seats.length / Math.max(1, length);
    // Neighbours go to one worker, as far as nobody waits: who has neighbours adds up what they come to.
    const rank = (seat: WorkerSeat) => (shard: number) =>
      Math.floor(shard * home) === seat.number ? 1 : (shard * home) % 1;
    await this.all(
      inputs.map((_, shard) => shard),
      rank,
      each,
      signal,
    );
    return found;
  }

  async sum({ round: number, part, shares, gradients }: Asked): Promise<Summed> {
    const { round, tree } = this;
    if (round?.number !== number) throw new Error(`round ${number} was not begun`);
    const policy = await this.policy();
    const items = shares.flatMap((share, shard) => (share === 0 ? [] : [{ shard, share }]));
    const held = (shard: number) => this.seats.find(({ holds }) => holds.has(shard));
    const units = nodesOf(items.map(({ shard }) => held(shard) ?? shard)).map((node): Unit => {
      return { node, items: items.slice(...leavesOf(node, items.length)) };
    });
    tree.begin(items.length);
    const values: Summed['values'][number][] = [];
    const suspects = new Set<number>();
    const each = async (seat: WorkerSeat, number: number) => {
      const unit = units[number];
      for (const { shard } of unit.items) if (!seat.holds.has(shard)) await this.beginShard(seat, round, shard);
      await seat.learnOf(policy);
      const found = await this.unit(seat, round.number, part, unit, gradients);
      // Training may diverge; that only one worker finds so is its own fault.
      if (!finite(found.gradients) && !suspects.has(number)) {
        suspects.add(number);
        throw new WorkerFault(`its gradient of ${shardsOf(unit)} is not finite`);
      }
      values.push(...found.values);
      if (gradients) tree.node(unit.node, found.gradients, found.release);
    };
    const rank = (seat: WorkerSeat) => (number: number) => {
      const holder = held(units[number].items[0].shard);
      return holder === seat ? 1 : holder === undefined ? 0 : -1;
    };
    await this.all([...units.keys()], rank, each, undefined, (number) => units[number].items[0].shard);
    return {
      values: values.sort((a, b) => a.shard - b.shard),
      gradients: gradients && items.length > 0 ? tree.whole.arrays : [],
      release: () => tree.begin(0),
    };
  }

  private async beginShard(seat: WorkerSeat, { policy, inputs, read, hashes }: Round, shard: number): Promise<unknown> {
    await seat.learnOf(policy);
    const { answer } = await seat.ask(inputs[shard], 'outcome', 0);
    const { value } = answer;
    const found = faulty(() => read(value, shard));
    const rest = typeof value === 'object' ? { ...value, seconds: undefined } : value;
    const hash = createHash('sha256').update(JSON.stringify(rest)).digest('hex');
    const before = hashes.get(shard);
    if (before !== undefined && before !== hash) throw clusterErrors.differs(seat.name, shard);
    hashes.set(shard, hash);
    seat.holds.add(shard);
    seat.count('rollout', answer.seconds);
    return found;
  }

  private async unit(
    seat: WorkerSeat,
    round: number,
    part: unknown,
    { items, ...unit }: Unit,
    gradients: boolean,
  ): Promise<Summed> {
    const asked = Outgoing.of({ kind: 'sum', round, part, items });
    const most = gradients ? this.lengths.reduce((a, b) => a + b, 0) : 0;
    const { answer, floats, release } = await seat.ask(asked, 'sum', most, items.length);
    const lengths = gradients ? this.lengths : [];
    if (floats.length !== lengths.length || floats.some(({ length }, i) => length !== lengths[i]))
      throw new WorkerFault(`its gradient of ${shardsOf({ items, ...unit })} has another shape than the policy`);
    const { values } = answer;
    if (values.length !== items.length || values.some(({ shard }, i) => shard !== items[i].shard))
      throw new WorkerFault(`it answered for other shards than ${shardsOf({ items, ...unit })}`);
    seat.count('gradient', answer.seconds);
    return { values, gradients: floats, release: release ?? (() => {}) };
  }

  /**
   * Has each of some tasks done.
   *
   * @param rank of a task for a worker: the higher the sooner, below 0 never
   * @param shardOf the shard that a task is told of by
   */
  private async all(
    tasks: readonly number[],
    rank: (seat: WorkerSeat) => (shard: number) => number,
    each: (seat: WorkerSeat, task: number) => Promise<void>,
    signal?: AbortSignal,
    shardOf = (task: number) => task,
  ): Promise<void> {
    const queue = new TaskQueue(tasks);
    const attempts = new Map<number, number>();
    const work = async (seat: WorkerSeat) => {
      while (!queue.over) {
        let task: number | undefined;
        try {
          // What those do that are there is not kept waiting by one for whom there is no place.
          await Promise.race([seat.ready(await this.open()), queue.ended]);
          if (queue.over) return;
          task = queue.take(rank(seat));
          if (task === undefined) {
            await queue.wait();
            continue;
          }
          await each(seat, task);
          queue.done();
        } catch (error) {
          if (!(error instanceof WorkerFault)) throw error;
          if (queue.over) return;
          const { name } = seat;
          this.replaced(seat, error.message);
          if (task === undefined) continue;
          const begun = (attempts.get(task) ?? 0) + 1;
          attempts.set(task, begun);
          if (begun >= mostAttempts) throw clusterErrors.failed(name, shardOf(task), error.message);
          queue.giveBack(task);
        }
      }
    };
    const stop = () => {
      queue.end();
      for (const seat of this.seats) seat.leave();
    };
    const stopped = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    try {
      signal?.throwIfAborted();
      await Promise.race([Promise.all(this.seats.map(work)), stopped]);
    } catch (error) {
      // What others are at is of no use any more.
      stop();
      throw error;
    }
  }

  /** Lets a worker go whose place another takes. @throws cluster.lost */
  private replaced(seat: WorkerSeat, reason: string): void {
    const { name } = seat;
    const { say, settings } = this.work;
    seat.leave();
    seat.restarts++;
    this.restarts++;
    if (this.restarts > settings.restarts) throw clusterErrors.lost(this.restarts, name, reason);
    say(`${name} is replaced: ${reason}.`);
  }

  /** What every worker is told first: the same message for all, by which it is known who has it. */
  private open(): Promise<Outgoing> {
    this.opening ??= this.work.open();
    return this.opening;
  }

  learned(): void {
    this.current = undefined;
  }

  /** The weights as they are now. */
  private policy(): Promise<Outgoing> {
    this.current ??= this.work.policy();
    return this.current;
  }

  figures(): Metrics {
    const elapsed = (performance.now() - this.since) / 1000;
    this.since = performance.now();
    const spent = this.seats.map((seat) => seat.costs());
    const each = (of: (seat: Spent) => number) => spent.map(of);
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const rollouts = each(({ rollout }) => rollout);
    const gradients = each(({ gradient }) => gradient);
    const transfer = each(({ called, opening, rollout, gradient }) => called - opening - rollout - gradient);
    const waiting = each(({ called }) => Math.max(0, elapsed - called));
    return {
      workers: this.seats.length,
      worker_restarts: this.restarts,
      worker_replaced: this.seats.map(({ restarts }) => restarts),
      worker_shards: each(({ shards }) => shards),
      worker_bytes_sent: each(({ sent }) => sent),
      worker_bytes_received: each(({ received }) => received),
      worker_seconds_rollout: rollouts,
      worker_seconds_gradient: gradients,
      worker_seconds_transfer: transfer,
      worker_seconds_waiting: waiting,
      seconds_worker_rollout: sum(rollouts),
      seconds_worker_gradient: sum(gradients),
      seconds_transfer: sum(transfer),
      seconds_waiting: sum(waiting),
    };
  }

  async close(): Promise<void> {
    for (const seat of this.seats) seat.leave();
    await this.carrier.close();
  }
}

/** What is wrong with an answer is the fault of who gave it. */
function faulty<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new WorkerFault(error instanceof Error ? error.message : String(error));
  }
}

function shardsOf({ items }: Unit): string {
  const all = items.map(({ shard }) => shard);
  return all.length === 1 ? `shard ${all[0]}` : `shards ${all.join(', ')}`;
}

/** Whether all numbers are. */
function finite(gradients: readonly Float32Array[]): boolean {
  // What is no number, or without bound, is no 0 when it is multiplied by it, and no sum of such is 0.
  let apart = 0;
  for (const values of gradients) {
    const { length } = values;
    for (let i = 0; i < length; i++) apart += 0 * values[i];
  }
  return apart === 0;
}
