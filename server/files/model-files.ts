/** Files by which a folder is told to hold a model, without reading it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The configurations of an adapter (LoRA) and its weights, as PEFT writes them. */
export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** Whether a base, or an adapter of one, lies in a folder itself. */
export const hasBase = (folder: string): boolean =>
  ['config.json', ADAPTER_CONFIG].some((name) => existsSync(join(folder, name)));

/** Whether a folder holds a model: a base, an adapter, or latent actions with their base in a folder of its own. */
export const holdsModel = (folder: string): boolean => hasBase(folder) || existsSync(join(folder, 'cola.json'));
