/** What workers are hired for, and what they are told first. */
import type { MeasurePlan } from '../evaluate/measuring.ts';
import { size } from '../graph/tensor.ts';
import { stringifySpec } from '../spec/document.ts';
import type { ClusterSettings } from '../spec/settings/cluster.ts';
import type { HireOptions } from '../train/run/hiring.ts';
import { Outgoing } from './frames.ts';

export interface Employment {
  readonly settings: ClusterSettings;
  readonly say: (text: string) => void;
  /** How many numbers each array of a gradient has; none where nothing is learned. */
  readonly lengths: readonly number[];
  /** What every worker is told first. */
  open(): Promise<Outgoing>;
  /** The weights that change, as they are now. */
  policy(): Promise<Outgoing>;
}

/** Work for a stage of a run. */
export function stageWork(options: HireOptions): Employment {
  const { spec, specFile, at, settings, weights, work, others, origin, say } = options;
  const { learned, sent = learned, detail } = work;
  return {
    settings,
    say,
    lengths: learned.map((name) => size(weights.state.get(name).shape)),
    async open() {
      const names = others();
      const start = work.reference?.();
      const reference = start === undefined ? [] : learned;
      const floats = [
        ...(await Promise.all(names.map((name) => weights.read(name)))),
        ...(await Promise.all(reference.flatMap((name) => start?.get(name).readFloats() ?? []))),
      ];
      const { shards } = settings;
      const text = stringifySpec(spec);
      const head = { kind: 'open', spec: text, specFile, at, shards, detail, origin, others: names, reference };
      return Outgoing.of(head, floats, true);
    },
    async policy() {
      const copies = await Promise.all(sent.map(async (name) => (await weights.read(name)).slice()));
      return Outgoing.of({ kind: 'policy' }, copies, true);
    },
  };
}

/** Work for a measurement: nothing changes meanwhile. */
export function measuringWork(plan: MeasurePlan, settings: ClusterSettings, say: (text: string) => void): Employment {
  return {
    settings,
    say,
    lengths: [],
    open: async () => Outgoing.of({ kind: 'measure', plan }),
    policy: async () => Outgoing.of({ kind: 'policy' }),
  };
}
