/** Models: which there are, and which one completes. */
import { z } from 'zod';
import { nothing, request } from './channel/request.ts';
import { precisionChoices } from './precision.ts';

export const modelInfo = z.object({
  folder: z.string(),
  device: z.string(),
  /** N. */
  codes: z.int(),
  /** Labels of the latent actions, by code; null where the model has none. */
  labels: z.array(z.string().nullable()),
  /** Share of a text's positions at which the policy chooses each code; null where nothing tells. */
  usage: z.array(z.number().nullable()),
  /** Longest sequence, in tokens. */
  context: z.int(),
  /** Whether the tokenizer knows how to fill in the middle. */
  fillsIn: z.boolean(),
});
export type ModelInfo = z.infer<typeof modelInfo>;

/** Loads a model with latent actions in place of the one that is loaded. */
export const loadModel = request(
  'cola/model/load',
  z.strictObject({
    /** Absolute folder. */
    folder: z.string().min(1),
    device: z.string().default('auto'),
    threads: z.int().positive().optional(),
    /** The form the weights of the base are kept in. */
    precision: z.enum(precisionChoices).default('auto'),
  }),
  modelInfo,
);

export const unloadModel = request('cola/model/unload', nothing, nothing);

/** The model that completes, as it was loaded last; null before the first. */
export const currentModel = request('cola/model/current', nothing, z.object({ model: modelInfo.nullable() }));

const listed = z.object({
  /** `builtin:nano`, or an absolute folder. */
  name: z.string(),
  folder: z.string(),
  /** Whether it has latent actions, and so can complete. */
  latent: z.boolean(),
  /** Where it was found: here, or in the store of another program. */
  source: z.enum(['builtin', 'workspace', 'run', 'imported', 'huggingface', 'ollama', 'lmstudio']),
  /** As its store calls it. */
  title: z.string().optional(),
  /** Of its weights on the disk. */
  bytes: z.number().optional(),
  parameters: z.number().optional(),
  family: z.string().optional(),
  /** Longest sequence, in tokens. */
  context: z.number().optional(),
  /** Whether it has a chat template, and one with calls of tools. */
  chat: z.enum(['text', 'tools']).optional(),
  /** Whether its weights fit into the memory of this machine. */
  fits: z.enum(['yes', 'in 4 bits', 'no']).optional(),
  /** Why it cannot be read. */
  problem: z.string().optional(),
});
export type ListedModel = z.infer<typeof listed>;

/** Models in the folders of a workspace, in its runs, in the box, in `folders`, which may lie anywhere, and in stores of other programs. */
export const listModels = request(
  'cola/model/list',
  z.strictObject({ roots: z.array(z.string().min(1)), folders: z.array(z.string()).default([]) }),
  z.object({ models: z.array(listed), more: z.boolean() }),
);
