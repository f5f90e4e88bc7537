/**
 * The feedback log: JSON lines that several windows append to at the same time. An append is one write to a file opened for
 * appending, so lines of two windows never mix and a kill loses at most the last one. Lines are deleted by writing blanks
 * over them: the file stays the same one, so nothing that another window appends meanwhile is lost. Lines that cannot
 * be read are passed over.
 */
import { closeSync, existsSync, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { linesOf } from '../files/lines.ts';
import { openFile, type Use } from '../files/open.ts';
import { isAbsent, makeFolder, readable } from '../files/place.ts';
import { storeErrors } from '../store/errors.ts';
import { feedbackErrors } from './errors.ts';
import { type FeedbackLine, feedbackLine } from './lines.ts';

/** Bytes of a log at most: about 20 000 completions. All of it is read to show it and to learn from it. */
export const mostBytes = 64 << 20;

const newline = 0x0a;
const blank = 0x20;

/** @returns the log of a folder: a workspace, or the folder where the editor keeps what is global */
export function feedbackFile(root: string): string {
  return join(root, '.cola', 'feedback', 'log.jsonl');
}

/** A line and where it stands in the file, in bytes. */
export interface PlacedLine {
  readonly line: FeedbackLine;
  readonly start: number;
  /** Without the line end. */
  readonly length: number;
}

export class FeedbackLog {
  constructor(readonly path: string) {}

  /**
   * Appends lines in one write; makes file and folder if they are not there. What is there is never dropped for what is new.
   *
   * @throws feedback.full, store.cannotWrite, files.*
   */
  append(lines: readonly FeedbackLine[]): void {
    if (lines.length === 0) return;
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    this.use('append', (fd) => {
      // A line that a kill or a full disk has torn ends here, and is passed over.
      const torn = endsWithin(fd);
      const bytes = Buffer.from(torn ? `\n${text}` : text, 'utf8');
      if (fstatSync(fd).size + bytes.length > mostBytes) throw feedbackErrors.full(this.path, mostBytes >> 20);
      const written = writeSync(fd, bytes);
      if (written < bytes.length) throw Object.assign(new Error('the disk is full'), { syscall: 'write' });
    });
  }

  /**
   * All lines that can be read, in order. A log that is not there is empty.
   *
   * @param length bytes from the start that are read; all, if not given
   * @throws store.cannotRead, files.*
   */
  read(length = Number.POSITIVE_INFINITY): PlacedLine[] {
    const found: PlacedLine[] = [];
    try {
      for (const { bytes, start } of linesOf(this.path)) {
        if (start >= length) break;
        const line = bytes === undefined ? undefined : parse(bytes.toString('utf8'));
        if (bytes !== undefined && line !== undefined) found.push({ line, start, length: bytes.length });
      }
    } catch (error) {
      if (isAbsent(error)) return [];
      throw readable(error, (cause) => storeErrors.cannotRead(this.path, cause));
    }
    return found;
  }

  /** Bytes of the file; 0 without one. */
  get size(): number {
    try {
      return this.use('read', (fd) => fstatSync(fd).size);
    } catch {
      return 0;
    }
  }

  /**
   * Writes blanks over the lines that `drop` wants gone.
   *
   * @returns how many there were
   * @throws store.cannotRead, store.cannotWrite, files.*
   */
  erase(drop: (line: FeedbackLine) => boolean): number {
    const doomed = this.read().filter(({ line }) => drop(line));
    if (doomed.length === 0) return 0;
    this.use('change', (fd) => {
      for (const { start, length } of doomed) writeSync(fd, Buffer.alloc(length, blank), 0, length, start);
    });
    return doomed.length;
  }

  /** Empties the log. The file stays, so that what another window appends now is kept. @throws store.cannotWrite, files.* */
  clear(): void {
    if (existsSync(this.path)) this.use('change', (fd) => ftruncateSync(fd, 0));
  }

  private use<T>(use: Use, action: (fd: number) => T): T {
    let fd: number | undefined;
    try {
      if (use === 'append') makeFolder(dirname(this.path));
      // What a person wrote is nobody else's to read.
      fd = openFile(this.path, use, 0o600);
      return action(fd);
    } catch (error) {
      throw error instanceof Error && 'syscall' in error ? storeErrors.cannotWrite(this.path, error) : error;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
}

/** Whether the file ends in the middle of a line. */
function endsWithin(fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] !== newline;
}

function parse(text: string): FeedbackLine | undefined {
  if (text.trim() === '') return undefined;
  try {
    return feedbackLine.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
