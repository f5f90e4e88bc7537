/**
 * The graph of a training step, compiled as one program where nobody waits, and as a chain that gives way while somebody does.
 * Both compute the same numbers, bit for bit, so it does not matter when one takes the place of the other.
 */
import type { DeviceBuffer } from '../../device/buffer.ts';
import type { Device } from '../../device/device.ts';
import type { Feed, Program, RunOptions } from '../../device/program.ts';
import { secondsOf } from '../../graph/cost.ts';
import { plannedMemory } from '../../graph/planned.ts';
import { reachable, type Tensor } from '../../graph/tensor.ts';
import { Chain, type CrossingMemory } from './chain.ts';

/** Others who compute on the same device. */
export interface Sharing {
  /** Awaited between runs of the device, so that others may go first. */
  readonly turn?: () => Promise<void>;
  /** Seconds that a run should take at most, because somebody waits for its end; Infinity while nobody does. */
  readonly longestRun?: () => number;
}

export interface StepOutputs {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Outputs that replace the state they came from. */
  readonly carried: readonly string[];
  /** Outputs that are written to memory of the host which every run brings. */
  readonly into: readonly string[];
  /** Outputs that come to the host. */
  readonly metricNames: readonly string[];
}

/** A chain is cut anew when its programs take so much longer than they should. */
const tooLong = 2;
const mostCuts = 2;
/** A machine is taken to be at most so many times slower or faster than the estimate says: the rest is other work on it. */
const mostPace = 4;

export class StepProgram {
  private form: Program | Chain | undefined;
  /** Seconds of the whole graph, by its shapes. */
  private readonly estimate: number;
  /** How much longer than that it takes here. */
  private pace = 1;
  /** The longest run that the chain was cut for, and the pace it was cut at. */
  private cutFor = { longest: 0, pace: 0, times: 0 };

  constructor(
    private readonly device: Device,
    private readonly step: StepOutputs,
    private readonly memory: CrossingMemory,
    private readonly sharing: Sharing,
  ) {
    this.estimate = reachable(Object.values(step.outputs)).reduce((sum, tensor) => sum + secondsOf(tensor), 0);
  }

  /** What it holds of memory between its runs: as one program, which is the most. */
  get bytes(): number {
    const { outputs, into } = this.step;
    return plannedMemory(
      Object.values(outputs),
      into.map((name) => outputs[name]),
    ).bytes;
  }

  get metricNames(): readonly string[] {
    return this.step.metricNames;
  }

  /** How many programs it is now. */
  get pieces(): number {
    return this.form instanceof Chain ? this.form.count : 1;
  }

  /** Compiles what the next run needs. */
  async prepare(): Promise<Program | Chain> {
    const longest = this.device.onHost ? (this.sharing.longestRun?.() ?? Number.POSITIVE_INFINITY) : Infinity;
    const { form, pace, cutFor } = this;
    if (this.estimate * pace <= longest) {
      if (form !== undefined && !(form instanceof Chain)) return form;
      // What it takes in memory goes before the other takes its own.
      await this.dispose();
      const { outputs, carried } = this.step;
      this.form = await this.device.compile(outputs, { carried });
      return this.form;
    }
    const slow = pace > tooLong * cutFor.pace && cutFor.times < mostCuts;
    if (form instanceof Chain && cutFor.longest === longest && !slow) return form;
    await this.dispose();
    const { memory, sharing } = this;
    const { outputs, into } = this.step;
    const limit = longest / pace;
    this.cutFor = { longest, pace, times: cutFor.longest === longest ? cutFor.times + 1 : 1 };
    this.form = await Chain.compile(this.device, outputs, { limit, memory, into, turn: sharing.turn });
    return this.form;
  }

  async run(feeds: Readonly<Record<string, Feed>>, options: RunOptions): Promise<Record<string, DeviceBuffer>> {
    const form = await this.prepare();
    const { turn } = this.sharing;
    let waited = 0;
    const waiting = async () => {
      const since = performance.now();
      await turn?.();
      waited += performance.now() - since;
    };
    const started = performance.now();
    const results = form instanceof Chain ? await form.run(feeds, options, waiting) : await form.run(feeds, options);
    const pace = (performance.now() - started - waited) / 1000 / this.estimate;
    this.pace = Math.min(mostPace, Math.max(1 / mostPace, pace));
    return results;
  }

  async dispose(): Promise<void> {
    const { form } = this;
    this.form = undefined;
    await form?.dispose();
  }
}
