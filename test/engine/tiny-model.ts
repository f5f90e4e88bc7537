/** A model with latent actions and a tokenizer, random and tiny, made when a suite needs it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { actionsOf, writeActions } from '../../server/cola/actions-file.ts';
import type { ActionProfile } from '../../server/protocol/actions.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { createBase, prepareModules } from '../../server/train/run/initialise.ts';

export const codes = 8;

/** @returns its folder */
export async function makeModel(
  folder: string,
  { hidden = 16, intermediate = 24, width }: { hidden?: number; intermediate?: number; width?: number } = {},
): Promise<string> {
  const spec = toRunSpec(
    runSpec.parse({
      model: { tokenizer: 'builtin:nano', hidden, intermediate, layers: 1, heads: 2, context: 1024 },
      stages: [{ control: { data: 'x.txt', codes, idm_layers: 1, policy_layers: 1, merge_layers: 1, width } }],
    }),
  );
  if (typeof spec.model === 'string') throw new Error('the model is new');
  const base = createBase(spec.model, 'spec.yaml', 3);
  // Larger weights make different actions lead to different tokens.
  for (const values of base.weights.values()) for (const [i, x] of values.entries()) values[i] = 8 * x;
  const cola = prepareModules(spec.stages[0], base, undefined, 5);
  if (cola === undefined) throw new Error('the stage makes a model');
  await cola.save(folder);
  await writeActions(actionsOf(folder), {
    version: 1,
    codes,
    measured: { text: 'corpus.txt', positions: 0, prompts: 0, tokens: 0, seed: 7 },
    actions: [profile(3, 'declare const')],
  });
  return folder;
}

/** A latent action with a name and nothing measured. */
export function profile(code: number, label: string): ActionProfile {
  const forced = { changed: 0, changed_random: 0, fits: 0, fits_random: 0, tokens: [], samples: [] };
  const usage = { inverse: 0, policy: 0 };
  return { code, label, usage, tokens: [], contexts: [], examples: [], forced, near: [] };
}

/** A run spec that clones the policy for many short steps. */
export async function makeSpec(folder: string, model: string, steps = 400): Promise<string> {
  const text = Array.from({ length: 400 }, (_, i) => `const value${i} = ${i} * ${i % 7};`).join('\n');
  await writeFile(join(folder, 'corpus.txt'), text);
  const file = join(folder, 'tiny.cola.yaml');
  await writeFile(
    file,
    `model: ${model}
device: cpu
threads: 1
stages:
  - clone: { data: corpus.txt, steps: ${steps}, batch: 2, length: 16, checkpoint_every: 5, evaluate_every: 1000 }
`,
  );
  return file;
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'cola-engine-'));
}

export const removeFolder = (folder: string) => rm(folder, { recursive: true, force: true });
