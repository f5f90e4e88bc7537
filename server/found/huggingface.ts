/** The cache of huggingface_hub: `models--owner--name`, with `snapshots/<revision>` that consist of links to `blobs`. */
import { readdir, realpath } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { locateModel } from '../model/folder.ts';
import type { Budget, Entry, Environment, Store } from './store.ts';

export function huggingFace(env: Environment, home: string): Store {
  const cache = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(home, '.cache'), 'huggingface');
  return { folders: [env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(cache, 'hub')], entries };
}

async function entries(folder: string, budget: Budget): Promise<Entry[]> {
  const found: Entry[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!budget.take()) break;
    const name = /^models--(.+)$/.exec(entry.name)?.[1];
    // A link to another place is none of the cache's own.
    if (name === undefined || !entry.isDirectory()) continue;
    const repository = join(folder, entry.name);
    const path = locateModel(repository);
    if (path === repository || !(await allInside(repository, path, budget))) continue;
    found.push({ name: name.replace('--', '/'), path });
  }
  return found;
}

/** Whether a snapshot, or a file in one, and all that it links to lie in the folder of the repository. */
async function allInside(repository: string, path: string, budget: Budget): Promise<boolean> {
  try {
    const home = (await realpath(repository)) + sep;
    const target = await realpath(path);
    if (!target.startsWith(home)) return false;
    const names = basename(target) === basename(path) && !/\.gguf$/i.test(path) ? await readdir(path) : [];
    for (const name of names) {
      if (!budget.take() || !(await realpath(join(path, name))).startsWith(home)) return false;
    }
    return true;
  } catch {
    return false;
  }
}
