/** Which models there are: the one in the box, those in the folders of a workspace, and those that runs made. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ColaError } from '../errors.ts';
import type { ListedModel } from '../protocol/model.ts';
import { resolveModel } from '../spec/paths.ts';
import { listRuns, type RunView } from '../store/run.ts';

const builtin = 'builtin:nano';
/** Folders looked into, and how deep: a list is not worth a walk through a whole disk. */
const mostFolders = 2000;
const depth = 3;
const skipped = /^(\.|node_modules$)/;

const isLatent = (folder: string) => existsSync(join(folder, 'cola.json'));

/** @param folders models that lie elsewhere */
export async function findModels(roots: readonly string[], folders: readonly string[] = []): Promise<ListedModel[]> {
  const models: ListedModel[] = [];
  const add = (folder: string, source: ListedModel['source'], name = folder) =>
    models.push({ name, folder, latent: isLatent(folder), source });
  try {
    add(resolveModel(builtin, ''), 'builtin', builtin);
  } catch (error) {
    // An installation without its model still lists the others.
    if (!(error instanceof ColaError)) throw error;
  }
  for (const root of roots) {
    for (const folder of await modelFolders(root)) add(folder, 'workspace');
    for (const { path } of runsIn(root)) {
      for (const name of ['model', 'best']) {
        if (existsSync(join(path, name, 'config.json'))) add(join(path, name), 'run');
      }
    }
  }
  for (const folder of folders) if (existsSync(folder)) add(folder, 'imported');
  return models;
}

/** A folder whose runs cannot be read has models all the same; the list of runs says why. */
function runsIn(root: string): RunView[] {
  try {
    return listRuns(root);
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
    return [];
  }
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
      if (names.has('cola.json') || (names.has('config.json') && weights)) found.push(folder);
      else {
        for (const entry of entries) {
          if (entry.isDirectory() && !skipped.test(entry.name)) below.push(join(folder, entry.name));
        }
      }
    }
    level = below;
  }
  return found;
}
