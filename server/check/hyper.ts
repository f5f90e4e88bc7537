/** Settings of the reference values in `cola.json` (test/fixtures/cola/README.md, section 4). */
import { z } from 'zod';
import { firstIssue } from '../schemas/first-issue.ts';
import { checkErrors } from './errors.ts';

const schema = z.looseObject({
  gumbel_tau: z.number().positive(),
  beta_reg: z.number(),
  prompt_len: z.number().int().positive(),
  group_size: z.number().int().positive(),
  beta_kl: z.number(),
  gae_gamma: z.number(),
  gae_lambdas: z.array(z.number()),
  clip_eps: z.number(),
  action_temperature: z.number().positive(),
  ppo: z.looseObject({ gae_lambda: z.number(), value_clip: z.number(), value_coef: z.number() }),
  q_gamma: z.number(),
  generation: z.looseObject({ temperature: z.number().positive(), max_new: z.number().int().positive() }),
  mcts: z.looseObject({
    simulations: z.number().int(),
    breadth: z.number().int(),
    cpuct: z.number(),
    gamma: z.number(),
    q_gamma: z.number(),
    threshold: z.number(),
    max_extra: z.number().int(),
    max_new: z.number().int(),
  }),
});

export type FixtureHyper = z.infer<typeof schema>;

/** @throws check.json */
export function parseHyper(notes: Readonly<Record<string, unknown>>, folder: string): FixtureHyper {
  const parsed = schema.safeParse(notes.hyper);
  if (parsed.success) return parsed.data;
  const { path, detail } = firstIssue(parsed.error);
  throw checkErrors.json(`${folder}/cola.json`, `"hyper.${path}": ${detail}`);
}
