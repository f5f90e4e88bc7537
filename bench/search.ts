/** What the tree itself costs: simulations over a model and a reward that cost nothing. */
import type { Looked, Outlook, SearchModel } from '../server/search/model.ts';
import { Search } from '../server/search/search.ts';

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
