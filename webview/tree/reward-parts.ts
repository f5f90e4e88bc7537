/** What a reward is made of, told so that what is added up does add up. */
import { rewardName } from './rewards.ts';

/** One of the numbers that together are the reward. */
export interface Term {
  readonly name: string;
  readonly value: number;
  readonly weight: number;
  /** Weight times value: what it adds. */
  readonly adds: number;
}

export interface Explained {
  /** Their `adds` sum to the reward; empty where nothing that is known does. */
  readonly terms: readonly Term[];
  /** Measured beside it: explains a term, or is a property of the answer such as its length. */
  readonly measured: readonly { readonly name: string; readonly value: number }[];
}

const tolerance = 1e-6;

/**
 * @param spec the reward as a run spec has it
 * @param parts as the engine gives them: of a sum, the unweighted values of its terms, and their own parts as `term.part`
 */
export function explain(reward: number, parts: Readonly<Record<string, number | null>>, spec: unknown): Explained {
  const known = Object.entries(parts).flatMap(([name, value]) => (value === null ? [] : [{ name, value }]));
  const weights = weightsOf(spec);
  const own = known.filter(({ name }) => weights === undefined || weights.has(name));
  const terms = own.map(({ name, value }) => {
    const weight = weights?.get(name) ?? 1;
    return { name, value, weight, adds: weight * value };
  });
  const sum = terms.reduce((total, { adds }) => total + adds, 0);
  const sums = Math.abs(sum - reward) <= tolerance * Math.max(1, Math.abs(reward));
  if (!sums || terms.length === 0) return { terms: [], measured: known };
  return { terms, measured: known.filter(({ name }) => !own.some((term) => term.name === name)) };
}

/** Weight of each term of a sum, under the names that its parts have; undefined for a reward that is no sum. */
function weightsOf(spec: unknown): ReadonlyMap<string, number> | undefined {
  const sum = (spec as { readonly sum?: unknown } | null)?.sum;
  if (!Array.isArray(sum)) return undefined;
  const weights = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const { reward, weight = 1 } of sum as readonly { readonly reward?: unknown; readonly weight?: number }[]) {
    const name = isSum(reward) ? 'sum' : rewardName(reward);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    weights.set(count === 1 ? name : `${name} ${count}`, weight);
  }
  return weights;
}

const isSum = (reward: unknown) => typeof reward === 'object' && reward !== null && 'sum' in reward;
