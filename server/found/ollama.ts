/** The store of Ollama: a manifest for each tag, which names the blob that is the model, a GGUF file. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readText } from '../files/open.ts';
import type { Budget, Entry, Environment, Store } from './store.ts';

/** Real ones have some hundreds of bytes. */
const MANIFEST_BYTES = 1 << 18;
const MODEL = 'application/vnd.ollama.image.model';

const manifestSchema = z.looseObject({
  layers: z
    .array(z.looseObject({ mediaType: z.string(), digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) }))
    .max(1000),
});

export function ollama(env: Environment, home: string): Store {
  const own = env.OLLAMA_MODELS;
  // On Linux its service has a home of its own.
  const usual = [join(home, '.ollama', 'models'), '/usr/share/ollama/.ollama/models'];
  return { folders: own === undefined || own === '' ? usual : [own], entries };
}

async function entries(folder: string, budget: Budget): Promise<Entry[]> {
  const found: Entry[] = [];
  // manifests/registry.ollama.ai/library/qwen3/0.6b
  for (const manifest of await filesBelow(join(folder, 'manifests'), 4, budget)) {
    const blob = await blobOf(manifest);
    if (blob === undefined) continue;
    const path = join(folder, 'blobs', blob);
    if (!(await isPlainFile(path))) continue;
    const [, space, model, tag] = manifest.slice(join(folder, 'manifests').length + 1).split(/[/\\]/);
    found.push({ name: `${space === 'library' ? '' : `${space}/`}${model}:${tag}`, path });
  }
  return found;
}

/** Plain files exactly so many folders down, no links among them. */
async function filesBelow(folder: string, levels: number, budget: Budget): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!budget.take()) break;
    const path = join(folder, entry.name);
    if (levels > 1 && entry.isDirectory()) found.push(...(await filesBelow(path, levels - 1, budget)));
    else if (levels === 1 && entry.isFile()) found.push(path);
  }
  return found;
}

async function blobOf(manifest: string): Promise<string | undefined> {
  try {
    const { layers } = manifestSchema.parse(JSON.parse(readText(manifest, MANIFEST_BYTES)));
    return layers.find(({ mediaType }) => mediaType === MODEL)?.digest.replace(':', '-');
  } catch {
    // What is no manifest names no model.
    return undefined;
  }
}

async function isPlainFile(path: string): Promise<boolean> {
  return lstat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}
