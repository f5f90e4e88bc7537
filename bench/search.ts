/** What the tree itself costs: simulations over a model and a reward that cost nothing; and what caches by branch save. */
import type { ColaModel } from '../server/cola/model.ts';
import { type Device, openDevice } from '../server/device/device.ts';
import { Random } from '../server/random.ts';
import { BranchedModel } from '../server/search/branches.ts';
import { topCodes } from '../server/search/edges.ts';
import type { Looked, Outlook, SearchModel } from '../server/search/model.ts';
import { Search } from '../server/search/search.ts';
import { controlSettings } from '../server/spec/settings.ts';
import { prepareModules } from '../server/train/initialise.ts';
import { type Bench, type Measure, times } from './measure.ts';
import { randomModel } from './shapes.ts';

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

/** The 7 M shape with a policy, a world model and a value head, all random. */
function randomCola(): ColaModel {
  const base = randomModel('7M');
  const sizes = { data: '-', codes: 64, idm_layers: 1, policy_layers: 2, merge_layers: 1 };
  const made = prepareModules({ name: 'control', settings: controlSettings.parse(sizes) }, base, undefined, 1);
  if (made === undefined) throw new Error('no modules were made');
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

/**
 * A search whose simulations all lie below depth 64: from the prompt some branches of 64 actions are forced, and PUCT goes
 * from one to the other.
 *
 * @param megabytes memory for keys of branches; 0 reads every prefix again that the working row does not hold
 * @returns milliseconds a simulation, the fastest of the rounds, and tokens read by the model a simulation
 */
async function deepSearch(device: Device, model: ColaModel, megabytes: number, rounds: number) {
  const branches = new BranchedModel(device, model, { tokens: promptTokens + 2 * depth, rows: spines, megabytes });
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
    for await (const _ of search.run({ simulations })) {
      // Only the time counts.
    }
  };
  await simulate(2 * spines);
  const read = branches.tokensRead;
  const size = 16;
  const taken = await times(rounds, 0, () => simulate(size));
  const tokens = (branches.tokensRead - read) / (rounds * size);
  const depths = search.log.entries.map(({ node }) => search.tree.length[node]);
  const shallowest = Math.min(...depths.slice(2 * spines));
  await branches.dispose();
  return { ms: Math.min(...taken) / size, tokens, shallowest };
}

export const searchBench: Bench = {
  name: 'search',
  about:
    'what the tree costs by itself, and simulations at depth 64 with caches by branch against reading prefixes again',
  async run(): Promise<Measure[]> {
    const tree = await benchTreeOverhead();
    const { device } = await openDevice('cpu');
    const model = randomCola();
    const kept = await deepSearch(device, model, 1024, 6);
    const again = await deepSearch(device, model, 0, 6);
    await device.dispose();
    if (kept.shallowest < depth || again.shallowest < depth) throw new Error(`a simulation was not at depth ${depth}`);
    const rate = ({ ms }: { ms: number }) => 1000 / ms;
    return [
      {
        name: 'tree without a model',
        value: tree.microsecondsPerSimulation,
        unit: 'microseconds a simulation',
        against: 'limit 50',
        ratio: tree.microsecondsPerSimulation / 50,
      },
      {
        name: `search at depth ${depth}, 7M, caches by branch`,
        value: rate(kept),
        unit: 'simulations/s',
        against: `prefixes read again, ${rate(again).toFixed(1)} simulations/s`,
        ratio: rate(kept) / rate(again),
      },
      {
        name: '  tokens read a simulation',
        value: kept.tokens,
        unit: 'tokens',
        against: `${again.tokens.toFixed(1)} tokens`,
        ratio: kept.tokens / again.tokens,
      },
    ];
  },
};
