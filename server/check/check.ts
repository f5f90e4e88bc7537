import { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import { LanguageModel } from '../model/language-model.ts';
import { checkBase } from './base.ts';
import { checkCola } from './cola.ts';
import { Comparer, type Comparison } from './comparison.ts';
import { Reference } from './reference.ts';
import { checkSearch } from './search.ts';

/**
 * Compares this engine on a device with the reference values in a model folder.
 *
 * @throws whatever loading the folder throws, and check.*
 */
export async function checkFolder(folder: string, device: Device): Promise<Comparison[]> {
  using reference = Reference.open(folder);
  const comparer = new Comparer();
  if (ColaModel.exists(folder)) {
    const model = await ColaModel.load(folder);
    await checkCola(device, model, reference, comparer);
    if (reference.json.mcts !== undefined) await checkSearch(device, model, reference, comparer);
  } else await checkBase(device, await LanguageModel.load(folder), reference, comparer);
  return comparer.results;
}
