/** Linear layers of a block that an adapter (LoRA) can be put beside, by the names that Hugging Face gives them. */
export const adapterTargets = [
  ...(['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const),
  // Phi joins q, k and v, and gate and up.
  ...(['qkv_proj', 'gate_up_proj'] as const),
] as const;

export type AdapterTarget = (typeof adapterTargets)[number];

/** An adapter that is to be made. */
export interface AdapterChoice {
  /** r: columns that a weight of the adapter has. */
  readonly rank: number;
  /** What the adapter adds is multiplied by alpha / rank. */
  readonly alpha: number;
  readonly targets: readonly AdapterTarget[];
}
