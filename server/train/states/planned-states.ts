/** What the hidden states that a run keeps take on the disk, before anything but its tokens is made. */
import { dirname, join } from 'node:path';
import { loadTokenizer } from '../../model/tokenizer/tokenizer.ts';
import { resolveModel } from '../../spec/document.ts';
import { resolvePath } from '../../spec/paths.ts';
import type { RunSpec, StageSpec } from '../../spec/schema.ts';
import { packedData } from '../data.ts';
import { newConfig } from '../run/initialise.ts';
import { stageSeed } from '../run/seed.ts';
import { baseOf, configsOfSpec, tokenizerFolder } from '../run/spec-memory.ts';
import { rowsIn } from './kept-states.ts';
import { type PackedSettings, rowsRead } from './packed-states.ts';
import { freeDisk, statesBytes } from './states-file.ts';

export interface PlannedStates {
  /** The stages that read them. */
  readonly stages: readonly string[];
  readonly rows: number;
  readonly bytes: number;
}

export interface PlannedDisk {
  readonly kept: readonly PlannedStates[];
  readonly bytes: number;
  /** Bytes that are left on the disk. */
  readonly free: number;
}

const keeps = ({ name, settings }: StageSpec): PackedSettings | undefined =>
  (name === 'control' || name === 'clone') && settings.cache_states ? settings : undefined;

/**
 * Counts the rows of a spec: their tokens are made as its run makes them, in the folder where the run looks for them.
 *
 * @returns undefined where no stage keeps any
 * @throws whatever reading the tokenizer and the data throws; the signal's reason
 */
export async function plannedDisk(
  file: string,
  spec: RunSpec,
  options: { readonly cacheFolder: string; readonly signal: AbortSignal },
): Promise<PlannedDisk | undefined> {
  if (spec.stages.every((stage) => keeps(stage) === undefined)) return undefined;
  const base = await readerOf(file, spec);
  const found = new Map<string, { stages: string[]; rows: number; read: number; row: number }>();
  for (const [at, stage] of spec.stages.entries()) {
    const settings = keeps(stage);
    if (settings === undefined) continue;
    const context = {
      base,
      resolve: (path: string) => resolvePath(path, file),
      ...options,
      seed: stageSeed(spec.seed, at),
      say: () => undefined,
    };
    const data = await packedData({ ...settings, batch: settings.batch / settings.accumulate }, context, 1);
    data.close();
    const { length } = settings;
    const rows = rowsIn(data.tokens, length);
    const key = JSON.stringify([data.contents, rows, length]);
    const same = found.get(key) ?? { stages: [], rows, read: 0, row: statesBytes(1, length * base.config.hiddenSize) };
    same.stages.push(stage.name);
    same.read += rowsRead(settings);
    found.set(key, same);
  }
  const kept = [...found.values()].map(({ stages, rows, read, row }) => {
    const used = Math.min(rows, read);
    return { stages, rows: used, bytes: used * row };
  });
  const bytes = kept.reduce((sum, each) => sum + each.bytes, 0);
  return { kept, bytes, free: await freeDisk(join(dirname(options.cacheFolder), 'runs')) };
}

/** The part of a base that its data depends on. */
async function readerOf(file: string, spec: RunSpec) {
  if (typeof spec.model !== 'string') return newConfig(spec.model, file);
  const path = resolveModel(spec.model, file);
  const { config } = await configsOfSpec(spec, file);
  const tokenizer = loadTokenizer(tokenizerFolder(path), { modelVocabSize: config.vocabSize });
  return { config, folder: baseOf(path).folder, tokenizer };
}
