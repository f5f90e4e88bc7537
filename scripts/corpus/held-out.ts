/**
 * The held-out texts alone: a few small packages, for measurements that learn nothing. `npm run corpus` fetches all of them;
 * the held-out side is the same in both.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuplicateIndex, signatureOf } from './duplicates.ts';
import { cleanText } from './filters.ts';
import { fetchPackage, orderKey, readPackageList, wantedFiles } from './packages.ts';
import type { Row } from './rows.ts';

/** Most text taken from one package unless its entry says otherwise, in bytes. */
export const PACKAGE_BYTES = 4_500_000;
/** Similarity from which a text repeats one of the same split. */
export const REPEATS = 0.7;

/** Rows in the order of their keys, which is the same on every machine. */
export function inOrder(rows: readonly Row[]): Row[] {
  const keyed = rows.map((row) => ({ row, key: orderKey(row.path) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ row }) => row);
}

/** Files of the held-out packages without generated problems, cleaned as for the corpus. @throws corpus.* */
export async function heldOutFiles(cache: string): Promise<Row[]> {
  const { heldout } = await readPackageList();
  const seen = new DuplicateIndex();
  const rows: Row[] = [];
  for (const entry of heldout) {
    const folder = await fetchPackage(entry, cache);
    const files = (await wantedFiles(entry, folder)).map((file) => ({
      ...file,
      key: orderKey(`${entry.name}/${file.path}`),
    }));
    files.sort((a, b) => (a.key < b.key ? -1 : 1));
    let room = entry.megabytes === undefined ? PACKAGE_BYTES : entry.megabytes * 1e6;
    for (const { path, kind } of files) {
      const cleaned = cleanText(await readFile(join(folder, path), 'utf8'), kind);
      const size = cleaned.kept ? Buffer.byteLength(cleaned.text) : 0;
      if (!cleaned.kept || size > room) continue;
      const signature = signatureOf(cleaned.text);
      if (seen.nearest(signature) >= REPEATS) continue;
      seen.add(signature);
      rows.push({ path: `${entry.name}/${path}`, text: cleaned.text, kind });
      room -= size;
    }
  }
  return inOrder(rows);
}
