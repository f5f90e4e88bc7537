/** A copy of a model in another number format, or in another file format. */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { exists, writeFolderAtomic } from '../files/atomic.ts';
import { holdsModel } from '../files/model-files.ts';
import type { SavedDtype } from '../files/safetensors-writer.ts';
import { isGguf } from '../model/gguf/file.ts';
import { type GgufType, type WrittenGguf, writeGguf } from '../model/gguf/write.ts';
import { LanguageModel, type WeightMap } from '../model/language-model.ts';
import { colaErrors } from './errors.ts';
import { ColaModel } from './model.ts';

export interface Exported {
  readonly parameters: number;
  /** Bytes of the weights on disk. */
  readonly bytes: number;
  /** Largest absolute difference between a weight and what is read back. */
  readonly largest: number;
}

const weightFiles = ['model.safetensors', 'adapter_model.safetensors', 'cola.safetensors'];

/**
 * Writes a model to a folder that appears with everything or not at all. Doing it again, or exporting the copy, gives the
 * same bytes: what was narrowed once is not changed by it.
 *
 * @param target a folder that is there is replaced only if it holds a model and `options.replace` is set
 * @param options.merge an adapter is added to the weights of its base; otherwise it is written alone, as PEFT does
 * @throws cola.noModelThere, cola.modelThere, cola.intoItself, cola.tooLarge where a weight is beyond float16, and what loading the model throws
 */
export async function exportModel(
  folder: string,
  target: string,
  dtype: SavedDtype,
  { merge = false, replace = false }: { readonly merge?: boolean; readonly replace?: boolean } = {},
): Promise<Exported> {
  await needPlaceFor(folder, target, replace, holdsModel);
  const loaded = await loadWhole(folder);
  const base = merge ? loaded.base.merged() : loaded.base;
  const cola = loaded.cola?.on(base);
  const from = cola?.folder ?? base.adapter?.folder ?? base.folder;
  const weights: WeightMap = cola?.allWeights ?? base.weights;
  if (dtype === 'F16') for (const [name, values] of weights) refuseTooLarge(from, name, values);
  await writeFolderAtomic(
    target,
    async (temporary) => {
      await mkdir(temporary, { recursive: true });
      if (cola === undefined) await base.save(temporary, base.weights, dtype);
      else await cola.save(temporary, { dtype });
      for (const name of ['actions.json', 'README.md', 'SOURCES.md']) {
        if (existsSync(join(from, name))) await cp(join(from, name), join(temporary, name));
      }
    },
    { replace },
  );
  const written = await loadWhole(target);
  const copy = written.cola?.allWeights ?? written.base.weights;
  return { ...compare(weights, copy), bytes: bytesOf(target) };
}

export interface ExportedGguf extends WrittenGguf {
  /** Whether the model has latent actions, which are left out. */
  readonly latent: boolean;
}

/**
 * Writes the base of a model as a GGUF file, which appears whole or not at all. An adapter is merged into it.
 *
 * @param target a file that is there is replaced only if it is GGUF and `replace` is set
 * @throws cola.noModelThere, cola.modelThere, cola.intoItself, gguf.notWritten, gguf.tooLarge, and what loading the model throws
 */
export async function exportGguf(
  folder: string,
  target: string,
  type: GgufType,
  replace = false,
): Promise<ExportedGguf> {
  await needPlaceFor(folder, target, replace, isGguf);
  const { base, cola } = await loadWhole(folder);
  return { ...(await writeGguf(target, base.merged(), type)), latent: cola !== undefined };
}

/** Files of a folder that are named. */
const namedFiles = 8;

/** Refuses a target whose content nobody said is to be lost. */
async function needPlaceFor(
  model: string,
  target: string,
  replace: boolean,
  holds: (target: string) => boolean,
): Promise<void> {
  if (!(await exists(target))) return;
  // A model that is not there is told of where it is loaded.
  const [from, to] = [existsSync(model) ? realpathSync(model) : '', realpathSync(target)];
  if (from === to || from.startsWith(to + sep)) throw colaErrors.intoItself(target);
  if (!holds(target)) throw colaErrors.noModelThere(target);
  if (!replace) throw colaErrors.modelThere(target, contentOf(target));
}

/** What a folder or a file holds, in words. */
function contentOf(target: string): string {
  const names = statSync(target).isDirectory() ? readdirSync(target) : [];
  const paths = names.length === 0 ? [target] : names.map((name) => join(target, name));
  const bytes = paths.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  if (names.length === 0) return size;
  const more = names.length > namedFiles ? ` and ${names.length - namedFiles} more` : '';
  return `${names.slice(0, namedFiles).join(', ')}${more}, ${size}`;
}

async function loadWhole(folder: string): Promise<{ base: LanguageModel; cola: ColaModel | undefined }> {
  if (!ColaModel.exists(folder)) return { base: await LanguageModel.load(folder), cola: undefined };
  const cola = await ColaModel.load(folder);
  return { base: cola.base, cola };
}

/** The largest finite float16. */
const top = 65504;

function refuseTooLarge(folder: string, name: string, values: Float32Array): void {
  for (const x of values) if (Math.abs(x) > top) throw colaErrors.tooLarge(folder, name, x);
}

function compare(before: WeightMap, after: WeightMap): { parameters: number; largest: number } {
  let [parameters, largest] = [0, 0];
  for (const [name, values] of before) {
    const other = after.get(name);
    if (other === undefined) throw new Error(`${name} was not written`);
    parameters += values.length;
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] - other[i]));
  }
  return { parameters, largest };
}

function bytesOf(folder: string): number {
  return weightFiles.reduce(
    (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
