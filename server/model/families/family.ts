/**
 * What a family of models is to all that reads one: how its config.json is meant, and what differs in its block. One file a family,
 * and its line in `index.ts`.
 */
import type { ModelConfig, SlidingLayers } from '../config/config.ts';
import type { RawConfig } from '../config/schema.ts';
import { configErrors } from '../errors.ts';

/** What a block of the family has, in the words of the configuration. */
export type BlockTraits = Pick<
  ModelConfig,
  | 'attentionBias'
  | 'attentionOutputBias'
  | 'mlpBias'
  | 'qkNorm'
  | 'unrotatedLayers'
  | 'normOffset'
  | 'outputNorms'
  | 'activation'
  | 'joined'
  | 'embeddingScale'
  | 'queryScale'
  | 'scoreCap'
  | 'logitCap'
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
    /** Of RMSNorm; 1e-6, if not given. */
    readonly eps?: number;
  };
  /** Keys that turn a feature on which other families are refused for, and which {@link block} reads. */
  readonly reads: readonly string[];
  /** @throws config.feature for what its models in transformers do not have, config.value */
  block(raw: RawConfig, file: string): BlockTraits;
  /** Layers whose tokens see fewer than all before them; null where all see all. */
  sliding(raw: RawConfig): SlidingLayers | null;
  /** What {@link parseRope} reads for the layers, and for those that slide, where config.json keeps them apart. */
  ropes?(raw: RawConfig, file: string): readonly [all: unknown, sliding: unknown];
}

/** A block without biases and norms of heads, whose layers all turn. */
export const plain: BlockTraits = {
  attentionBias: false,
  attentionOutputBias: false,
  mlpBias: false,
  qkNorm: false,
  unrotatedLayers: [],
  normOffset: 0,
  outputNorms: false,
  activation: 'silu',
  joined: false,
  embeddingScale: 1,
  queryScale: null,
  scoreCap: null,
  logitCap: null,
};

/** @throws config.feature where the feed-forward is to have a bias */
export function refuseMlpBias(raw: RawConfig, file: string): void {
  if (raw.mlp_bias === true) throw configErrors.feature(file, 'a bias in the feed-forward ("mlp_bias")');
}

/** Those that `layer_types` calls sliding; others by their index, where it is silent. */
export function slidingIn(raw: RawConfig, window: number, otherwise: (layer: number) => boolean): SlidingLayers {
  const all = Array.from({ length: raw.num_hidden_layers }, (_, layer) => layer);
  const types = raw.layer_types ?? undefined;
  return {
    window,
    layers: all.filter((layer) => (types === undefined ? otherwise(layer) : types[layer] === 'sliding_attention')),
  };
}

/** All layers, whatever `layer_types` says (Mistral, Phi-3). @param fallback where config.json is silent */
export function allSliding(raw: RawConfig, fallback: number | null): SlidingLayers | null {
  const window = raw.sliding_window === undefined ? fallback : raw.sliding_window;
  return window === null ? null : slidingIn({ ...raw, layer_types: undefined }, window, () => true);
}

/** The window of the Qwen models, which is in use only where that is said, and from a layer on. */
export function switchedWindow(raw: RawConfig): SlidingLayers | null {
  const window = raw.sliding_window === undefined ? 4096 : raw.sliding_window;
  if (raw.use_sliding_window !== true || window === null) return null;
  return slidingIn(raw, window, (layer) => layer >= (raw.max_window_layers ?? 28));
}
