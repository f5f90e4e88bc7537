/** What a step costs at three sizes of base, from what was measured at the smallest, and how far workers help. */
import { type Plan, type Scheme, type Simulated, simulate } from './simulation.ts';

/** Measured at the model in the box, on one core of one worker. */
export interface Calibration {
  /** Seconds for a token that is rolled out, and of a minibatch's gradient for a token that is learned from. */
  readonly rollout: number;
  readonly gradient: number;
  /** How much shards differ: deviation of their rollouts over the mean. */
  readonly spread: number;
  /** Bytes of an outcome for a token. */
  readonly outcome: number;
  /** Of the learner, for each byte of a gradient. */
  readonly secondsPerByte: number;
  /** Parameters of the base and of the policy, and numbers of a hidden state. */
  readonly base: number;
  readonly policy: number;
  readonly hidden: number;
}

export interface Size {
  readonly name: string;
  /** Parameters of the base and of the policy, and numbers of a hidden state. */
  readonly base: number;
  readonly policy: number;
  readonly hidden: number;
}

/** Parameters of one block of Llama's kind. */
export const blockOf = (hidden: number, keys: number, inner: number) =>
  2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * inner + 2 * hidden;

/** A policy of one block beside the larger ones, with 64 codes. */
export const sizesOf = ({ base, policy, hidden }: Calibration): readonly Size[] => [
  { name: '7 M', base, policy, hidden },
  { name: '0.5 B', base: 494e6, policy: blockOf(896, 128, 4864) + 64 * 896, hidden: 896 },
  { name: '8 B', base: 8.03e9, policy: blockOf(4096, 1024, 14_336) + 64 * 4096, hidden: 4096 },
];

/** A round of a thousand groups, as larger runs have them. */
export const round = { shards: 1024, minibatches: 2, rows: 8, tokens: 256 } as const;
export const workerCounts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;
/** Gigabits a second. */
export const links = [1, 10, 100] as const;
/** How fast a worker is: a core as it was measured, and one that is so many times as fast, as a card may be. */
export const speeds = [1, 100] as const;
const latency = 2e-4;
const seeds = [1, 2, 3];

/** What is learned: the policy in one of three ways, or the whole base over tokens. */
export const ways = ['gradients', 'sums', 'hidden', 'base'] as const;
export type Way = (typeof ways)[number];

export interface Case {
  readonly size: string;
  readonly way: Way;
  readonly gigabits: number;
  readonly speed: number;
}

export interface Point extends Simulated {
  readonly workers: number;
  /** Over one worker. */
  readonly speedup: number;
}

export interface Result extends Case {
  readonly points: readonly Point[];
  /** The most workers of which each does at least half of what one alone does. */
  readonly good: number;
  /** What keeps more of them from helping: what is busiest where there are twice as many. Undefined where nothing does. */
  readonly limit: 'workers' | 'link' | 'learner' | undefined;
}

/** Time grows with the parameters that it is spent on; 135 M and 7 M parameters decode in the ratio 16 where those are 19. */
export function planOf(calibration: Calibration, size: Size, way: Way, gigabits: number, speed: number): Plan {
  const tokens = round.rows * round.tokens;
  const trained = way === 'base' ? size.base : size.policy;
  const gradient = (calibration.gradient * tokens * (trained / calibration.policy)) / round.minibatches;
  const scheme: Scheme = way === 'base' ? 'gradients' : way;
  return {
    scheme,
    workers: 1,
    shards: round.shards,
    minibatches: round.minibatches,
    rollout: (calibration.rollout * tokens * (size.base / calibration.base)) / speed,
    spread: calibration.spread,
    gradient: gradient / speed,
    own: gradient / speed,
    policy: 4 * trained,
    outcome: calibration.outcome * tokens,
    hidden: 4 * size.hidden * tokens,
    secondsPerByte: calibration.secondsPerByte,
    bytesPerSecond: (gigabits * 1e9) / 8,
    latency,
    seed: 0,
  };
}

export function resultOf(calibration: Calibration, size: Size, way: Way, gigabits: number, speed: number): Result {
  const plan = planOf(calibration, size, way, gigabits, speed);
  const at = (workers: number) => meanOf(seeds.map((seed) => simulate({ ...plan, workers, seed })));
  const alone = at(1).seconds;
  const points = workerCounts.map((workers) => {
    const found = at(workers);
    return { workers, ...found, speedup: alone / found.seconds };
  });
  const weak = points.findIndex(({ workers, speedup }) => speedup < workers / 2);
  const good = points[weak < 0 ? points.length - 1 : weak - 1].workers;
  const { busy, link, learner } = points[weak < 0 ? points.length - 1 : weak];
  const busiest = busy >= Math.max(link, learner) ? 'workers' : link >= learner ? 'link' : 'learner';
  return { size: size.name, way, gigabits, speed, points, good, limit: weak < 0 ? undefined : busiest };
}

export function allResults(calibration: Calibration): Result[] {
  return speeds.flatMap((speed) =>
    links.flatMap((gigabits) =>
      sizesOf(calibration).flatMap((size) => ways.map((way) => resultOf(calibration, size, way, gigabits, speed))),
    ),
  );
}

function meanOf(all: readonly Simulated[]): Simulated {
  const mean = (of: (one: Simulated) => number) => all.reduce((sum, one) => sum + of(one), 0) / all.length;
  return {
    seconds: mean(({ seconds }) => seconds),
    rollout: mean(({ rollout }) => rollout),
    busy: mean(({ busy }) => busy),
    link: mean(({ link }) => link),
    learner: mean(({ learner }) => learner),
  };
}
