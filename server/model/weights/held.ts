/** A model's weights in the form they are kept in, from wherever they are had soonest. */
import { existsSync } from 'node:fs';
import { size } from '../../graph/tensor.ts';
import type { Precision } from '../../protocol/precision.ts';
import type { ModelConfig, ModelForm } from '../config/config.ts';
import { fillingFor } from './precision.ts';
import type { HeldWeight, WeightShelf } from './shelf.ts';
import { StoredCache } from './stored-cache.ts';
import { type ExpectedTensor, expectedTensors, openWeights, type Weights } from './weights.ts';

/** Weights from which a model is so large that somebody who waits for it wants to hear how far it is. */
const largeFrom = 1e9;
/** Parts of a whole that are told. */
const tenths = 10;

/** Tells each further tenth of a large model. @returns to be called with each of its weights when it is done */
export function partsTold(
  tensors: readonly ExpectedTensor[],
  what: string,
  say: (text: string) => void,
): (tensor: ExpectedTensor) => void {
  const total = tensors.reduce((sum, { shape }) => sum + size(shape), 0);
  if (total < largeFrom) return () => {};
  let [done, told] = [0, 0];
  say(`${what} (${(total / 1e9).toFixed(1)} billion).`);
  return ({ shape }) => {
    done += size(shape);
    const part = Math.floor((tenths * done) / total);
    if (part > told && part < tenths) say(`${what}: ${(100 / tenths) * part} %`);
    told = part;
  };
}

/** Values that are read at once while a weight is brought into another form. */
const pieceElements = 1 << 22;

/**
 * The weights of a model folder or a GGUF file in the form they are kept in: from the memory of others, from the cache of the
 * account, or else from the model itself.
 *
 * @throws weights.*, safetensors.*, gguf.*
 */
export async function heldWeights(
  folder: string,
  config: ModelConfig,
  precision: Precision,
  {
    shelf,
    form = 'language',
    cache = StoredCache.ofAccount(),
    say = () => {},
  }: {
    readonly shelf?: WeightShelf | undefined;
    readonly form?: ModelForm;
    readonly cache?: StoredCache | undefined;
    /** Hears how far a large model is. */
    readonly say?: ((text: string) => void) | undefined;
  } = {},
): Promise<Map<string, HeldWeight>> {
  const tensors = expectedTensors(config);
  const file = form === 'language' ? await cache?.fileOf(folder, precision, tensors) : undefined;
  const keep = async () => {
    if (file === undefined || cache === undefined) return;
    using files = openWeights(folder, config, form);
    const telling = partsTold(tensors, `Bringing the weights into ${precision}, which is kept for the next time`, say);
    const each = (tensor: ExpectedTensor) => {
      const weight = readWeight(files, tensor, precision);
      telling(tensor);
      return weight;
    };
    // Only if it still is the model that the file is named after.
    await cache.write(
      file,
      precision,
      tensors,
      each,
      async () => (await cache.fileOf(folder, precision, tensors)) === file,
    );
  };
  if (file !== undefined && !existsSync(file)) await keep();
  let damaged = false;
  const read = () => {
    const kept = file === undefined ? undefined : cache?.read(file, precision, tensors);
    if (kept !== undefined) return kept;
    damaged = file !== undefined && existsSync(file);
    using files = openWeights(folder, config, form);
    return new Map(files.tensors.map((tensor) => [tensor.name, readWeight(files, tensor, precision)]));
  };
  const held = shelf === undefined ? read() : shelf.take([folder], precision, read);
  if (damaged) await keep();
  return held;
}

function readWeight(files: Weights, tensor: ExpectedTensor, precision: Precision): HeldWeight {
  const filling = fillingFor(precision, tensor);
  const { name, shape } = tensor;
  if (filling === undefined) return files.read(name);
  const { weight } = filling;
  if (weight.form !== 'f16' && files.fillBlocks(name, weight)) return weight;
  const elements = size(shape);
  for (let first = 0; first < elements; first += pieceElements)
    filling.put(files.read(name, { first, count: Math.min(pieceElements, elements - first) }), first);
  return weight;
}
