/** Which models there are: the one in the box, those in the folders of a workspace, those that runs made, those of other programs. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ColaError } from '../errors.ts';
import { holdsModel } from '../files/model-files.ts';
import type { ListedModel } from '../protocol/model.ts';
import { resolveModel } from '../spec/paths.ts';
import { runsIn } from '../store/all-runs.ts';
import { describeModel } from './describe.ts';
import { type FindOptions, findStored } from './find.ts';
import { ggufsAmong } from './lm-studio.ts';

const builtin = 'builtin:nano';
/** Folders looked into, and how deep: a list is not worth a walk through a whole disk. */
const mostFolders = 2000;
const depth = 3;
const skipped = /^(\.|node_modules$)/;

const isLatent = (folder: string) => existsSync(join(folder, 'cola.json'));

export interface ListOptions extends FindOptions {
  /** Models that lie elsewhere. */
  readonly folders?: readonly string[];
  /** Whether files of the workspace may be read; otherwise what lies there is listed by its name alone. */
  readonly trusted: boolean;
}

export async function findModels(
  roots: readonly string[],
  { folders = [], trusted, ...options }: ListOptions,
): Promise<{ readonly models: ListedModel[]; readonly more: boolean }> {
  const models: ListedModel[] = [];
  const add = async (folder: string, source: ListedModel['source'], name = folder) => {
    const read = trusted || (source !== 'workspace' && source !== 'run');
    models.push({ name, folder, latent: isLatent(folder), source, ...(read ? await describeModel(folder) : {}) });
  };
  try {
    await add(resolveModel(builtin, ''), 'builtin', builtin);
  } catch (error) {
    // An installation without its model still lists the others.
    if (!(error instanceof ColaError)) throw error;
  }
  for (const root of roots) {
    for (const folder of await modelFolders(root)) await add(folder, 'workspace');
    for await (const { path } of runsIn(root)) {
      for (const name of ['model', 'best']) {
        if (holdsModel(join(path, name))) await add(join(path, name), 'run');
      }
    }
  }
  for (const folder of folders) if (existsSync(folder)) await add(folder, 'imported');
  const stored = await findStored(options);
  for (const { name, path, store, ...said } of stored.models)
    models.push({ name: path, title: name, folder: path, latent: isLatent(path), source: store, ...said });
  return { models, more: stored.more };
}

async function modelFolders(root: string): Promise<string[]> {
  const found: string[] = [];
  let level = [root];
  let seen = 0;
  for (let down = 0; down <= depth && seen < mostFolders; down++) {
    const below: string[] = [];
    for (const folder of level.slice(0, mostFolders - seen)) {
      seen++;
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      const names = new Set(entries.map(({ name }) => name));
      const weights = [...names].some((name) => /^model.*\.safetensors(\.index\.json)?$/.test(name));
      const adapter = names.has('adapter_config.json') && names.has('adapter_model.safetensors');
      if (names.has('cola.json') || adapter || (names.has('config.json') && weights)) found.push(folder);
      else {
        const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
        for (const name of ggufsAmong(files)) found.push(join(folder, name));
        for (const entry of entries) {
          if (entry.isDirectory() && !skipped.test(entry.name)) below.push(join(folder, entry.name));
        }
      }
    }
    level = below;
  }
  return found;
}
