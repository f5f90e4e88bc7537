/**
 * A step of reinforcement by many workers as a simulation of discrete events: rollouts in shards, gradients, policies, and the links
 * that they travel on. Every node has one link, of the same speed in both directions; what is sent to or from a node waits for what
 * was sent before. The same plan always gives the same numbers.
 */
import { Random } from '../../server/random.ts';

/** What comes back from a worker after its rollouts. */
export const schemes = ['gradients', 'sums', 'hidden'] as const;
/**
 * - `gradients`: one for each shard, which the learner adds in order (as it is built)
 * - `sums`: workers add them by pairs, in a tree that the shards make, and the learner gets one
 * - `hidden`: the hidden states, from which the learner computes all gradients
 */
export type Scheme = (typeof schemes)[number];

export interface Plan {
  readonly scheme: Scheme;
  readonly workers: number;
  readonly shards: number;
  readonly minibatches: number;
  /** Seconds that one shard takes: its rollout on average, how much that varies (deviation over mean), a minibatch's gradient of it. */
  readonly rollout: number;
  readonly spread: number;
  readonly gradient: number;
  /** Bytes of a policy, which are those of a gradient, of a shard's outcome, and of its hidden states. */
  readonly policy: number;
  readonly outcome: number;
  readonly hidden: number;
  /** Of the learner, for each byte that is added: receiving, adding, and its share of the update. */
  readonly secondsPerByte: number;
  /** Seconds of the learner's gradient of a shard's minibatch. */
  readonly own: number;
  /** Of a link. */
  readonly bytesPerSecond: number;
  readonly latency: number;
  readonly seed: number;
}

export interface Simulated {
  /** From the policy's leaving to the last update. */
  readonly seconds: number;
  /** Of those, until the last outcome was there, the first policy's way included. */
  readonly rollout: number;
  /** Share of the time in which workers computed, on average. */
  readonly busy: number;
  /** Share in which the learner's link, and the learner, did something. */
  readonly link: number;
  readonly learner: number;
}

/** Something that does one thing after the other. */
class Line {
  free = 0;
  busy = 0;

  /** @returns when it is done that begins at `from` at the soonest */
  take(from: number, seconds: number): number {
    this.free = Math.max(this.free, from) + seconds;
    this.busy += seconds;
    return this.free;
  }
}

/** What will happen, soonest first; of equal times, by number. */
class Agenda {
  private readonly heap: (readonly [time: number, who: number])[] = [];

  get size(): number {
    return this.heap.length;
  }

  add(time: number, who: number): void {
    const { heap } = this;
    heap.push([time, who]);
    for (let i = heap.length - 1; i > 0; ) {
      const above = (i - 1) >> 1;
      if (!sooner(heap[i], heap[above])) break;
      [heap[i], heap[above]] = [heap[above], heap[i]];
      i = above;
    }
  }

  next(): readonly [time: number, who: number] {
    const { heap } = this;
    const [first] = heap;
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ; ) {
        const below = [2 * i + 1, 2 * i + 2].filter((j) => j < heap.length);
        const best = below.reduce((a, b) => (sooner(heap[b], heap[a]) ? b : a), i);
        if (best === i) break;
        [heap[i], heap[best]] = [heap[best], heap[i]];
        i = best;
      }
    }
    return first;
  }
}

type Entry = readonly [time: number, who: number];
const sooner = (a: Entry, b: Entry) => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

export function simulate(plan: Plan): Simulated {
  return new Step(plan).run();
}

class Step {
  private readonly workers: number[];
  /** The learner's link in both directions, and the learner. */
  private readonly down = new Line();
  private readonly up = new Line();
  private readonly learner = new Line();
  private computed = 0;

  constructor(private readonly plan: Plan) {
    this.workers = Array.from({ length: plan.workers }, (_, i) => i);
  }

  run(): Simulated {
    const { plan } = this;
    const ready = this.broadcast(0);
    const { held, outcomes } = this.rollouts(ready);
    let now = Math.max(...outcomes);
    const rollout = now;
    for (let m = 0; m < plan.minibatches; m++) {
      if (plan.scheme === 'hidden') {
        for (let shard = 0; shard < plan.shards; shard++) now = this.learner.take(now, plan.own);
        now = this.learner.take(now, plan.policy * plan.secondsPerByte);
        continue;
      }
      // Workers have the policy that they rolled out under.
      const begun = m === 0 ? this.workers.map(() => now) : this.broadcast(now);
      now = plan.scheme === 'gradients' ? this.gradients(begun, held) : this.sums(begun, held);
    }
    const share = (seconds: number) => Math.min(1, seconds / now);
    return {
      seconds: now,
      rollout,
      busy: share(this.computed / plan.workers),
      link: share(Math.max(this.down.busy, this.up.busy)),
      learner: share(this.learner.busy),
    };
  }

  private sending(bytes: number): number {
    return this.plan.latency + bytes / this.plan.bytesPerSecond;
  }

  /** The policy goes from whoever has it to whoever has not, as Ray's store hands objects on. @returns when each worker has it */
  private broadcast(from: number): number[] {
    const has = new Agenda();
    const learner = -1;
    has.add(from, learner);
    const seconds = this.sending(this.plan.policy);
    return this.workers.map((worker) => {
      const [since, sender] = has.next();
      const there = sender === learner ? this.up.take(since, seconds) : since + seconds;
      has.add(there, sender);
      has.add(there, worker);
      return there;
    });
  }

  /** Whoever is free takes the next shard. */
  private rollouts(ready: readonly number[]): { held: number[]; outcomes: number[] } {
    const { plan } = this;
    const free = new Agenda();
    for (const worker of this.workers) free.add(ready[worker], worker);
    const held = this.workers.map(() => 0);
    const sent: Entry[] = [];
    const bytes = plan.outcome + (plan.scheme === 'hidden' ? plan.hidden : 0);
    for (let shard = 0; shard < plan.shards; shard++) {
      const [since, worker] = free.next();
      const seconds = plan.rollout * variation(plan, shard);
      this.computed += seconds;
      held[worker]++;
      sent.push([since + seconds, worker]);
      free.add(since + seconds + this.sending(bytes), worker);
    }
    const outcomes = inOrder(sent).map(([time]) => this.down.take(time, this.sending(bytes)));
    return { held, outcomes };
  }

  /** Each worker computes a gradient, sends it, and begins the next when it is there. @returns when the policy has learned */
  private gradients(begun: readonly number[], held: readonly number[]): number {
    const { plan } = this;
    const done = new Agenda();
    const left = [...held];
    const compute = (worker: number, from: number) => {
      if (left[worker]-- === 0) return;
      this.computed += plan.gradient;
      done.add(from + plan.gradient, worker);
    };
    for (const worker of this.workers) compute(worker, begun[worker]);
    let now = 0;
    while (done.size > 0) {
      const [time, worker] = done.next();
      const there = this.down.take(time, this.sending(plan.policy));
      now = Math.max(now, this.learner.take(there, plan.policy * plan.secondsPerByte));
      compute(worker, there);
    }
    return now;
  }

  /** Each adds its own, then pairs of workers theirs. */
  private sums(begun: readonly number[], held: readonly number[]): number {
    const { plan } = this;
    const adding = plan.policy * plan.secondsPerByte;
    let times = this.workers.flatMap((worker) => {
      if (held[worker] === 0) return [];
      this.computed += held[worker] * plan.gradient;
      return [begun[worker] + held[worker] * plan.gradient + (held[worker] - 1) * adding];
    });
    while (times.length > 1) {
      const pairs: number[] = [];
      for (let i = 0; i < times.length; i += 2) {
        const partner = times[i + 1];
        pairs.push(partner === undefined ? times[i] : Math.max(times[i], partner + this.sending(plan.policy)) + adding);
      }
      times = pairs;
    }
    const there = this.down.take(times[0], this.sending(plan.policy));
    return this.learner.take(there, adding);
  }
}

const inOrder = (entries: readonly Entry[]) => [...entries].sort((a, b) => a[0] - b[0] || a[1] - b[1]);

/** Of a shard's time, log-normal with mean 1: answers differ in length, and with them shards. */
function variation({ spread, seed }: Plan, shard: number): number {
  const deviation = Math.sqrt(Math.log(1 + spread ** 2));
  const random = new Random(seed * 65_537 + shard);
  return Math.exp(deviation * random.normal() - deviation ** 2 / 2);
}
