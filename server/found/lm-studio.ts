/** The folders of LM Studio: publisher/model, with GGUF files or a Hugging Face folder. */
import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { readText } from '../files/open.ts';
import type { Budget, Entry, Environment, Store } from './store.ts';

export function lmStudio(_: Environment, home: string): Store {
  const usual = [join(home, '.lmstudio'), join(home, '.cache', 'lm-studio')];
  const own = elsewhere(home);
  return { folders: [...(own === undefined ? [] : [own]), ...usual].map((folder) => join(folder, 'models')), entries };
}

/** Where a person has put the folder, by the file that says so. */
function elsewhere(home: string): string | undefined {
  const file = join(home, '.lmstudio-home-pointer');
  try {
    const info = lstatSync(file);
    if (!info.isFile() || info.size > 4096) return undefined;
    const path = readText(file, 4096).trim();
    return isAbsolute(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

async function entries(folder: string, budget: Budget): Promise<Entry[]> {
  const found: Entry[] = [];
  for (const publisher of await foldersIn(folder, budget)) {
    for (const model of await foldersIn(join(folder, publisher), budget)) {
      const path = join(folder, publisher, model);
      found.push(...(await modelsIn(path, `${publisher}/${model}`, budget)));
    }
  }
  return found;
}

async function foldersIn(folder: string, budget: Budget): Promise<string[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return found.filter((entry) => budget.take() && entry.isDirectory()).map(({ name }) => name);
}

/** A Hugging Face folder, or each GGUF file in it; links are passed over. */
export async function modelsIn(folder: string, name: string, budget: Budget): Promise<Entry[]> {
  const listed = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files = listed.filter((entry) => budget.take() && entry.isFile()).map((entry) => entry.name);
  if (files.includes('config.json') && files.some((file) => /^model.*\.safetensors$/.test(file)))
    return [{ name, path: folder }];
  return ggufsAmong(files).map((file) => ({ name: `${name}/${file}`, path: join(folder, file) }));
}

/** Files that are a model: not what turns pictures into tokens, and not the later parts of one that is in several files. */
export function ggufsAmong(names: readonly string[]): string[] {
  return names.filter(
    (name) => /\.gguf$/i.test(name) && !/mmproj|imatrix/i.test(name) && !/-(?!00001)\d{5}-of-\d{5}\.gguf$/i.test(name),
  );
}
