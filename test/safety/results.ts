/**
 * What the slow forms counted, kept in one JSON file (`docs/results/safety.json`; COLA_SAFETY_RESULTS names another), a part for each
 * suite. A suite that is broken off finds there what it had reached.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../../scripts/bundles.mjs';

const file = process.env.COLA_SAFETY_RESULTS ?? join(root, 'docs/results/safety.json');

const all = (): Record<string, unknown> =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};

/** What a suite wrote down last. */
export function recorded<T>(part: string): T | undefined {
  return all()[part] as T | undefined;
}

export function record(part: string, found: object): void {
  mkdirSync(dirname(file), { recursive: true });
  const text = JSON.stringify({ ...all(), [part]: { date: new Date().toISOString().slice(0, 10), ...found } }, null, 2);
  writeFileSync(`${file}.new`, `${text}\n`);
  renameSync(`${file}.new`, file);
}
