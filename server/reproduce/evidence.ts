/** What runs and measures have found, kept by experiment and seed: a seed that is there is never done again. */
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { limits, readTextIfThere } from '../files/open.ts';
import { makeFolder } from '../files/place.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { reproduceErrors } from './errors.ts';

const course = z.array(z.tuple([z.number(), z.number()]));

const evidence = z.strictObject({
  /** Day, in ISO 8601. */
  date: z.string(),
  device: z.string(),
  /** Seconds on the clock of what was not there yet. */
  seconds: z.number().min(0),
  /** By name: a number, or one of every problem. */
  figures: z.record(z.string(), z.union([z.number(), z.array(z.number())])),
  /** By arm and figure: step and value. */
  curves: z.record(z.string(), course),
});
export type Evidence = z.infer<typeof evidence>;

const results = z.strictObject({
  version: z.literal(1),
  experiment: z.string(),
  /** Of the arms and the model: other arms need other evidence. */
  fingerprint: z.string(),
  seeds: z.record(z.string().regex(/^\d+$/), evidence),
});
export type Results = z.infer<typeof results>;

/** Digits that are kept: more than there are to know take room. */
const digits = 6;

export class EvidenceFolder {
  constructor(readonly folder: string) {}

  fileOf(experiment: string): string {
    return join(this.folder, `${experiment}.json`);
  }

  /** What is known of an experiment; nothing, where its arms were others then. @throws reproduce.badResults, files.* */
  read(experiment: string, fingerprint: string): Results {
    const file = this.fileOf(experiment);
    const text = readTextIfThere(file, limits.whole);
    const none: Results = { version: 1, experiment, fingerprint, seeds: {} };
    if (text === undefined) return none;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw reproduceErrors.badResults(file, error instanceof Error ? error.message : String(error));
    }
    const parsed = results.safeParse(value);
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      throw reproduceErrors.badResults(file, `${path}: ${detail}`);
    }
    return parsed.data.fingerprint === fingerprint ? parsed.data : none;
  }

  /** @returns what reading it will give: a figure has so many digits and no more */
  async write(found: Results): Promise<Results> {
    makeFolder(this.folder);
    const rounded = (_: string, value: unknown) =>
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(digits)) : value;
    const text = JSON.stringify(found, rounded);
    await writeFileAtomic(this.fileOf(found.experiment), `${text}\n`);
    return results.parse(JSON.parse(text));
  }
}
