/**
 * Policy versions of a folder: `.cola/versions/<id>/` with `policy.safetensors` and `version.json`, and `current.json`, which says the
 * one in use. A version exists or does not; one that the guard refused leaves only its JSON.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ColaModel } from '../cola/model.ts';
import { exists, writeFileAtomic, writeFolderAtomic } from '../files/atomic.ts';
import { firstNonFinite } from '../files/floats.ts';
import { limits, needPlainFile, readText } from '../files/open.ts';
import { makeFolder, namesIn } from '../files/place.ts';
import { SafetensorsFile } from '../files/safetensors.ts';
import { writeSafetensors } from '../files/safetensors-writer.ts';
import { policyVersion } from '../protocol/feedback.ts';
import { feedbackErrors } from './errors.ts';
import { original } from './model.ts';

const weightsFile = 'policy.safetensors';
const notesFile = 'version.json';
const currentFile = 'current.json';
/** Versions with weights that are kept, besides the one in use. */
const kept = 12;

const versionNotes = policyVersion.extend({
  id: z.string().regex(/^v\d{4,}$/),
  /** When the newest of what it learned from happened. */
  until: z.number(),
});
export type PolicyVersion = z.infer<typeof versionNotes>;

const current = z.object({ version: z.string(), pinned: z.boolean() });
export type CurrentVersion = z.infer<typeof current>;

export type PolicyWeights = ReadonlyMap<string, Float32Array>;

export class PolicyVersions {
  readonly folder: string;

  constructor(readonly root: string) {
    this.folder = join(root, '.cola', 'versions');
  }

  /** Oldest first. What cannot be read is left out. @throws files.link, files.linkedHome */
  list(): PolicyVersion[] {
    return (namesIn(this.folder) ?? [])
      .filter((name) => /^v\d{4,}$/.test(name))
      .sort((a, b) => numberOf(a) - numberOf(b))
      .flatMap((name) => this.notes(name) ?? []);
  }

  /** Whether the weights of a version are there. */
  usable(id: string): boolean {
    return id === original || (this.notes(id)?.verdict ?? 'refused') !== 'refused';
  }

  get current(): CurrentVersion {
    const parsed = current.safeParse(json(join(this.folder, currentFile))).data;
    return parsed !== undefined && this.usable(parsed.version) ? parsed : { version: original, pinned: false };
  }

  /** Says which version is in use. @throws feedback.noVersion, store.cannotWrite, files.* */
  async choose(version: string, pinned: boolean): Promise<void> {
    if (!this.usable(version)) throw feedbackErrors.noVersion(version, this.folder);
    makeFolder(this.folder);
    await writeFileAtomic(join(this.folder, currentFile), `${JSON.stringify({ version, pinned })}\n`);
  }

  /**
   * Writes a version under the next free number.
   *
   * @param weights undefined for one that was refused
   * @throws store.cannotWrite
   */
  async add(
    version: Omit<PolicyVersion, 'id'>,
    cola: ColaModel,
    weights: PolicyWeights | undefined,
  ): Promise<PolicyVersion> {
    makeFolder(this.folder);
    for (let number = numberOf(this.list().at(-1)?.id ?? 'v0') + 1; ; number++) {
      const id = `v${String(number).padStart(4, '0')}`;
      const path = join(this.folder, id);
      const whole = { ...version, id };
      try {
        await writeFolderAtomic(
          path,
          async (folder) => {
            if (weights !== undefined) await writeWeights(join(folder, weightsFile), cola, weights);
            await writeFileAtomic(join(folder, notesFile), `${JSON.stringify(whole, null, 2)}\n`);
          },
          { replace: false },
        );
      } catch (error) {
        // Another window was quicker.
        if (await exists(path)) continue;
        throw error;
      }
      this.prune(id);
      return whole;
    }
  }

  /**
   * Weights of a version; undefined for the model's own.
   *
   * @throws feedback.noVersion, feedback.otherModel, feedback.version
   */
  weights(id: string, cola: ColaModel, model: string): PolicyWeights | undefined {
    if (id === original) return undefined;
    const notes = this.notes(id);
    if (notes === undefined || notes.verdict === 'refused') throw feedbackErrors.noVersion(id, this.folder);
    if (notes.model !== model) throw feedbackErrors.otherModel(id);
    const path = join(this.folder, id, weightsFile);
    const weights = new Map<string, Float32Array>();
    try {
      needPlainFile(path);
      using file = SafetensorsFile.open(path);
      for (const { name, shape } of cola.tensorsOf('policy')) {
        if (file.info(name).shape.join() !== shape.join()) throw new Error(`"${name}" has another shape`);
        const values = file.readFloat32(name);
        if (firstNonFinite(values) >= 0) throw new Error(`"${name}" has values that are no numbers`);
        weights.set(name, values);
      }
    } catch (error) {
      throw feedbackErrors.version(path, error instanceof Error ? error.message : String(error));
    }
    return weights;
  }

  private notes(id: string): PolicyVersion | undefined {
    return versionNotes.safeParse(json(join(this.folder, id, notesFile))).data;
  }

  /** The oldest weights go; what is known of a version stays as long as its weights. */
  private prune(newest: string): void {
    const { version } = this.current;
    const old = this.list().filter(({ id }) => id !== version && id !== newest);
    for (const { id } of old.slice(0, Math.max(0, old.length - kept)))
      rmSync(join(this.folder, id), { recursive: true, force: true });
  }
}

/** The number of a version, of its name. */
const numberOf = (id: string): number => Number(id.slice(1));

function writeWeights(path: string, cola: ColaModel, weights: PolicyWeights): Promise<void> {
  const entries = cola.tensorsOf('policy').map(({ name, shape }) => {
    const data = weights.get(name);
    if (data === undefined) throw new Error(`no weight ${name}`);
    return { name, shape, dtype: 'F32' as const, data };
  });
  return writeSafetensors(path, entries);
}

function json(path: string): unknown {
  try {
    return JSON.parse(readText(path, limits.note));
  } catch {
    return undefined;
  }
}
