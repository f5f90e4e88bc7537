/** What a run is made from, as hashes by which a change of it is noticed when the run is continued. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ColaModel } from '../../cola/model.ts';
import { namesIn, readable } from '../../files/place.ts';
import type { LanguageModel } from '../../model/language-model.ts';
import { modulePaths, resolvePath } from '../../spec/paths.ts';
import type { RunSpec } from '../../spec/schema.ts';
import { storeErrors } from '../../store/errors.ts';
import { contentOf, type Manifest } from '../../store/manifest.ts';

/** Hashes by part: `spec`, `model`, reward modules and models as `file <path in the spec>`, and `data/<name>` that the run has kept. */
export type Origin = Manifest['origin'];

const file = 'file ';
const data = 'data';
/** Of a model folder; notes and measures beside these change nothing. */
const modelFiles = /^(config|generation_config|cola|adapter_config)\.json$|\.safetensors(\.index\.json)?$/;
const tokenizerFiles = /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens)\.json$|^chat_template\.jinja$/;

/**
 * @param text the spec as it is written in the run
 * @param specFile where it is
 * @throws store.cannotRead
 */
export async function originOf(
  text: string,
  spec: RunSpec,
  specFile: string,
  base: LanguageModel,
  cola: ColaModel | undefined,
): Promise<Origin> {
  const fresh = typeof spec.model !== 'string';
  return {
    spec: specHash(text),
    model: await modelHash(base, cola, fresh),
    ...(await moduleHashes(modulePaths(spec), specFile)),
  };
}

/** Of all that a model is read from. @param fresh whether only its tokenizer is */
export async function modelHash(base: LanguageModel, cola: ColaModel | undefined, fresh = false): Promise<string> {
  const adapter = base.adapter?.folder;
  const folders = new Set([
    base.folder,
    ...(adapter === undefined ? [] : [adapter]),
    ...(cola === undefined ? [] : [cola.folder]),
  ]);
  const model = createHash('sha256');
  for (const folder of folders) {
    // A GGUF file is all of it.
    if (isFile(folder)) model.update(`${(await contentOf(folder)).sha256}\n`);
    else
      for (const name of readdirSync(folder).sort()) {
        if (!tokenizerFiles.test(name) && (fresh || !modelFiles.test(name))) continue;
        model.update(`${name} ${(await contentOf(join(folder, name))).sha256}\n`);
      }
  }
  return model.digest('hex');
}

/** Of modules and reward models. @param paths as they are written in `specFile`, to which they are relative */
export async function moduleHashes(paths: readonly string[], specFile: string): Promise<Origin> {
  const origin: Record<string, string> = {};
  for (const path of paths) {
    const resolved = resolvePath(path, specFile);
    if (isFile(resolved)) origin[`${file}${path}`] = (await contentOf(resolved)).sha256;
    else if (existsSync(resolved)) origin[`${file}${path}`] = await folderHash(resolved);
  }
  return origin;
}

/** Of a folder with a reward model. */
async function folderHash(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) {
    if (modelFiles.test(name) || tokenizerFiles.test(name) || name === 'reward.json')
      hash.update(`${name} ${(await contentOf(join(folder, name))).sha256}\n`);
  }
  return hash.digest('hex');
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** @throws files.link, store.cannotRead */
function listed(folder: string): string[] {
  try {
    return (namesIn(folder) ?? []).sort();
  } catch (error) {
    throw readable(error, (cause) => storeErrors.cannotRead(folder, cause));
  }
}

/** The data that a run has kept in its folder, which is written once: every file is hashed once. */
export class KeptData {
  private readonly known = new Map<string, string>();

  constructor(private readonly run: string) {}

  /** @throws files.link, store.cannotRead */
  async origin(): Promise<Origin> {
    const folder = join(this.run, data);
    for (const name of listed(folder)) {
      if (!isFile(join(folder, name))) continue;
      if (!this.known.has(name)) this.known.set(name, (await contentOf(join(folder, name))).sha256);
    }
    return Object.fromEntries([...this.known].map(([name, hash]) => [`${data}/${name}`, hash]));
  }
}

/** {@link changedParts} of a model that is measured, and of the modules that judge it. */
export const modulesChanged = (before: Origin, now: Origin, folder: string, specFile: string): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => before[name] !== now[name])
    .map((name) => (name === 'model' ? `the model ${folder}` : resolvePath(name.slice(file.length), specFile)));

export const specHash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The parts that differ, in words for people. A part that only one of the two knows counts, too, but for data that was kept since. */
export function changedParts(before: Origin, now: Origin, spec: RunSpec, specFile: string): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  const changed = [...names].filter(
    (name) => before[name] !== now[name] && (name in before || !name.startsWith(`${data}/`)),
  );
  return changed.map((name) => {
    if (name === 'spec') return specFile;
    if (name.startsWith(`${data}/`)) return join(dirname(specFile), name);
    if (name.startsWith(file)) return resolvePath(name.slice(file.length), specFile);
    return typeof spec.model === 'string' ? `the model ${resolvePath(spec.model, specFile)}` : 'the tokenizer';
  });
}
