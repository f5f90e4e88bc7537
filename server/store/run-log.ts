/** log.txt of a run: what happened and when, one event a line, for people as for programs. */
import { readEnd } from '../files/open.ts';
import { readable } from '../files/place.ts';
import { storeErrors as errors } from './errors.ts';

/** Bytes at the end of a log that are read: more than a run of weeks writes. */
const readMost = 4 << 20;
/** Bytes in which the last entry is looked for. */
const lastMost = 64 << 10;

/** `stopped`: somebody asked for it; `interrupted`: the engine that trained it was closed. */
export const logKinds = ['device', 'stage', 'message', 'stopped', 'interrupted', 'failed', 'done'] as const;
export type LogKind = (typeof logKinds)[number];

export interface LogEntry {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly kind: LogKind | 'other';
  readonly text: string;
}

/** What the last entry of a log is; undefined where there is none. @throws store.cannotRead, files.* */
export function lastEntryKind(path: string): LogEntry['kind'] | undefined {
  try {
    return parseRunLog(readEnd(path, lastMost)).at(-1)?.kind;
  } catch (error) {
    throw readable(error, (cause) => errors.cannotRead(path, cause));
  }
}

/** The text of an entry as it is written; more lines of it are indented. */
export function logText(kind: LogKind, text: string): string {
  return `${kind}: ${text.trim().split('\n').join('\n  ')}`;
}

/**
 * Reads a log, also while another process appends to it. What is in no entry is left out; a log that is not there is empty.
 *
 * @throws store.cannotRead, files.*
 */
export function readRunLog(path: string): LogEntry[] {
  try {
    return parseRunLog(readEnd(path, readMost));
  } catch (error) {
    throw readable(error, (cause) => errors.cannotRead(path, cause));
  }
}

export function parseRunLog(text: string): LogEntry[] {
  const entries: { time: number; kind: LogEntry['kind']; text: string }[] = [];
  for (const line of text.split('\n')) {
    // Most of what is no line of a log is none at all.
    if (line === '') continue;
    const begun = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (?:([a-z]+): )?(.*)$/.exec(line);
    const last = entries.at(-1);
    if (begun !== null) {
      const [, time, word, said] = begun;
      const kind = logKinds.find((known) => known === word);
      const other = word === undefined ? said : `${word}: ${said}`;
      entries.push({ time: Date.parse(time), kind: kind ?? 'other', text: kind === undefined ? other : said });
    } else if (line.startsWith('  ') && last !== undefined) last.text += `\n${line.slice(2)}`;
  }
  return entries;
}
