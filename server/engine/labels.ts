/** `actions.json` of a model folder: what its latent actions are called. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const schema = z.looseObject({
  actions: z.array(z.looseObject({ code: z.int().nonnegative(), label: z.string().nullable().optional() })),
});

/**
 * One label a code, null where there is none. The names are an adornment: a folder without the file, or with one that
 * cannot be read, has none.
 */
export function readLabels(folder: string, codes: number): (string | null)[] {
  const labels = Array.from({ length: codes }, (): string | null => null);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(join(folder, 'actions.json'), 'utf8'));
  } catch {
    return labels;
  }
  for (const { code, label } of schema.safeParse(json).data?.actions ?? []) {
    if (code < codes) labels[code] = label ?? null;
  }
  return labels;
}
