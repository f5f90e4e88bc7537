/** What a reward model says of its own scores, in `reward.json` beside its weights. */
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { CONFIG_BYTES, parseModelJson, readModelText } from '../model/json.ts';

const name = 'reward.json';

const measured = z.looseObject({ score_mean: z.number(), score_std: z.number().positive() });

/** Mean and standard deviation of held-out scores. */
export interface Moments {
  readonly mean: number;
  readonly std: number;
}

/** @returns undefined where the folder does not say it. @throws config.* for a file that cannot be read */
export function momentsIn(folder: string): Moments | undefined {
  const file = join(folder, name);
  const text = readModelText(file, CONFIG_BYTES);
  const found = text === undefined ? undefined : measured.safeParse(parseModelJson(text, file)).data;
  return found === undefined ? undefined : { mean: found.score_mean, std: found.score_std };
}

/** Writes what was measured of a model beside it. */
export function saveMeasured(folder: string, figures: Readonly<Record<string, unknown>>): Promise<void> {
  return writeFileAtomic(join(folder, name), `${JSON.stringify(figures, null, 2)}\n`);
}
