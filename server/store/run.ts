/**
 * A run on the disk: `.cola/runs/<id>/` with spec.yaml (frozen), metrics.jsonl, samples.jsonl, log.txt, checkpoints/
 * and lock. {@link RunView} reads, at any time and from any process; {@link Run} writes, one process at a time.
 */
import { lstatSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { exists, isLeftover, recoverFolder, writeFileAtomic, writeFolderAtomic } from '../files/atomic.ts';
import { appendText, limits, readText } from '../files/open.ts';
import { makeFolder, namesIn, readable } from '../files/place.ts';
import { type Checkpoint, type CheckpointContent, CheckpointFolder } from './checkpoint.ts';
import { storeErrors as errors } from './errors.ts';
import { JsonLinesWriter, readJsonLines } from './jsonl.ts';
import { Lock } from './lock.ts';
import { type LoggerName, Loggers } from './loggers.ts';
import { contentOf, type Manifest, same } from './manifest.ts';
import type { MetricLine } from './metric-names.ts';
import { type LogEntry, lastEntryKind, readRunLog } from './run-log.ts';

const SPEC = 'spec.yaml';
const METRICS = 'metrics.jsonl';
const SAMPLES = 'samples.jsonl';
const LOG = 'log.txt';
const CHECKPOINTS = 'checkpoints';
const LOCK = 'lock';

/** Temporary folders beside the runs may belong to a process that is creating one just now; not for so long, though. */
const HOUR_MS = 3_600_000;

/** A line of metrics or samples: the optimiser step it belongs to, and whatever the stage reports. */
export interface StepRecord {
  readonly step: number;
}

const stepSchema = z.looseObject({ step: z.number() });

/** @returns the folder of a run below the folder of a project */
export function runFolder(root: string, id: string): string {
  return join(root, '.cola', 'runs', id);
}

/** The names in the folder of a project's runs that a run can have. @throws ColaError store.cannotRead, files.* */
export function runNames(root: string): string[] {
  const folder = runFolder(root, '');
  try {
    return (namesIn(folder) ?? []).filter(isRunId).sort();
  } catch (error) {
    throw readable(error, (cause) => errors.cannotRead(folder, cause));
  }
}

/** A run as a reader sees it. Safe while another process writes. */
export class RunView {
  readonly id: string;
  protected readonly checkpointFolder: CheckpointFolder;

  protected constructor(
    readonly path: string,
    /** The specification the run was started with, as it was written then. */
    readonly spec: string,
  ) {
    this.id = basename(path);
    this.checkpointFolder = new CheckpointFolder(join(path, CHECKPOINTS));
  }

  /** Looks at a run without locking it. @throws ColaError store.noRun, store.cannotRead, files.* */
  static view(path: string): RunView {
    const folder = resolve(path);
    return new RunView(folder, readSpec(folder));
  }

  /** The process that writes to the run now; undefined where none does. See {@link Lock.holder}. */
  get holder(): { readonly pid: number | null } | undefined {
    return Lock.holder(join(this.path, LOCK));
  }

  /** When something was last written to the run, in milliseconds since 1970. */
  get updated(): number {
    const times = [SPEC, METRICS, CHECKPOINTS].map(
      (name) => lstatSync(join(this.path, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    );
    return Math.max(...times);
  }

  /** The metrics so far, one record a line. @throws ColaError store.line, store.cannotRead */
  readMetrics<T>(schema: z.ZodType<T>): T[] {
    return readJsonLines(join(this.path, METRICS), schema);
  }

  /** The samples so far, one record a line. @throws ColaError store.line, store.cannotRead */
  readSamples<T>(schema: z.ZodType<T>): T[] {
    return readJsonLines(join(this.path, SAMPLES), schema);
  }

  /** What happened, oldest first. @throws ColaError store.cannotRead */
  readLog(): LogEntry[] {
    return readRunLog(join(this.path, LOG));
  }

  /**
   * Whether nobody asked for its end: the engine was closed or killed under it. Of a run that is under way this says nothing.
   *
   * @throws ColaError store.cannotRead, files.*
   */
  get interrupted(): boolean {
    const last = lastEntryKind(join(this.path, LOG));
    return last !== 'stopped' && last !== 'failed' && last !== 'done';
  }

  /** All complete checkpoints, ascending by step. */
  checkpoints(): Checkpoint[] {
    return this.checkpointFolder.list();
  }

  latestCheckpoint(): Checkpoint | null {
    return this.checkpointFolder.latest();
  }

  bestCheckpoint(): Checkpoint | null {
    return this.checkpointFolder.best();
  }

  /** Steps of checkpoints that have lost their state, and so are none any more. */
  brokenCheckpoints(): number[] {
    return this.checkpointFolder.broken();
  }

  /** How the logs differ from the beginnings that a checkpoint has noted, in words. @throws ColaError store.cannotRead */
  async logDifferences(logs: Manifest['logs']): Promise<string[]> {
    const found: string[] = [];
    for (const name of [METRICS, SAMPLES]) {
      const { [name]: wanted } = logs;
      if (wanted === undefined || wanted.bytes === 0) continue;
      const path = join(this.path, name);
      if (!(await exists(path))) found.push(`${name} is missing`);
      else if (!same(await contentOf(path, wanted.bytes), wanted)) found.push(`${name} was changed or cut`);
    }
    return found;
  }

  /** @throws ColaError store.noCheckpoint */
  checkpoint(step: number): Checkpoint {
    const found = this.checkpoints().find((checkpoint) => checkpoint.step === step);
    if (found === undefined) throw errors.noCheckpoint(this.path, step);
    return found;
  }
}

/** A run that this process may write to, and no other. Close it to let others. */
export class Run extends RunView {
  /** What the folder was when it was opened. */
  private readonly inode: number;
  /** Checkpoints that must be there. */
  private expected: readonly number[];
  private loggers: Loggers | undefined;

  private constructor(
    path: string,
    spec: string,
    private lock: Lock,
    /** Append one record a step; what is appended is there after a kill, and after a power cut from the next checkpoint on. */
    readonly metrics: JsonLinesWriter<StepRecord>,
    /** Generated texts, with the step they were generated at. */
    readonly samples: JsonLinesWriter<StepRecord>,
  ) {
    super(path, spec);
    this.inode = lstatSync(path).ino;
    this.expected = this.steps();
  }

  /**
   * Makes a run and opens it. The folder appears with its spec or not at all.
   *
   * @param root folder of the project
   * @param id name of the run: letters, digits, `.`, `-`, `_`
   * @param specYaml the complete specification, defaults filled in; never changed again
   * @throws ColaError store.runId, store.runExists, store.cannotWrite
   */
  static async create(root: string, id: string, specYaml: string): Promise<Run> {
    if (!isRunId(id)) throw errors.runId(id);
    const path = resolve(runFolder(root, id));
    const runs = resolve(runFolder(root, ''));
    try {
      makeFolder(runs);
    } catch (error) {
      throw readable(error, (cause) => errors.cannotWrite(runs, cause));
    }
    await recoverFolder(runs, HOUR_MS);
    if (await exists(path)) throw errors.runExists(path);
    const fill = async (folder: string) => {
      await writeFileAtomic(join(folder, SPEC), specYaml);
      makeFolder(join(folder, CHECKPOINTS));
    };
    try {
      await writeFolderAtomic(path, fill, { replace: false });
    } catch (error) {
      // Another process was quicker.
      throw (await exists(path)) ? errors.runExists(path) : error;
    }
    return Run.open(path);
  }

  /**
   * Opens a run for writing: takes its lock and clears away what a killed process left half done.
   *
   * @throws ColaError store.noRun, store.locked, store.cannotRead, store.cannotWrite
   */
  static async open(path: string): Promise<Run> {
    const folder = resolve(path);
    const spec = readSpec(folder);
    const lock = Lock.acquire(join(folder, LOCK));
    try {
      await recoverFolder(folder);
      await recoverFolder(join(folder, CHECKPOINTS));
      const metrics = new JsonLinesWriter<StepRecord>(join(folder, METRICS));
      const samples = new JsonLinesWriter<StepRecord>(join(folder, SAMPLES));
      return new Run(folder, spec, lock, metrics, samples);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * Adds a line to log.txt, with the time.
   *
   * @throws ColaError store.cannotWrite
   */
  log(text: string): void {
    const path = join(this.path, LOG);
    try {
      appendText(path, `${new Date().toISOString()} ${text}\n`);
    } catch (error) {
      throw readable(error, (cause) => errors.cannotWrite(path, cause));
    }
  }

  /** From now on, metrics also go where other tools read them; what is there so far, at once. @throws ColaError store.*, files.* */
  async logTo(names: readonly LoggerName[]): Promise<void> {
    if (names.length === 0) return;
    const loggers = new Loggers(this.path, names);
    await loggers.begin(this.readMetrics(stepSchema));
    this.loggers = loggers;
  }

  /** Appends a line of metrics. @throws ColaError store.cannotWrite */
  record(line: MetricLine): void {
    this.metrics.append(line);
    this.loggers?.append(line);
  }

  /**
   * Saves a checkpoint, all of it or nothing. Metrics and samples are forced to the disk before, so whatever happens
   * they reach at least as far as the latest checkpoint.
   *
   * @param options `keep`: how many of the newest stay, besides the best; `best`: this one is the best so far
   * @throws ColaError store.cannotWrite
   */
  async saveCheckpoint(
    step: number,
    content: CheckpointContent,
    options: { readonly keep: number; readonly best?: boolean },
  ): Promise<Checkpoint> {
    this.metrics.sync();
    this.samples.sync();
    const logs = { [METRICS]: this.metrics.content, [SAMPLES]: this.samples.content };
    const provenance = { ...content.provenance, logs };
    const saved = await this.checkpointFolder.save(step, { ...content, provenance }, options);
    this.expected = this.steps();
    return saved;
  }

  /**
   * Looks whether what this process has written is still there. A file that is deleted while it is open takes what is
   * written to it without a word.
   *
   * @throws ColaError store.gone where the folder is, store.locked where another process has taken the run over,
   *   store.disturbed where parts of it were deleted or changed: {@link mend} makes it fit for a checkpoint again
   */
  check(): void {
    if (lstatSync(this.path, { throwIfNoEntry: false })?.ino !== this.inode) throw errors.gone(this.path);
    if (!this.lock.held) this.lock = Lock.acquire(join(this.path, LOCK));
    const lost: string[] = [];
    if (specOrNone(this.path) !== this.spec) lost.push(SPEC);
    if (!this.metrics.intact) lost.push(METRICS);
    if (!this.samples.intact) lost.push(SAMPLES);
    const there = new Set(this.steps());
    for (const step of this.expected) if (!there.has(step)) lost.push(`${CHECKPOINTS}/${step}`);
    if (lost.length > 0) throw errors.disturbed(this.path, this.id, lost);
  }

  /** Makes good what can be after store.disturbed: the spec, the folders, logs that can be written to. @throws ColaError store.cannotWrite */
  async mend(): Promise<void> {
    try {
      if (!isFolder(join(this.path, CHECKPOINTS))) makeFolder(join(this.path, CHECKPOINTS));
    } catch (error) {
      throw errors.cannotWrite(join(this.path, CHECKPOINTS), error);
    }
    if (specOrNone(this.path) !== this.spec) await writeFileAtomic(join(this.path, SPEC), this.spec);
    for (const log of [this.metrics, this.samples]) if (!log.intact) log.takeAnew();
    this.expected = this.steps();
  }

  private steps(): number[] {
    return isFolder(this.checkpointFolder.path) ? this.checkpoints().map(({ step }) => step) : [];
  }

  /**
   * Drops the metrics and samples of later steps. Done on resuming from the checkpoint of `step`, it makes the files
   * of a resumed run equal to those of one that was never interrupted.
   *
   * @throws ColaError store.line, store.cannotWrite
   */
  async truncateMetricsAfter(step: number): Promise<void> {
    await this.metrics.retain(stepSchema, (line) => line.step <= step);
    await this.samples.retain(stepSchema, (line) => line.step <= step);
  }

  /**
   * Goes back to an earlier checkpoint: later checkpoints are deleted, then later metrics and samples. After a kill in
   * between, resuming from the latest checkpoint completes it.
   *
   * @throws ColaError store.noCheckpoint, store.cannotWrite
   */
  async rewind(step: number): Promise<Checkpoint> {
    const target = this.checkpoint(step);
    await this.checkpointFolder.removeAfter(step);
    this.expected = this.steps();
    await this.truncateMetricsAfter(step);
    return target;
  }

  /** Closes the files and gives the lock back. Nothing may be written afterwards. */
  close(): void {
    this.metrics.close();
    this.samples.close();
    this.lock.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function readSpec(folder: string): string {
  try {
    return readText(join(folder, SPEC), limits.note);
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
    throw absent ? errors.noRun(folder) : readable(error, (cause) => errors.cannotRead(join(folder, SPEC), cause));
  }
}

function specOrNone(folder: string): string | undefined {
  try {
    return readText(join(folder, SPEC), limits.note);
  } catch {
    return undefined;
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A name that is one path component on every system, no device of Windows, and none that a crash could leave behind. */
export function isRunId(id: string): boolean {
  const device = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
  return /^[A-Za-z0-9][\w.-]{0,99}$/.test(id) && !id.endsWith('.') && !device.test(id) && !isLeftover(id);
}
