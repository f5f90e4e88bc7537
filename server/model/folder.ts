/**
 * What people point at as a model. Some of it leads to one: a folder of the Hugging Face cache, a file inside a model. What does
 * not is recognised, so that the error can say what it is and how to come from there to a model that is read.
 */
import { closeSync, existsSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { folderErrors as errors } from '../files/folder-errors.ts';
import { ADAPTER_CONFIG, holdsModel } from '../files/model-files.ts';
import { limits, openFile, readText } from '../files/open.ts';
import { refusePretender } from '../files/pretender.ts';
import { SafetensorsFile } from '../files/safetensors.ts';
import { ggufErrors } from './gguf/errors.ts';
import { isGguf } from './gguf/file.ts';
import { ownName } from './weights/tensor-names.ts';

/** What is at a path; undefined where nothing is, or a link leads nowhere. */
function infoOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

const isFolder = (path: string) => infoOf(path)?.isDirectory() === true;
/** Whether a folder holds an adapter and no weights of a base. Some have a config.json of the base too. */
export const isAdapter = (folder: string): boolean =>
  existsSync(join(folder, ADAPTER_CONFIG)) &&
  !['model.safetensors', 'model.safetensors.index.json'].some((name) => existsSync(join(folder, name)));

/** Names in a folder, sorted; none where it cannot be listed. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/**
 * The model folder that a path leads to: of `models--owner--name` in the Hugging Face cache the snapshot in use, of a file that is
 * part of a model its folder, of a folder that holds one GGUF file and no other model that file; anything else stays as it is.
 */
export function locateModel(path: string): string {
  if (holdsModel(path)) return path;
  const snapshot = snapshotOf(path);
  if (snapshot !== undefined) return holdsModel(snapshot) ? snapshot : onlyGguf(snapshot);
  const part =
    /^(config\.json|adapter_config\.json|(adapter_)?model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json)$/;
  const folder = dirname(path);
  return part.test(basename(path)) && holdsModel(folder) && infoOf(path)?.isFile() === true ? folder : onlyGguf(path);
}

/** Pictures and the like beside the model have a file of their own. */
const ggufsIn = (folder: string) =>
  isFolder(folder) ? namesIn(folder).filter((name) => /\.gguf$/i.test(name) && !/mmproj|imatrix/i.test(name)) : [];

function onlyGguf(path: string): string {
  const files = ggufsIn(path);
  return files.length === 1 && isGguf(join(path, files[0])) ? join(path, files[0]) : path;
}

/** The revision that `refs/main` names, or else the one that was downloaded last. */
function snapshotOf(cache: string): string | undefined {
  const snapshots = basename(cache) === 'snapshots' ? cache : join(cache, 'snapshots');
  const whole = namesIn(snapshots)
    .map((name) => join(snapshots, name))
    .filter((folder) => holdsModel(folder) || ggufsIn(folder).length > 0);
  let main = '';
  try {
    main = readText(join(dirname(snapshots), 'refs', 'main'), limits.note).trim();
  } catch {
    // A cache without a main revision has only what was asked for by name.
  }
  const age = (folder: string) => statSync(folder).mtimeMs;
  return whole.find((folder) => basename(folder) === main) ?? whole.sort((a, b) => age(b) - age(a))[0];
}

/** What trainers leave beside weights. */
const besideWeights: ReadonlySet<string> = new Set([
  'training_args.bin',
  'optimizer.pt',
  'optimizer.bin',
  'scheduler.pt',
]);

/**
 * Says what is at a place where a model lacks its configuration or its weights.
 *
 * @throws ColaError folder.* if that is known; nothing where there is nothing to be said
 */
export function refuseFolder(path: string): void {
  if (!isFolder(path)) {
    if (infoOf(path)?.isFile() === true && !isGguf(path)) refuseFile(path);
    return;
  }
  const names = namesIn(path);
  const named = (pattern: RegExp) => names.find((name) => pattern.test(name) && !besideWeights.has(name));
  const unfinished = unfinishedIn(path, names);
  if (unfinished !== undefined) throw errors.incomplete(unfinished);
  if (names.includes('model_index.json')) throw errors.pipeline(path);
  const weights = names.find((name) => name.endsWith('.safetensors') && looksLikeWeights(join(path, name)));
  if (names.includes('params.json') && !names.includes('config.json')) throw errors.original(path);
  if (weights !== undefined) {
    if (!names.includes('config.json')) throw errors.noConfig(path, weights);
    throw /-\d+-of-\d+\.safetensors$/.test(weights) ? errors.noIndex(path, weights) : errors.strangeName(path, weights);
  }
  const ggufs = ggufsIn(path);
  if (ggufs.length > 1) throw ggufErrors.several(path, ggufs);
  for (const [pattern, error] of formats) {
    const found = named(pattern);
    if (found !== undefined) throw error(join(path, found));
  }
  if (names.includes('snapshots') || basename(path).startsWith('models--')) throw errors.emptyCache(path);
  const inside = modelInside(path, names);
  if (inside !== undefined) throw errors.deeper(path, inside);
  if (named(/^onnx$/) !== undefined) throw errors.onnx(join(path, 'onnx'));
  if (!names.includes('config.json') && named(/^tokenizer(_config)?\.(json|model)$/) !== undefined)
    throw errors.tokenizerOnly(path);
}

/** Whether a file holds tensors of a language model, or cannot be asked. */
function looksLikeWeights(path: string): boolean {
  try {
    using file = SafetensorsFile.open(path);
    return file.names.some((name) => /^model\.(embed_tokens|layers)\./.test(ownName(name)));
  } catch {
    return true;
  }
}

const formats = [
  [/\.gguf$/i, errors.gguf],
  [/\.(bin|pt|pth|ckpt)$/i, errors.pickle],
  [/\.onnx$/i, errors.onnx],
] as const;

/** A file by its content, or else by its name. */
function refuseFile(file: string): never {
  refusePretender(file, firstBytes(file));
  for (const [pattern, error] of formats) if (pattern.test(file)) throw error(file);
  if (file.endsWith('.safetensors')) {
    const folder = dirname(file);
    throw holdsModel(folder) ? errors.strangeName(folder, basename(file)) : errors.noConfig(folder, basename(file));
  }
  throw errors.file(file);
}

/** @returns 512 bytes, or as many as there are */
function firstBytes(file: string): Uint8Array {
  const bytes = new Uint8Array(512);
  const fd = openFile(file, 'read');
  try {
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** A file that a download has left behind: of huggingface_hub in its cache or beside the model, of browsers in the folder. */
function unfinishedIn(folder: string, names: readonly string[]): string | undefined {
  const own = names.find((name) => /\.(incomplete|part|crdownload|download|aria2)$/.test(name));
  if (own !== undefined) return join(folder, own);
  const cache = basename(dirname(folder)) === 'snapshots' ? dirname(dirname(folder)) : folder;
  for (const place of [join(folder, '.cache', 'huggingface', 'download'), join(cache, 'blobs')]) {
    const found = namesIn(place).find((name) => name.endsWith('.incomplete'));
    if (found !== undefined) return join(place, found);
  }
  return undefined;
}

/** The model in a folder below: of checkpoints the one with the most steps, else the only one. */
function modelInside(folder: string, names: readonly string[]): string | undefined {
  const found = names.slice(0, 200).filter((name) => holdsModel(join(folder, name)));
  const steps = (name: string) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? -1);
  const last = found.sort((a, b) => steps(b) - steps(a))[0];
  if (last === undefined || (found.length > 1 && steps(last) < 0)) return undefined;
  return join(folder, last);
}
