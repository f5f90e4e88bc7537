/** A run spec as a whole: the model, the device, the seed and the stages in order. */
import { z } from 'zod';
import { deviceNames } from '../device/names.ts';
import type { AdapterChoice } from '../protocol/adapter.ts';
import { measures as measureNames } from '../protocol/evaluate.ts';
import { type PrecisionChoice, precisionChoices } from '../protocol/precision.ts';
import { loggerNames } from '../store/loggers.ts';
import { clusterSettings } from './settings/cluster.ts';
import { type StageName, type StageSpec, stageNames, stageOf, stages } from './stages.ts';

/** A new model instead of an existing one: sizes of a Llama. */
export const newModel = z.strictObject({
  tokenizer: z.string().min(1).meta({ description: 'Folder with tokenizer.json and tokenizer_config.json.' }),
  hidden: z.int().positive().meta({ description: 'Width d.' }),
  intermediate: z.int().positive().meta({ description: 'Width of the feed-forward.' }),
  layers: z.int().positive().meta({ description: 'Number of blocks.' }),
  heads: z.int().positive().meta({ description: 'Query heads.' }),
  kv_heads: z
    .int()
    .positive()
    .optional()
    .meta({ description: 'Key and value heads; as many as query heads by default.' }),
  context: z.int().positive().meta({ description: 'Longest sequence.', unit: 'tokens' }),
  rope_theta: z.number().positive().default(10000).meta({ description: 'Base of the rotary embedding.' }),
  tied: z.boolean().default(true).meta({ description: 'Whether the head is the embedding.' }),
});
export type NewModel = z.infer<typeof newModel>;

const stage = (name: StageName) => z.strictObject({ [name]: stages[name].settings });

export { measureNames };

export const runSpec = z.strictObject({
  model: z
    .union([z.string().min(1), newModel])
    .meta({ description: 'builtin:nano, a model folder, or the sizes of a new model.' }),
  base: z
    .strictObject({
      precision: z.enum(precisionChoices).default('auto').meta({
        description:
          'Form in which the weights of a frozen base are kept in memory: f32, f16, or 8 or 4 bits in blocks of 32. The modules of latent actions stay f32. auto is f32 below 3e8 parameters and int8 from there, and f32 wherever a stage trains the base.',
      }),
      model: z.string().min(1).optional().meta({
        description:
          'Where model is an adapter (PEFT): the model folder of its base, if adapter_config.json does not name it.',
      }),
    })
    .default({ precision: 'auto' })
    .meta({ description: 'How the base model is kept.' }),
  device: z
    .enum(['auto', ...deviceNames])
    .default('auto')
    .meta({ description: 'What computes; auto takes the fastest that works.' }),
  threads: z.int().positive().optional().meta({ description: 'Threads on the CPU; all cores by default.' }),
  cluster: clusterSettings.optional().meta({
    description:
      'Cuts every step into shards, which workers compute: processes of this machine, or actors of a Ray cluster. With it, threads is 1 if not given.',
  }),
  seed: z.int().default(7).meta({ description: 'Seed of everything random.' }),
  stages: z
    .array(z.union(stageNames().map(stage)))
    .min(1)
    .meta({ description: 'What is done, in order.' }),
  evaluate: z.array(z.enum(measureNames)).default([]).meta({ description: 'What is measured at the end.' }),
  log: z
    .array(z.enum(loggerNames))
    .default([])
    .meta({ description: 'Files that other tools read, beside metrics.jsonl: TensorBoard events, CSV.' }),
});

export type { StageSpec };
export type RunSpec = Omit<z.infer<typeof runSpec>, 'stages'> & { readonly stages: readonly StageSpec[] };

/** The parsed document with its stages as a discriminated union. */
export function toRunSpec(parsed: z.infer<typeof runSpec>): RunSpec {
  const named = parsed.stages.map((entry) => {
    const [[name, settings]] = Object.entries(entry);
    return { name, settings } as StageSpec;
  });
  return { ...parsed, stages: named };
}

/** The precision that the base of a run is kept in: one that is trained is float32. */
export function basePrecision({ base, stages }: Pick<RunSpec, 'base' | 'stages'>): PrecisionChoice {
  return base.precision === 'auto' && trainsBase({ stages }) ? 'f32' : base.precision;
}

/** Whether weights of the base itself are trained. */
export const trainsBase = ({ stages }: Pick<RunSpec, 'stages'>): boolean =>
  stages.some((stage) => stageOf(stage).trainsBase?.(stage.settings) === true);

/** The adapter that a run trains beside its base: its stages that have one have the same. */
export const adapterOf = ({ stages }: Pick<RunSpec, 'stages'>): AdapterChoice | undefined =>
  stages.flatMap((stage) => stageOf(stage).lora?.(stage.settings) ?? [])[0];

/** Threads of each process of a run; undefined for all cores. Where several compute, they are as many everywhere. */
export const threadsOf = ({ threads, cluster }: Pick<RunSpec, 'threads' | 'cluster'>): { threads?: number } => {
  const count = threads ?? (cluster === undefined ? undefined : 1);
  return count === undefined ? {} : { threads: count };
};
