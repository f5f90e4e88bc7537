/**
 * Builds the corpus of the small base model: fetches the pinned packages, keeps what is worth learning from, adds
 * generated problems and writes `.cache/corpus/{train,heldout}.jsonl`, `stats.json` and the list of sources in `assets/nano/SOURCES.md`.
 * The same list gives the same bytes on every machine. Run by `npm run corpus`.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuplicateIndex, signatureOf } from './duplicates.ts';
import { cleanText } from './filters.ts';
import { inOrder, PACKAGE_BYTES, REPEATS } from './held-out.ts';
import {
  checkAuthors,
  fetchPackage,
  type Manifest,
  orderKey,
  type PackageEntry,
  peopleOf,
  readManifest,
  readPackageList,
  type Split,
  wantedFiles,
} from './packages.ts';
import { CORPUS, type Row, writeRows } from './rows.ts';
import { sourcesDocument } from './sources.ts';
import { taskRows } from './tasks.ts';

/** Similarity from which a text repeats one that is held out. */
const LEAKS = 0.4;
const FETCHES_AT_ONCE = 2;

interface Fetched {
  readonly split: Split;
  readonly entry: PackageEntry;
  readonly folder: string;
  readonly manifest: Manifest;
}

/** What was kept of one package. */
export interface PackageReport {
  readonly split: Split;
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly authors: readonly string[];
  readonly files: number;
  readonly bytes: number;
}

async function fetchAll(): Promise<Fetched[]> {
  const list = await readPackageList();
  const waiting = [
    ...list.heldout.map((entry) => ({ split: 'heldout' as const, entry })),
    ...list.train.map((entry) => ({ split: 'train' as const, entry })),
  ];
  const fetched: Fetched[] = [];
  for (let at = 0; at < waiting.length; at += FETCHES_AT_ONCE) {
    const batch = waiting.slice(at, at + FETCHES_AT_ONCE).map(async ({ split, entry }) => {
      const folder = await fetchPackage(entry, join(CORPUS, 'packages'));
      return { split, entry, folder, manifest: await readManifest(entry, folder) };
    });
    fetched.push(...(await Promise.all(batch)));
  }
  return fetched;
}

async function main(): Promise<void> {
  await mkdir(CORPUS, { recursive: true });
  const packages = await fetchAll();
  checkAuthors(packages.map(({ split, entry, manifest }) => ({ split, name: entry.name, manifest })));

  const rows: Record<Split, Row[]> = { train: [], heldout: [] };
  const seen: Record<Split, DuplicateIndex> = { train: new DuplicateIndex(), heldout: new DuplicateIndex() };
  const dropped: Record<string, number> = {};
  const reports: PackageReport[] = [];
  let droppedLines = 0;
  const drop = (reason: string): void => {
    dropped[reason] = (dropped[reason] ?? 0) + 1;
  };

  for (const { split, entry, folder, manifest } of packages) {
    const limit = (entry.megabytes ?? PACKAGE_BYTES / 1e6) * 1e6;
    const files = (await wantedFiles(entry, folder)).map((file) => ({
      ...file,
      key: orderKey(`${entry.name}/${file.path}`),
    }));
    files.sort((a, b) => (a.key < b.key ? -1 : 1));
    let bytes = 0;
    let kept = 0;
    for (const { path, kind } of files) {
      const cleaned = cleanText(await readFile(join(folder, path), 'utf8'), kind);
      if (!cleaned.kept) {
        drop(cleaned.reason);
        continue;
      }
      const size = Buffer.byteLength(cleaned.text);
      if (bytes + size > limit) {
        drop('package limit');
        continue;
      }
      const signature = signatureOf(cleaned.text);
      if (seen[split].nearest(signature) >= REPEATS) drop('near-duplicate');
      else if (split === 'train' && seen.heldout.nearest(signature) >= LEAKS) drop('near a held-out text');
      else {
        seen[split].add(signature);
        rows[split].push({ path: `${entry.name}/${path}`, text: cleaned.text, kind });
        bytes += size;
        kept += 1;
        droppedLines += cleaned.droppedLines;
      }
    }
    const { name, version, licence } = entry;
    const authors = [...peopleOf(name, manifest)].slice(0, 4);
    reports.push({ split, name, version, licence, authors, files: kept, bytes });
    process.stdout.write(`${split} ${name}@${version}: ${kept} files, ${(bytes / 1e6).toFixed(2)} MB\n`);
  }

  const tasks = taskRows();
  for (const split of ['train', 'heldout'] as const) {
    rows[split].push(...tasks[split]);
    rows[split] = inOrder(rows[split]);
    await writeRows(join(CORPUS, `${split}.jsonl`), rows[split]);
  }

  const stats = {
    train: countKinds(rows.train),
    heldout: countKinds(rows.heldout),
    dropped,
    droppedLines,
    sharedLongLines: sharedLongLines(rows.train, rows.heldout),
  };
  await writeFile(join(CORPUS, 'stats.json'), `${JSON.stringify(stats, null, 2)}\n`);
  const box = join('assets', 'nano');
  await mkdir(box, { recursive: true });
  await writeFile(join(box, 'SOURCES.md'), sourcesDocument(reports, stats.train, stats.heldout));
  process.stdout.write(`${JSON.stringify(stats, null, 2)}\n`);
}

/** Files and bytes of each kind of text. */
export function countKinds(rows: readonly Row[]): Record<string, { files: number; bytes: number }> {
  const counts: Record<string, { files: number; bytes: number }> = {};
  for (const { kind, text } of rows) {
    const { files, bytes } = counts[kind] ?? { files: 0, bytes: 0 };
    counts[kind] = { files: files + 1, bytes: bytes + Buffer.byteLength(text) };
  }
  return counts;
}

/** The share of held-out lines of 40 characters or more, generated problems aside, that stand word for word in training. */
function sharedLongLines(train: readonly Row[], heldout: readonly Row[]): number {
  const long = (rows: readonly Row[]): string[] =>
    rows
      .filter(({ kind }) => kind !== 'chat')
      .flatMap(({ text }) => text.split('\n').map((line) => line.trim()))
      .filter((line) => line.length >= 40);
  const known = new Set(long(train));
  const lines = long(heldout);
  return lines.filter((line) => known.has(line)).length / Math.max(1, lines.length);
}

if (process.argv[1]?.endsWith('build.ts')) await main();
