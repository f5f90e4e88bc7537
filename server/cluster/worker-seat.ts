/** One of a run's workers, whichever process fills its place now: what it was told, what it holds, and what it cost. */
import type { z } from 'zod';
import { ColaError } from '../errors.ts';
import { fromWire } from '../protocol/errors.ts';
import { arrivalText } from '../protocol/figures/workers.ts';
import { type Carrier, type Link, WorkerFault } from './carrier.ts';
import { clusterErrors } from './errors.ts';
import type { Outgoing } from './frames.ts';
import { type Answer, answer } from './messages.ts';

/** The kind of error that says no more than that something broke. */
const unexplained = 'protocol.internal';

/** How long a worker may be on its way before that is told. */
const patienceMs = 30_000;

/** Seconds, bytes, and shards that were rolled out. */
export interface Spent {
  /** Between requests and answers. */
  called: number;
  /** Of those, what loading the model took, and what was computed. */
  opening: number;
  rollout: number;
  gradient: number;
  sent: number;
  received: number;
  shards: number;
}

const nothingSpent = (): Spent => ({
  called: 0,
  opening: 0,
  rollout: 0,
  gradient: 0,
  sent: 0,
  received: 0,
  shards: 0,
});

export class WorkerSeat {
  /** The policy that it has. */
  policy: Outgoing | undefined;
  /** Shards that it has rolled out and keeps. */
  readonly holds = new Set<number>();
  /** How often another took its place. */
  restarts = 0;
  private spent = nothingSpent();
  private link: Link | undefined;
  private told: Outgoing | undefined;
  private arriving: Promise<void> | undefined;

  /** @param number from 0 */
  constructor(
    readonly number: number,
    private readonly carrier: Carrier,
    /** Seconds that a request may take. */
    private readonly limit: number,
    private readonly say: (text: string) => void,
  ) {}

  /** What it is called. */
  get name(): string {
    const { hello } = this.link ?? {};
    return `Worker ${this.number + 1}${hello === undefined ? '' : ` on ${hello.host} (process ${hello.process})`}`;
  }

  /**
   * Sees to it that somebody is there who has been told what to work for. Where there is no place for a worker that takes a while;
   * whoever asks meanwhile waits for the same one.
   *
   * @throws WorkerFault; cluster.version; what keeps it from beginning
   */
  ready(open: Outgoing): Promise<void> {
    if (this.arriving === undefined) {
      this.arriving = this.arrive(open).finally(() => {
        this.arriving = undefined;
      });
      // Who asked may have gone on without it.
      this.arriving.catch(() => {});
    }
    return this.arriving;
  }

  private async arrive(open: Outgoing): Promise<void> {
    if (this.link === undefined) {
      const waits = setTimeout(() => this.say(`${this.name} waits for a place.`), patienceMs);
      try {
        this.link = await this.carrier.start(this.number);
      } finally {
        clearTimeout(waits);
      }
      const { version, code, cpu, host, process } = this.link.hello;
      const own = this.carrier.identity;
      if (version !== own.version || code !== own.code) {
        const { name } = this;
        this.leave();
        throw clusterErrors.version(name, `${version} (${code})`, `${own.version} (${own.code})`);
      }
      this.say(arrivalText({ number: this.number + 1, host, process, device: cpu }));
    }
    if (this.told === open) return;
    const found = await this.ask(open, 'done', 0).catch((error: unknown) => {
      // Whoever takes its place would meet the same.
      throw error instanceof ColaError && !error.id.startsWith('cluster.')
        ? clusterErrors.cannotBegin(this.name, error.message, error.remedy)
        : error;
    });
    this.count('opening', found.answer.seconds);
    this.told = open;
  }

  /** Brings it the policy, unless it has it. */
  async learnOf(policy: Outgoing): Promise<void> {
    if (this.policy === policy) return;
    this.policy = undefined;
    await this.ask(policy, 'done', 0);
    this.policy = policy;
  }

  /**
   * Sends a request and waits for an answer of a kind.
   *
   * @param shards that it is about
   * @throws WorkerFault where it breaks, is late or answers something else; a ColaError that it met
   */
  async ask<K extends Answer['kind']>(message: Outgoing, kind: K, mostFloats: number, shards = 1) {
    const { link } = this;
    if (link === undefined) throw new WorkerFault('it is gone');
    const started = performance.now();
    const limit = this.limit * shards;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      link.end();
    }, limit * 1000);
    try {
      const { head, floats, release } = await link.call(message, mostFloats);
      const parsed = answer.safeParse(head);
      if (!parsed.success) throw new WorkerFault(`its answer is none: ${firstOf(parsed.error)}`);
      const said = parsed.data;
      if (said.kind === 'error') {
        if (said.id === unexplained) throw new WorkerFault(`it failed: ${said.message}`);
        throw fromWire(said);
      }
      if (said.kind !== kind) throw new WorkerFault(`it answered with ${said.kind} where ${kind} was asked for`);
      this.spent.sent += message.bytes;
      this.spent.received += floats.reduce((sum, { byteLength }) => sum + byteLength, 0);
      return { answer: said as Extract<Answer, { kind: K }>, floats, release };
    } catch (error) {
      throw late ? new WorkerFault(`it did not answer within ${limit} s`) : error;
    } finally {
      clearTimeout(timer);
      this.spent.called += (performance.now() - started) / 1000;
    }
  }

  /** Notes seconds that it computed, and a shard where it rolled one out. */
  count(at: 'opening' | 'rollout' | 'gradient', seconds: number): void {
    this.spent[at] += seconds;
    if (at === 'rollout') this.spent.shards++;
  }

  /** What it cost since this was last asked, and begins anew. */
  costs(): Spent {
    const { spent } = this;
    this.spent = nothingSpent();
    return spent;
  }

  /** Ends who is there; the next {@link ready} brings another. */
  leave(): void {
    this.link?.end();
    this.link = undefined;
    this.told = undefined;
    this.policy = undefined;
    this.holds.clear();
  }
}

const firstOf = ({ issues: [issue] }: z.ZodError) => `${issue?.path.join('.')}: ${issue?.message}`;
