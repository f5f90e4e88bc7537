/** What a run tells whoever hires its workers. */
import type { RunSpec } from '../../spec/schema.ts';
import type { ClusterSettings } from '../../spec/settings/cluster.ts';
import type { DeviceWeights } from '../optimizer/weights.ts';
import type { Shards, SharedWork } from '../shards/shards.ts';
import type { Origin } from './origin.ts';

/** What workers of a stage have to know. */
export interface HireOptions {
  readonly spec: RunSpec;
  readonly specFile: string;
  /** The stage, by its index. */
  readonly at: number;
  readonly settings: ClusterSettings;
  readonly weights: DeviceWeights;
  readonly work: SharedWork;
  /** Names of weights that earlier stages have changed. */
  readonly others: () => readonly string[];
  /** What the run is made from. */
  readonly origin: Origin;
  readonly say: (text: string) => void;
}
export type Hire = (options: HireOptions) => Shards;
