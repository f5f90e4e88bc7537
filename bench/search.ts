/** What the tree itself costs: simulations over a model and a reward that cost nothing; and what caches by branch save. */
import { join } from 'node:path';
import { ColaModel } from '../server/cola/model.ts';
import { type Device, openDevice } from '../server/device/device.ts';
import { Random } from '../server/random.ts';
import { BranchedModel } from '../server/search/branches.ts';
import { topCodes } from '../server/search/edges.ts';
import type { Looked, Outlook, SearchModel } from '../server/search/model.ts';
import { Search } from '../server/search/search.ts';
import type { Bench, Measure } from './measure.ts';

export interface TreeOverhead {
  readonly simulations: number;
  readonly nodes: number;
  /** Of descent, expansion, value and backup together. */
  readonly microsecondsPerSimulation: number;
  /** Heap and typed arrays at the end, in MB. */
  readonly megabytes: number;
}

/** A model whose answer to everything is at hand, with as many outlooks as the tree needs to grow unevenly. */
class FreeModel implements SearchModel<number> {
  readonly numCodes = 64;
  readonly vocabSize = 64;
  readonly endIds: ReadonlySet<number> = new Set<number>();
  readonly hasQ = false;
  readonly hasValue = true;
  readonly context = 1 << 20;
  private readonly outlooks: readonly Outlook[] = Array.from({ length: 97 }, (_, i) => ({
    policy: Float32Array.from({ length: 64 }, (_, code) => 3 * Math.sin(code * 12.9898 + i * 78.233)),
    nextTokens: Int32Array.from({ length: 64 }, (_, code) => code),
    value: 0.5 + 0.5 * Math.sin(i),
  }));

  open(): number {
    return 0;
  }

  child(state: number, token: number): number {
    return (state * 31 + token + 1) % 97;
  }

  async look(states: readonly number[]): Promise<Looked> {
    return { outlooks: states.map((state) => this.outlooks[state]), generated: states.length };
  }
}

/** Measures the overhead of a search per simulation (goal: under 50 microseconds), without a model. */
export async function benchTreeOverhead(simulations = 50_000): Promise<TreeOverhead> {
  const reward = () => ({ value: 0.5, parts: {} });
  const settings = { value: { value: 1 }, max_new: 1000, cpuct: 1.5, breadth: 4 };
  const search = new Search(new FreeModel(), [1], reward, settings);
  const measure = async (count: number) => {
    const start = performance.now();
    for await (const _ of search.run({ simulations: count })) {
      // Only the time counts.
    }
    return (performance.now() - start) * 1000;
  };
  // The first ones run before the compiler has warmed up.
  await measure(2000);
  const microseconds = await measure(simulations);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    simulations,
    nodes: search.tree.count,
    microsecondsPerSimulation: microseconds / simulations,
    megabytes: (heapUsed + arrayBuffers) / 2 ** 20,
  };
}

const promptTokens = 64;
const depth = 64;
const spines = 4;
const rounds = 10;

/** The model in the box, with a value head of random weights. */
async function boxedCola(): Promise<ColaModel> {
  const made = await ColaModel.load(join(import.meta.dirname, '../assets/nano'));
  const random = new Random(2);
  for (const { name, shape } of made.tensorsOf('value')) {
    const length = shape.reduce((n, d) => n * d, 1);
    made.weights.set(
      name,
      Float32Array.from({ length }, () => 0.02 * random.normal()),
    );
  }
  return made;
}

/** Simulations in a round of a deep search. */
const roundSize = 16;

/**
 * A search whose simulations all lie below depth 64: from the prompt some branches of 64 actions are forced, and PUCT goes
 * from one to the other.
 *
 * @param keeps `branches`: keys of all branches; `row`: those of the last sequence alone, so that what another has in common with it
 * is not read again; `nothing`: every simulation reads its whole prefix
 */
async function deepSearch(device: Device, model: ColaModel, keeps: 'branches' | 'row' | 'nothing') {
  const branches = new BranchedModel(device, model, {
    tokens: promptTokens + 2 * depth,
    rows: spines,
    ...(keeps === 'branches' ? {} : { megabytes: 0, singles: 1 }),
  });
  const prompt = Array.from({ length: promptTokens }, (_, i) => (i * 7919 + 13) % model.base.config.vocabSize);
  const settings = { value: { value: 1 }, max_new: 2 * depth, breadth: spines, cpuct: 50 };
  const search = new Search(branches, prompt, () => ({ noScore: 'not asked' }), settings);
  const { policy, nextTokens } = await search.inspect(0);
  // Actions that lead to one token lead to one branch.
  const order = topCodes(policy, policy.length);
  const apart = order.filter((code, i) => !order.slice(0, i).some((other) => nextTokens[other] === nextTokens[code]));
  if (apart.length < spines) throw new Error('the actions of the model lead to too few tokens');
  for (const first of apart.slice(0, spines)) {
    let node = await search.childFor(0, first);
    search.force(node);
    for (let at = 1; at < depth; at++) {
      const [action] = topCodes((await search.inspect(node)).policy, 1);
      node = await search.childFor(node, action);
      search.force(node);
    }
  }
  const simulate = async (simulations: number) => {
    for (let i = 0; i < simulations; i++) {
      if (keeps === 'nothing') await branches.forget();
      for await (const _ of search.run({ simulations: 1 })) {
        // Only the time counts.
      }
    }
  };
  await simulate(2 * spines);
  const read = branches.tokensRead;
  let [done, fastest] = [0, Number.POSITIVE_INFINITY];
  return {
    round: async () => {
      const started = performance.now();
      await simulate(roundSize);
      fastest = Math.min(fastest, performance.now() - started);
      done += roundSize;
    },
    close: async () => {
      const depths = search.log.entries.slice(2 * spines).map(({ node }) => search.tree.length[node]);
      if (Math.min(...depths) < depth) throw new Error(`a simulation was not at depth ${depth}`);
      const tokens = (branches.tokensRead - read) / done;
      await branches.dispose();
      return { rate: (1000 * roundSize) / fastest, tokens };
    },
  };
}

export const searchBench: Bench = {
  name: 'search',
  about:
    'what the tree costs by itself, and simulations at depth 64 with caches by branch against reading prefixes again',
  async run(name): Promise<Measure[]> {
    const tree = await benchTreeOverhead();
    const { device } = await openDevice(name);
    const model = await boxedCola();
    const searches = [
      await deepSearch(device, model, 'branches'),
      await deepSearch(device, model, 'row'),
      await deepSearch(device, model, 'nothing'),
    ];
    // In turn, so that whatever else the machine does falls on both.
    for (let round = 0; round < rounds; round++) for (const search of searches) await search.round();
    const [kept, row, nothing] = await Promise.all(searches.map(({ close }) => close()));
    await device.dispose();
    return [
      {
        name: 'tree without a model',
        value: tree.microsecondsPerSimulation,
        unit: 'microseconds a simulation',
        against: 'limit 50',
        ratio: tree.microsecondsPerSimulation / 50,
      },
      {
        name: `search at depth ${depth}, model in the box, caches by branch`,
        value: kept.rate,
        unit: 'simulations/s',
        against: `whole prefixes read again, ${nothing.rate.toFixed(1)} simulations/s`,
        ratio: kept.rate / nothing.rate,
      },
      {
        name: '  tokens read a simulation',
        value: kept.tokens,
        unit: 'tokens',
        against: `${nothing.tokens.toFixed(1)} tokens`,
        ratio: kept.tokens / nothing.tokens,
      },
      {
        name: '  beside one cache, for the last sequence',
        value: kept.rate,
        unit: 'simulations/s',
        against: `${row.rate.toFixed(1)} simulations/s, ${row.tokens.toFixed(1)} tokens`,
        ratio: kept.rate / row.rate,
      },
    ];
  },
};
