/**
 * Append-only logs of JSON lines. One append is one write, so a killed process leaves at most its last line torn;
 * that line is ignored by readers and cut off by the next writer.
 */

import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, ftruncateSync, lstatSync, readSync, writeSync } from 'node:fs';
import type { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { fileErrors } from '../files/errors.ts';
import { hopelessLine, linesOf, longestLine } from '../files/lines.ts';
import { openFile } from '../files/open.ts';
import { isAbsent, readable } from '../files/place.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { storeErrors as errors } from './errors.ts';
import type { Content } from './manifest.ts';

const NEWLINE = 0x0a;

/** The writing end of a log. There may be one at a time for a file. */
export class JsonLinesWriter<R extends object = object> {
  private fd: number | null = null;
  /** What the log holds by all that this process knows. */
  private bytes = 0;
  private sum: Hash = createHash('sha256');

  /**
   * Opens a log for appending, makes it if it is not there, and cuts off a torn last line.
   *
   * @throws ColaError store.cannotWrite, files.*
   */
  constructor(readonly path: string) {
    this.reopen();
  }

  /**
   * Appends one line. It survives the death of the process at once, and a power cut after {@link sync}. Numbers that
   * are not finite become null, as JSON has none.
   *
   * @throws ColaError store.cannotWrite; the log is then as before
   */
  append<T extends R>(record: T): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`, 'utf8');
    this.use((fd) => {
      const before = fstatSync(fd).size;
      try {
        for (let done = 0; done < line.length; ) done += writeSync(fd, line, done);
      } catch (error) {
        ftruncateSync(fd, before);
        throw error;
      }
      this.bytes += line.length;
      this.sum.update(line);
    });
  }

  /** Length and hash of all lines, without reading them again. */
  get content(): Content {
    return { bytes: this.bytes, sha256: this.sum.copy().digest('hex') };
  }

  /** Whether the log under its name is the one that this process writes, and as long as what it wrote. */
  get intact(): boolean {
    if (this.fd === null) return false;
    const named = lstatSync(this.path, { throwIfNoEntry: false });
    const own = fstatSync(this.fd);
    return named !== undefined && named.ino === own.ino && named.dev === own.dev && own.size === this.bytes;
  }

  /** Takes the log as it is now under its name, or begins an empty one. @throws ColaError store.cannotWrite */
  takeAnew(): void {
    this.close();
    this.reopen();
  }

  /**
   * Rewrites the log with only the lines that `keep` wants, byte by byte as they are.
   *
   * @throws ColaError store.cannotWrite, store.line if a line is not JSON of the schema; the log is then unchanged
   */
  async retain<T>(schema: z.ZodType<T>, keep: (value: T) => boolean): Promise<void> {
    const lines = readLines(this.path);
    const kept = lines.filter((line, i) => keep(parseLine(this.path, i, line, schema)));
    if (kept.length === lines.length) return;
    await writeFileAtomic(this.path, kept.map((line) => `${line}\n`).join(''));
    // The old handle would write into the file that has just been replaced.
    this.takeAnew();
  }

  /** Forces what was appended to the disk. */
  sync(): void {
    this.use(fsyncSync);
  }

  close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }

  private reopen(): void {
    try {
      const fd = openFile(this.path, 'append');
      this.fd = fd;
      const whole = wholeLength(fd, this.path);
      if (whole < fstatSync(fd).size) ftruncateSync(fd, whole);
      this.bytes = whole;
      this.sum = hashOf(fd);
    } catch (error) {
      this.close();
      throw readable(error, (cause) => errors.cannotWrite(this.path, cause));
    }
  }

  private use(action: (fd: number) => void): void {
    if (this.fd === null) throw new Error(`${this.path} is closed`);
    try {
      action(this.fd);
    } catch (error) {
      throw errors.cannotWrite(this.path, error);
    }
  }
}

/**
 * Reads a log, also while another process appends to it. A torn last line is left out; a log that is not there is empty.
 *
 * @param schema what each line must be
 * @throws ColaError store.cannotRead, files.*, or store.line with the number of the line
 */
export function readJsonLines<T>(path: string, schema: z.ZodType<T>): T[] {
  return readLines(path).map((line, i) => parseLine(path, i, line, schema));
}

/** The complete lines, without their line ends. */
function readLines(path: string): string[] {
  const lines: string[] = [];
  try {
    let number = 0;
    for (const { bytes, whole } of linesOf(path)) {
      number++;
      if (bytes === undefined) throw errors.line(path, number, `it has more than ${longestLine} bytes`);
      if (whole) lines.push(bytes.toString('utf8'));
    }
  } catch (error) {
    if (isAbsent(error)) return [];
    throw readable(error, (cause) => errors.cannotRead(path, cause));
  }
  const last = lines.at(-1);
  if (last !== undefined && !isJson(last)) lines.pop();
  return lines;
}

function parseLine<T>(path: string, index: number, line: string, schema: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw errors.line(path, index + 1, 'it is not JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = firstIssue(parsed.error);
  throw errors.line(path, index + 1, `"${issue.path}": ${issue.detail}`);
}

/**
 * The length of the file without a torn last line: one without line end, or, where a power cut left a block of zeros
 * or old data, one with a line end that is not JSON.
 */
function wholeLength(fd: number, path: string): number {
  const end = lineEndBefore(fd, fstatSync(fd).size, path);
  const start = lineEndBefore(fd, end - 1, path);
  // No line of a writer is so long.
  if (end - start > longestLine) return start;
  const line = Buffer.alloc(Math.max(0, end - start));
  readSync(fd, line, 0, line.length, start);
  return isJson(line.toString('utf8')) ? end : start;
}

/** Hash of a whole file, for more to be added. */
function hashOf(fd: number): Hash {
  const sum = createHash('sha256');
  const block = Buffer.alloc(1 << 20);
  for (let at = 0; ; ) {
    const read = readSync(fd, block, 0, block.length, at);
    if (read === 0) return sum;
    sum.update(block.subarray(0, read));
    at += read;
  }
}

/**
 * @returns the position after the last line end that is before `position`; 0 if there is none
 * @throws files.longLine where that is further away than any line is long
 */
function lineEndBefore(fd: number, position: number, path: string): number {
  const block = Buffer.alloc(1 << 16);
  for (let end = position; end > 0; ) {
    if (position - end > hopelessLine) throw fileErrors.longLine(path, hopelessLine);
    const start = Math.max(0, end - block.length);
    const read = readSync(fd, block, 0, end - start, start);
    const found = block.subarray(0, read).lastIndexOf(NEWLINE);
    if (found >= 0) return start + found + 1;
    end = start;
  }
  return 0;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
