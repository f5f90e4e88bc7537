/** What loading the model of a run spec and each of its stages take in memory, before anything is loaded. */
import { join } from 'node:path';
import { parseColaConfig } from '../../cola/config.ts';
import { hasBase } from '../../files/model-files.ts';
import { adapterBase } from '../../model/adapter/peft.ts';
import { loadModelConfig } from '../../model/config/config.ts';
import { isAdapter, locateModel } from '../../model/folder.ts';
import { CONFIG_BYTES, readModelText } from '../../model/json.ts';
import { loadMemory } from '../../model/memory.ts';
import { chosenPrecision } from '../../model/weights/precision.ts';
import type { Precision, PrecisionChoice } from '../../protocol/precision.ts';
import { readSpec, resolveModel } from '../../spec/document.ts';
import { basePrecision, type RunSpec, type StageSpec } from '../../spec/schema.ts';
import type { Configs } from '../stage-kind.ts';
import { kindOf } from '../stages/index.ts';
import { preparedConfig } from './adapter.ts';
import { newConfig } from './initialise.ts';
import { type MemoryPart, type PartMemory, stageMemory } from './memory-parts.ts';

/** Sizes that replace those of the spec. */
export interface Sizes {
  readonly batch?: number;
  readonly length?: number;
  readonly precision?: PrecisionChoice;
}

/**
 * The parts of the spec in a file, or of one whose paths are relative to it. Rollouts and updates of a stage do not happen at once, but the runtime keeps what it has.
 *
 * @throws spec.*, and whatever reading the model's configuration throws
 */
export async function specParts(
  file: string,
  sizes: Sizes,
  spec: RunSpec = readSpec(file),
): Promise<Configs & { readonly parts: MemoryPart[] }> {
  const { config, cola } = await configsOfSpec(spec, file);
  let actions = cola;
  const precision = chosenPrecision(sizes.precision ?? basePrecision(spec), config);
  const parts: MemoryPart[] = [{ what: 'loading', memory: () => loadMemory(config, precision) }];
  for (const [i, stage] of spec.stages.entries()) {
    actions = kindOf(stage).actions?.(stage.settings).config ?? actions;
    const number = spec.stages.length > 1 ? `${i + 1} ` : '';
    const own = stageParts(stage, { config, cola: actions }, sizes).map(({ what, behind = false, memory }) => {
      let known: PartMemory | undefined;
      const computed = (free?: number) => (known ??= memory(precision, free));
      return {
        what: `${number}${stage.name}: ${what}`,
        behind,
        memory: (_?: Precision, free?: number) => computed(free),
      };
    });
    parts.push(...own);
    const beside = own.filter(({ behind }) => !behind);
    if (beside.length > 1)
      parts.push({
        what: `${number}${stage.name}: together`,
        memory: (_, free) => stageMemory(beside.map(({ memory }) => memory(undefined, free))),
      });
  }
  return { config, cola, parts };
}

/** None for a stage that needs latent actions where there are none. */
function stageParts(stage: StageSpec, configs: Configs, { batch, length }: Sizes): readonly MemoryPart[] {
  const kind = kindOf(stage);
  const settings = batch === undefined ? stage.settings : { ...stage.settings, batch };
  if (configs.cola === undefined && kind.modules(settings) !== undefined) return [];
  return kind.parts(settings, configs, length);
}

/** Configurations of the model of a spec, read without its weights. @param file that its paths are relative to */
export async function configsOfSpec(spec: RunSpec, file: string): Promise<Configs> {
  const { model, base } = spec;
  if (typeof model !== 'string') return { config: newConfig(model, file).config, cola: undefined };
  const named = base.model === undefined ? undefined : resolveModel(base.model, file);
  const { config, cola } = await configsOf(resolveModel(model, file), named);
  return { config: preparedConfig(config, spec), cola };
}

/** Configurations of a model folder, read without its weights. @param base of an adapter, if its configuration does not say */
export async function configsOf(path: string, base?: string): Promise<Configs> {
  const { folder, cola } = baseOf(path);
  return { config: await loadModelConfig(folder, 'language', base), cola };
}

/** The folder with the tokenizer of a model; that of an adapter is the tokenizer of its base. */
export function tokenizerFolder(path: string): string {
  const { folder } = baseOf(path);
  return isAdapter(folder) ? adapterBase(folder) : folder;
}

/** The folder of a model's base, and the configuration of latent actions where there are some. */
export function baseOf(path: string): { readonly folder: string; readonly cola: Configs['cola'] } {
  const folder = locateModel(path);
  const file = join(folder, 'cola.json');
  const text = readModelText(file, CONFIG_BYTES);
  if (text === undefined) return { folder, cola: undefined };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Refused by the schema, with the name of the file.
    json = undefined;
  }
  const cola = parseColaConfig(json, file, hasBase(folder) ? '.' : 'base');
  return { folder: join(folder, cola.base), cola };
}
