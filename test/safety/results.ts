/**
 * What the slow forms counted and on which commit, kept in one JSON file (`docs/results/safety.json`; COLA_SAFETY_RESULTS names
 * another), a part for each suite. A suite that is broken off finds there what it had reached.
 */
import { spawnSync } from 'node:child_process';
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
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout?.trim();
  const at = { date: new Date().toISOString().slice(0, 10), ...(commit ? { commit } : {}) };
  const text = JSON.stringify({ ...all(), [part]: { ...found, ...at } }, null, 2);
  writeFileSync(`${file}.new`, `${text}\n`);
  renameSync(`${file}.new`, file);
}
