/**
 * What a family of models is to all that reads one: how its config.json is meant, and what differs in its block. One file a family,
 * and its line in `index.ts`.
 */
import type { ModelConfig } from '../config/config.ts';
import type { RawConfig } from '../config/schema.ts';
import { configErrors } from '../errors.ts';

/** What a block of the family has, in the words of the configuration. */
export type BlockTraits = Pick<
  ModelConfig,
  'attentionBias' | 'attentionOutputBias' | 'mlpBias' | 'qkNorm' | 'unrotatedLayers'
>;

export interface Family {
  /** `model_type` in config.json. */
  readonly type: string;
  /** Among its `architectures`. */
  readonly architecture: string;
  /** What transformers assumes where config.json is silent; only `headDim` null means d / heads. */
  readonly defaults: {
    readonly kvHeads: number | null;
    readonly headDim: number | null;
    readonly maxPositions: number;
    readonly bos: number | null;
    readonly eos: number | null;
    readonly tied: boolean;
    /** Base of RoPE; 10000, if not given. */
    readonly theta?: number;
  };
  /** Keys that turn a feature on which other families are refused for, and which {@link block} reads. */
  readonly reads: readonly string[];
  /** @throws config.feature for what its models in transformers do not have, config.value */
  block(raw: RawConfig, file: string): BlockTraits;
  /** Positions that a token sees where that is fewer than all before it; null where it sees all. */
  window(raw: RawConfig): number | null;
}

/** A block without biases and norms of heads, whose layers all turn. */
export const plain: BlockTraits = {
  attentionBias: false,
  attentionOutputBias: false,
  mlpBias: false,
  qkNorm: false,
  unrotatedLayers: [],
};

/** @throws config.feature where the feed-forward is to have a bias */
export function refuseMlpBias(raw: RawConfig, file: string): void {
  if (raw.mlp_bias === true) throw configErrors.feature(file, 'a bias in the feed-forward ("mlp_bias")');
}

/** The window of the Qwen models, which is in use only where that is said, and from a layer on. */
export function switchedWindow(raw: RawConfig): number | null {
  const window = raw.sliding_window === undefined ? 4096 : raw.sliding_window;
  const slides =
    raw.use_sliding_window === true &&
    (raw.layer_types?.includes('sliding_attention') ?? (raw.max_window_layers ?? 28) < raw.num_hidden_layers);
  return slides ? window : null;
}
