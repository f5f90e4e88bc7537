/** Checkpoints of a run: folders named by their step, with safetensors files and a state.json. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { removeFolder, writeFileAtomic, writeFolderAtomic } from '../files/atomic.ts';
import { limits, needPlainFile, readText } from '../files/open.ts';
import { namesIn, readable } from '../files/place.ts';
import { SafetensorsFile } from '../files/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../files/safetensors-writer.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { storeErrors as errors } from './errors.ts';
import {
  contentOf,
  differences,
  MANIFEST,
  type Manifest,
  type Provenance,
  readManifest,
  writeManifest,
} from './manifest.ts';

const STATE = 'state.json';
/** An empty file in a checkpoint that was the best when it was saved. As a part of it, it cannot be lost by itself. */
const BEST = 'best';
const EXTENSION = '.safetensors';

/** What a checkpoint is made of. */
export interface CheckpointContent {
  /** One safetensors file for each name, which is a plain name without extension such as `policy` or `optimiser`. */
  readonly files: Readonly<Record<string, Iterable<TensorToWrite>>>;
  /** Everything else, as JSON: generator, sampler position, counters. */
  readonly state: unknown;
  /** What it was made from; goes into its manifest. */
  readonly provenance?: Provenance;
}

/** A complete checkpoint on the disk. */
export class Checkpoint {
  constructor(
    readonly step: number,
    readonly path: string,
  ) {}

  /** The names of the tensor files, sorted. */
  get files(): string[] {
    return (namesIn(this.path) ?? [])
      .filter((name) => name.endsWith(EXTENSION))
      .map((name) => name.slice(0, -EXTENSION.length))
      .sort();
  }

  /** The path of one of its tensor files. */
  file(name: string): string {
    return join(this.path, name + EXTENSION);
  }

  /**
   * Opens one of its tensor files; the caller closes it.
   *
   * @throws ColaError safetensors.*, files.*
   */
  open(name: string): SafetensorsFile {
    needPlainFile(this.file(name));
    return SafetensorsFile.open(this.file(name));
  }

  /** Its manifest; undefined for a checkpoint of an earlier version, which has none; null for one that is damaged. */
  async manifest(): Promise<Manifest | undefined | null> {
    return readManifest(this.path);
  }

  /** What differs from its manifest, in words. @throws ColaError store.cannotRead */
  async damage(): Promise<string[]> {
    const manifest = await readManifest(this.path);
    return manifest === undefined ? [] : differences(this.path, manifest);
  }

  /** Names the checkpoint by its content; undefined for one without manifest. */
  async manifestHash(): Promise<string | undefined> {
    return (await readManifest(this.path)) ? (await contentOf(join(this.path, MANIFEST))).sha256 : undefined;
  }

  /** @throws ColaError store.cannotRead, store.json, files.* */
  state<T>(schema: z.ZodType<T>): T {
    return readJson(join(this.path, STATE), schema);
  }
}

/** The folder of all checkpoints of a run. Reading needs no lock; writing is for the one process that has it. */
export class CheckpointFolder {
  constructor(readonly path: string) {}

  /** All complete checkpoints, ascending by step. */
  list(): Checkpoint[] {
    return this.steps()
      .map((step) => new Checkpoint(step, join(this.path, String(step))))
      .filter(({ path }) => existsSync(join(path, STATE)));
  }

  private steps(): number[] {
    let names: string[] | undefined;
    try {
      names = namesIn(this.path);
    } catch (error) {
      throw readable(error, (cause) => errors.cannotRead(this.path, cause));
    }
    if (names === undefined) throw errors.cannotRead(this.path, new Error('there is no such folder'));
    return names
      .filter((name) => /^(0|[1-9]\d{0,15})$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** Steps whose folder is there without its state: such a one was never written so. */
  broken(): number[] {
    const whole = new Set(this.list().map(({ step }) => step));
    return this.steps().filter((step) => !whole.has(step));
  }

  latest(): Checkpoint | null {
    return this.list().at(-1) ?? null;
  }

  /** The checkpoint that was marked as the best last, or null. */
  best(): Checkpoint | null {
    return this.list().findLast(({ path }) => existsSync(join(path, BEST))) ?? null;
  }

  /**
   * Writes a checkpoint, all of it or nothing, and deletes old ones: it keeps the newest `keep` and the best.
   *
   * @param step non-negative; a checkpoint of the same step is replaced
   * @param options `best`: mark it as the best so far
   * @throws ColaError store.cannotWrite; the checkpoints are then as before
   */
  async save(
    step: number,
    content: CheckpointContent,
    options: { readonly keep: number; readonly best?: boolean },
  ): Promise<Checkpoint> {
    const { keep } = options;
    if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`${step} is not a step`);
    if (!Number.isSafeInteger(keep) || keep < 1) throw new RangeError(`${keep} checkpoints cannot be kept`);
    const path = join(this.path, String(step));
    await writeFolderAtomic(
      path,
      async (temporary) => {
        for (const [name, tensors] of Object.entries(content.files)) {
          if (!/^[\w-]+$/.test(name)) throw new RangeError(`"${name}" is not a plain file name`);
          await writeSafetensors(join(temporary, name + EXTENSION), tensors);
        }
        if (options.best === true) await writeFileAtomic(join(temporary, BEST), '');
        await writeFileAtomic(join(temporary, STATE), `${JSON.stringify(content.state ?? null)}\n`);
        await writeManifest(temporary, content.provenance ?? {});
      },
      { replace: true },
    );
    const kept = new Set([step, this.best()?.step]);
    for (const old of this.list().slice(0, -keep)) if (!kept.has(old.step)) await removeFolder(old.path);
    return new Checkpoint(step, path);
  }

  /** Deletes the checkpoints of later steps, the last one first. @throws ColaError store.cannotWrite */
  async removeAfter(step: number): Promise<void> {
    for (const later of this.steps().reverse()) if (later > step) await removeFolder(join(this.path, String(later)));
  }
}

function readJson<T>(path: string, schema: z.ZodType<T>): T {
  let text: string;
  try {
    text = readText(path, limits.note);
  } catch (error) {
    throw readable(error, (cause) => errors.cannotRead(path, cause));
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw errors.json(path, 'it is not JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = firstIssue(parsed.error);
  throw errors.json(path, `"${issue.path}": ${issue.detail}`);
}
