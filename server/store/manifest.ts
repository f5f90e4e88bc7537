/**
 * manifest.json of a folder: the SHA-256 of each of its files, of what they were made from, and of the logs up to then. A
 * checkpoint or a model that has one can be told from what a bad disk, a power cut or another program made of it.
 */
import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { limits, openFileToRead, readTextIfThere } from '../files/open.ts';
import { namesIn, readable } from '../files/place.ts';
import { storeErrors as errors } from './errors.ts';

export const MANIFEST = 'manifest.json';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const content = z.strictObject({ bytes: z.int().nonnegative(), sha256: hash });
/** Bytes and their hash: a whole file, or the beginning of a log. */
export type Content = z.infer<typeof content>;

const manifestSchema = z.strictObject({
  version: z.literal(1),
  files: z.record(z.string(), content),
  /** What it was made from: a name for people, and a hash. */
  origin: z.record(z.string(), hash),
  /** The logs beside it, as far as they reached. */
  logs: z.record(z.string(), content),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** What is told of a folder besides its own files. */
export type Provenance = Partial<Pick<Manifest, 'origin' | 'logs'>>;

/** Hashes all files of a folder and writes its manifest. @throws ColaError store.cannotWrite, store.cannotRead */
export async function writeManifest(folder: string, { origin = {}, logs = {} }: Provenance): Promise<void> {
  const files: Record<string, Content> = {};
  for (const name of await filesOf(folder)) files[name] = await contentOf(join(folder, name));
  const manifest: Manifest = { version: 1, files, origin, logs };
  await writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 1)}\n`);
}

/** @returns the manifest; undefined where there is none; null for one that cannot be understood */
export async function readManifest(folder: string): Promise<Manifest | undefined | null> {
  try {
    const text = readTextIfThere(join(folder, MANIFEST), limits.note);
    return text === undefined ? undefined : manifestSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * How the files of a folder differ from its manifest, each in words such as `weights.safetensors was changed`.
 *
 * @param beside whether there may be files that the manifest does not name
 */
export async function differences(
  folder: string,
  manifest: Manifest | null,
  beside: 'nothing' | 'anything' = 'nothing',
): Promise<string[]> {
  if (manifest === null) return [`${MANIFEST} was changed`];
  const there = new Set(await filesOf(folder));
  const found: string[] = [];
  for (const [name, wanted] of Object.entries(manifest.files)) {
    if (!there.delete(name)) found.push(`${name} is missing`);
    else if (!same(await contentOf(join(folder, name)), wanted)) found.push(`${name} was changed`);
  }
  return beside === 'anything' ? found : [...found, ...[...there].map((name) => `${name} was added`)];
}

/** Hash of a file, or of its first bytes. @throws ColaError store.cannotRead */
export async function contentOf(path: string, bytes = Number.POSITIVE_INFINITY): Promise<Content> {
  const sum = createHash('sha256');
  let read = 0;
  try {
    const handle = await openFileToRead(path);
    const stream = handle.createReadStream({ end: bytes === 0 ? 0 : bytes - 1, highWaterMark: 1 << 20 });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const wanted = chunk.subarray(0, bytes - read);
      sum.update(wanted);
      read += wanted.length;
    }
  } catch (error) {
    throw readable(error, (cause) => errors.cannotRead(path, cause));
  }
  return { bytes: read, sha256: sum.digest('hex') };
}

export const same = (a: Content, b: Content): boolean => a.bytes === b.bytes && a.sha256 === b.sha256;

async function filesOf(folder: string): Promise<string[]> {
  try {
    const names = namesIn(folder);
    if (names === undefined) throw new Error('there is no such folder');
    return names.filter((name) => name !== MANIFEST && lstatSync(join(folder, name)).isDirectory() === false).sort();
  } catch (error) {
    throw readable(error, (cause) => errors.cannotRead(folder, cause));
  }
}
