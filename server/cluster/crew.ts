/**
 * The workers of a run. Shards go to whoever is free, gradients to who holds the shard; a worker that ends, is late or answers
 * what cannot be is replaced, and its shards are rolled out anew under the policy that they were first rolled out under. So
 * results follow from the shards alone.
 */
import { createHash } from 'node:crypto';
import { size } from '../graph/tensor.ts';
import { stringifySpec } from '../spec/document.ts';
import type { GradientPart, ShardGradient, ShardOutcome, Shards } from '../train/reinforce/shards/shard.ts';
import type { Start } from '../train/reinforce/starts.ts';
import type { HireOptions } from '../train/run/hiring.ts';
import type { Metrics } from '../train/stage.ts';
import { type Carrier, WorkerFault } from './carrier.ts';
import { clusterErrors } from './errors.ts';
import { Outgoing } from './frames.ts';
import { ShardQueue } from './queue.ts';
import { type Spent, WorkerSeat } from './worker-seat.ts';

/** How often a shard is begun before the run ends: it may be what ends its workers. */
const mostAttempts = 8;

/** The round that is under way. */
interface Round {
  readonly number: number;
  readonly shards: readonly (readonly Start[])[];
  /** The policy that it was rolled out under. */
  readonly policy: Outgoing;
  /** Of what each shard came to. */
  readonly hashes: Map<number, string>;
}

/** A gradient whose memory is lent until it is given back. */
interface Arrived extends ShardGradient {
  readonly release: (() => void) | undefined;
}

export class Crew implements Shards {
  private readonly seats: readonly WorkerSeat[];
  private readonly lengths: readonly number[];
  private opening: Promise<Outgoing> | undefined;
  private round: Round | undefined;
  private restarts = 0;
  private since = performance.now();

  constructor(
    private readonly carrier: Carrier,
    private readonly options: HireOptions,
  ) {
    const { settings, weights, policy, say } = options;
    this.seats = Array.from({ length: settings.workers }, (_, i) => new WorkerSeat(i, carrier, settings.timeout, say));
    this.lengths = policy.trained.map((name) => size(weights.state.get(name).shape));
  }

  async rollouts(
    number: number,
    shards: readonly (readonly Start[])[],
    signal: AbortSignal,
  ): Promise<readonly ShardOutcome[]> {
    const round: Round = { number, shards, policy: await this.policy(), hashes: new Map() };
    this.round = round;
    for (const { holds } of this.seats) holds.clear();
    const outcomes: ShardOutcome[] = [];
    const each = async (seat: WorkerSeat, shard: number) => {
      outcomes[shard] = await this.rollOut(seat, round, shard);
    };
    await this.all(
      shards.map((_, shard) => shard),
      () => () => 0,
      each,
      signal,
    );
    return outcomes;
  }

  async gradients(
    part: GradientPart,
    shards: readonly number[],
    take: (shard: number, gradient: ShardGradient) => void,
  ): Promise<void> {
    const { round } = this;
    if (round?.number !== part.round) throw new Error(`round ${part.round} was not rolled out`);
    const policy = part.minibatch === 0 ? round.policy : await this.policy();
    // They may come in any order, and are added in one.
    const waiting = new Map<number, Arrived>();
    let next = 0;
    const arrived = (shard: number, gradient: Arrived) => {
      waiting.set(shard, gradient);
      for (; next < shards.length; next++) {
        const due = waiting.get(shards[next]);
        if (due === undefined) return;
        waiting.delete(shards[next]);
        take(shards[next], due);
        due.release?.();
      }
    };
    const suspects = new Set<number>();
    const each = async (seat: WorkerSeat, shard: number) => {
      if (!seat.holds.has(shard)) await this.rollOut(seat, round, shard);
      await seat.learnOf(policy);
      const gradient = await this.gradient(seat, part, shard);
      // Training may diverge; that only one worker finds so is its own fault.
      if (!finite(gradient) && !suspects.has(shard)) {
        suspects.add(shard);
        throw new WorkerFault(`its gradient of shard ${shard} is not finite`);
      }
      arrived(shard, gradient);
    };
    const held = (shard: number) => this.seats.find(({ holds }) => holds.has(shard));
    const rank = (seat: WorkerSeat) => (shard: number) => {
      const holder = held(shard);
      return holder === seat ? 1 : holder === undefined ? 0 : -1;
    };
    await this.all(shards, rank, each);
  }

  private async rollOut(seat: WorkerSeat, { number: round, shards, policy, hashes }: Round, shard: number) {
    await seat.learnOf(policy);
    const starts = shards[shard].map(({ prompt, seeds }) => ({ prompt: { ...prompt, ids: [...prompt.ids] }, seeds }));
    const asked = Outgoing.of({ kind: 'rollout', round, shard, starts });
    const { answer } = await seat.ask(asked, 'outcome', 0);
    const { outcome } = answer;
    const { minibatches } = this.options.spec.stages[this.options.at].settings as { minibatches: number };
    const groups = shards[shard].flatMap(({ seeds }, g) => seeds.map(() => g));
    if (outcome.rows.length !== groups.length || outcome.rows.some(({ group }, i) => group !== groups[i]))
      throw new WorkerFault(`it rolled out ${outcome.rows.length} answers in place of ${groups.length}`);
    if (outcome.weights.length !== minibatches)
      throw new WorkerFault(`it has ${outcome.weights.length} minibatches in place of ${minibatches}`);
    const { seconds: _, ...rest } = outcome;
    const hash = createHash('sha256').update(JSON.stringify(rest)).digest('hex');
    const before = hashes.get(shard);
    if (before !== undefined && before !== hash) throw clusterErrors.differs(seat.name, shard);
    hashes.set(shard, hash);
    seat.holds.add(shard);
    seat.count('rollout', answer.seconds);
    return outcome;
  }

  private async gradient(
    seat: WorkerSeat,
    { round, minibatch, whitening }: GradientPart,
    shard: number,
  ): Promise<Arrived> {
    const asked = Outgoing.of({ kind: 'gradient', round, shard, minibatch, whitening });
    const most = this.lengths.reduce((a, b) => a + b, 0);
    const { answer, floats, release } = await seat.ask(asked, 'gradient', most);
    if (floats.length !== this.lengths.length || floats.some(({ length }, i) => length !== this.lengths[i]))
      throw new WorkerFault(`its gradient of shard ${shard} has another shape than the policy`);
    seat.count('gradient', answer.seconds);
    return { loss: answer.loss, metrics: answer.metrics, gradients: floats, release };
  }

  /**
   * Has something done with each of the shards.
   *
   * @param rank of a shard for a worker: the higher the sooner, below 0 never
   */
  private async all(
    shards: readonly number[],
    rank: (seat: WorkerSeat) => (shard: number) => number,
    each: (seat: WorkerSeat, shard: number) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const queue = new ShardQueue(shards);
    const attempts = new Map<number, number>();
    const work = async (seat: WorkerSeat) => {
      while (!queue.over) {
        let shard: number | undefined;
        try {
          // What those do that are there is not kept waiting by one for whom there is no place.
          await Promise.race([seat.ready(await this.open()), queue.ended]);
          if (queue.over) return;
          shard = queue.take(rank(seat));
          if (shard === undefined) {
            await queue.wait();
            continue;
          }
          await each(seat, shard);
          queue.done();
        } catch (error) {
          if (!(error instanceof WorkerFault)) throw error;
          if (queue.over) return;
          const { name } = seat;
          this.replaced(seat, error.message);
          if (shard === undefined) continue;
          const begun = (attempts.get(shard) ?? 0) + 1;
          attempts.set(shard, begun);
          if (begun >= mostAttempts) throw clusterErrors.failed(name, shard, error.message);
          queue.giveBack(shard);
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
    const { say, settings } = this.options;
    seat.leave();
    seat.restarts++;
    this.restarts++;
    if (this.restarts > settings.restarts) throw clusterErrors.lost(this.restarts, name, reason);
    say(`${name} is replaced: ${reason}.`);
  }

  /** What every worker is told first: the same message for all, by which it is known who has it. */
  private open(): Promise<Outgoing> {
    this.opening ??= this.opened();
    return this.opening;
  }

  private async opened(): Promise<Outgoing> {
    const { spec, specFile, at, settings, weights, policy, others, origin } = this.options;
    const names = others();
    const reference = policy.reference();
    const floats = [
      ...(await Promise.all(names.map((name) => weights.read(name)))),
      ...(await Promise.all(policy.trained.map((name) => reference.get(name).readFloats()))),
    ];
    const { shards } = settings;
    const text = stringifySpec(spec);
    const head = { kind: 'open', spec: text, specFile, at, shards, origin, others: names, reference: policy.trained };
    return Outgoing.of(head, floats);
  }

  /** The policy as it is now. */
  private async policy(): Promise<Outgoing> {
    const { weights, policy } = this.options;
    const copies = policy.trained.map(async (name) => (await weights.read(name)).slice());
    return Outgoing.of({ kind: 'policy' }, await Promise.all(copies));
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

/** Whether all numbers of a gradient are. */
function finite({ loss, gradients }: ShardGradient): boolean {
  // What is no number, or without bound, is no 0 when it is multiplied by it, and no sum of such is 0.
  let apart = 0 * loss;
  for (const values of gradients) {
    const { length } = values;
    for (let i = 0; i < length; i++) apart += 0 * values[i];
  }
  return apart === 0;
}
