/** Checkpoints of a run: folders named by their step, with safetensors files and a state.json. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { SafetensorsFile } from '../files/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../files/safetensors-writer.ts';
import { removeFolder, writeFileAtomic, writeFolderAtomic } from './atomic.ts';
import { storeErrors as errors } from './errors.ts';
import { firstIssue } from './issue.ts';

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
}

/** A complete checkpoint on the disk. */
export class Checkpoint {
  constructor(
    readonly step: number,
    readonly path: string,
  ) {}

  /** The names of the tensor files, sorted. */
  get files(): string[] {
    return readdirSync(this.path)
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
   * @throws ColaError safetensors.*
   */
  open(name: string): SafetensorsFile {
    return SafetensorsFile.open(this.file(name));
  }

  /** @throws ColaError store.cannotRead, store.json */
  state<T>(schema: z.ZodType<T>): T {
    return readJson(join(this.path, STATE), schema);
  }
}

/** The folder of all checkpoints of a run. Reading needs no lock; writing is for the one process that has it. */
export class CheckpointFolder {
  constructor(readonly path: string) {}

  /** All complete checkpoints, ascending by step. */
  list(): Checkpoint[] {
    let names: string[];
    try {
      names = readdirSync(this.path);
    } catch (error) {
      throw errors.cannotRead(this.path, error);
    }
    return names
      .filter((name) => /^(0|[1-9]\d{0,15})$/.test(name) && existsSync(join(this.path, name, STATE)))
      .map((name) => new Checkpoint(Number(name), join(this.path, name)))
      .sort((a, b) => a.step - b.step);
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
      },
      { replace: true },
    );
    const kept = new Set([step, this.best()?.step]);
    for (const old of this.list().slice(0, -keep)) if (!kept.has(old.step)) await removeFolder(old.path);
    return new Checkpoint(step, path);
  }

  /** Deletes the checkpoints of later steps, the last one first. @throws ColaError store.cannotWrite */
  async removeAfter(step: number): Promise<void> {
    for (const later of this.list().reverse()) if (later.step > step) await removeFolder(later.path);
  }
}

function readJson<T>(path: string, schema: z.ZodType<T>): T {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw errors.cannotRead(path, error);
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
