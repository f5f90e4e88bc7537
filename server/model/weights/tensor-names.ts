/** Names that wrappers have put before those of a model's tensors when it was saved. */

/** An open file of tensors, whatever its format. */
export interface TensorFile {
  readonly path: string;
  readonly names: readonly string[];
  /** How a tensor is stored. */
  info(name: string): { readonly dtype: string; readonly shape: readonly number[] };
  /** A tensor of any number format that is read, as float32 in row-major order. */
  readFloat32(name: string): Float32Array;
  close(): void;
}

/** A tensor in a file, under the name it has there. */
export interface StoredTensor {
  readonly file: TensorFile;
  readonly name: string;
}

/** Before every name: DataParallel, FSDP, torch.compile, PEFT after merging. */
const WRAPPERS = /^(module\.|_orig_mod\.|_fsdp_wrapped_module\.|base_model\.model\.(?=model\.|lm_head\.))+/;
/** Between the parts of a name. */
const INNER = /\._orig_mod|\._fsdp_wrapped_module|\._checkpoint_wrapped_module/g;

/** The name in a causal language model of its own. */
export function ownName(name: string): string {
  return name
    .replace(WRAPPERS, '')
    .replace(INNER, '')
    .replace(/^(model\.)?language_model\.(?!model\.|lm_head\.)/, 'model.')
    .replace(/^(model\.)?language_model\.(?=model\.|lm_head\.)/, '')
    .replace(/^(?=embed_tokens\.|layers\.\d+\.|norm\.weight$)/, 'model.');
}

/** The tensors of a model under the names they have in a model of its own; where two would get the same, all stay as they are. */
export function underOwnNames(files: ReadonlyMap<string, TensorFile>): Map<string, StoredTensor> {
  const stored = [...files].map(([name, file]): readonly [string, StoredTensor] => [name, { file, name }]);
  const renamed = new Map(stored.map(([name, tensor]) => [ownName(name), tensor]));
  return renamed.size < files.size ? new Map(stored) : renamed;
}
