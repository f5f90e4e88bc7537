/** `cola fit`: whether a model or a run fits into memory, before anything is loaded. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type ColaConfig, parseColaConfig } from '../cola/config.ts';
import { type DeviceName, deviceNames } from '../device/names.ts';
import { loadModelConfig, type ModelConfig, parseModelConfig } from '../model/config.ts';
import { locateModel } from '../model/folder.ts';
import {
  decodeMemory,
  type Fit,
  fits,
  loadMemory,
  type Memory,
  parameterCount,
  pretrainMemory,
} from '../model/memory.ts';
import { loadTokenizer } from '../model/tokenizer.ts';
import { readSpec, resolveModel, resolvePath } from '../spec/document.ts';
import type { NewModel, RunSpec } from '../spec/schema.ts';
import { cliErrors } from './errors.ts';
import type { Output } from './io.ts';
import { count, type JsonOption, modelFolder, withExamples, withJson } from './options.ts';
import type { Session } from './session.ts';
import { assumedPrompt, type Sizes, type StageMemory, stageMemory } from './stage-memory.ts';

type Options = JsonOption & { readonly batch?: number; readonly length?: number; readonly device: DeviceName };

interface Entry extends StageMemory {
  readonly fit: Fit;
}

export function addFit(program: Command, session: Session): void {
  const command = program
    .command('fit')
    .description(
      'Estimate the memory a model or the stages of a run spec take. Exit code 1 if more is needed than is free.',
    )
    .argument('<spec-or-folder>', 'run spec (.yaml), model folder, or builtin:nano')
    .option('--batch <count>', 'sequences at once (default: what the spec says, 8 for a folder)', count)
    .option('--length <tokens>', 'tokens in a sequence (default: what the spec says, 256 for a folder)', count)
    .addOption(new Option('--device <name>', 'whose memory').choices(deviceNames).default('cpu'));
  withExamples(withJson(command), [
    'fit builtin:nano --batch 32 --length 512',
    'fit countdown.cola.yaml',
    'fit models/qwen --json',
  ]).action((target: string, options: Options) =>
    session.perform(options.json === true, async (output) => {
      const path = resolve(session.cwd, target);
      const isSpec = (/\.ya?ml$/i.test(target) && !isFolder(path)) || isFile(path);
      const { config, parts } = isSpec
        ? await specParts(resolve(session.cwd, target), options)
        : await folderParts(modelFolder(target, session.cwd), options);
      const entries: Entry[] = parts.map((part) => ({ ...part, fit: fits(part.memory.total, options.device) }));
      report(config, entries, output);
      const ok = entries.every(({ fit }) => fit.fits !== false);
      const value = { parameters: parameterCount(config), parts: entries, ok };
      return { value, ok };
    }),
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function folderParts(folder: string, { batch = 8, length = 256 }: Sizes) {
  const { config } = await configsOf(folder);
  checkLength(length, config);
  const parts: StageMemory[] = [
    { what: 'loading', memory: loadMemory(config) },
    { what: `decoding ${batch} x ${length}`, memory: decodeMemory(config, batch, length) },
    { what: `training ${batch} x ${length}`, memory: pretrainMemory(config, batch, length) },
  ];
  return { config, parts };
}

/** The memory that loading the model of a spec and each of its stages take. */
export async function specParts(file: string, sizes: Sizes) {
  const spec = readSpec(file);
  const { config, cola } = await configsOfSpec(spec, file);
  if (sizes.length !== undefined) checkLength(sizes.length, config);
  let codes = cola;
  const parts: StageMemory[] = [{ what: 'loading', memory: loadMemory(config) }];
  for (const [i, stage] of spec.stages.entries()) {
    if (stage.name === 'control') codes = colaOf(stage.settings);
    const number = spec.stages.length > 1 ? `${i + 1} ` : '';
    for (const part of stageMemory(stage, config, codes, sizes)) {
      parts.push({ ...part, what: `${number}${stage.name}: ${part.what}` });
    }
  }
  return { config, parts };
}

function checkLength(length: number, config: ModelConfig): void {
  if (length > config.maxPositionEmbeddings) {
    throw cliErrors.usage(
      `--length is ${length}, and the model's context ends at ${config.maxPositionEmbeddings}`,
      'cola fit',
    );
  }
}

type ControlSettings = Extract<RunSpec['stages'][number], { name: 'control' }>['settings'];

function colaOf(settings: ControlSettings): ColaConfig {
  return {
    numCodes: settings.codes,
    idmLayers: settings.idm_layers,
    policyLayers: settings.policy_layers,
    mergeLayers: settings.merge_layers,
    worldResidual: settings.world === 'residual',
    base: '.',
  };
}

async function configsOfSpec(
  { model }: RunSpec,
  file: string,
): Promise<{ config: ModelConfig; cola: ColaConfig | undefined }> {
  if (typeof model === 'string') return configsOf(resolveModel(model, file));
  return { config: newConfig(model, file), cola: undefined };
}

/** Configurations of a model folder, read without its weights. */
async function configsOf(path: string): Promise<{ config: ModelConfig; cola: ColaConfig | undefined }> {
  const folder = locateModel(path);
  const file = join(folder, 'cola.json');
  if (!existsSync(file)) return { config: await loadModelConfig(folder), cola: undefined };
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Refused by the schema, with the name of the file.
    json = undefined;
  }
  const cola = parseColaConfig(json, file, existsSync(join(folder, 'config.json')) ? '.' : 'base');
  return { config: await loadModelConfig(join(folder, cola.base)), cola };
}

function newConfig(sizes: NewModel, file: string): ModelConfig {
  const { vocabSize } = loadTokenizer(resolvePath(sizes.tokenizer, file));
  const json = {
    model_type: 'llama',
    vocab_size: vocabSize,
    hidden_size: sizes.hidden,
    intermediate_size: sizes.intermediate,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kv_heads ?? sizes.heads,
    max_position_embeddings: sizes.context,
    rope_theta: sizes.rope_theta,
    tie_word_embeddings: sizes.tied,
    bos_token_id: null,
    eos_token_id: null,
  };
  return parseModelConfig(json, file);
}

function report(config: ModelConfig, entries: readonly Entry[], output: Output): void {
  output.line(`${parameterCount(config).toLocaleString('en')} weights, without latent actions`);
  const columns = ['weights', 'gradients', 'moments', 'cache', 'activations', 'slack', 'total'] as const;
  output.table([
    ['', ...columns, ''],
    ...entries.map(({ what, memory, fit }) => [what, ...columns.map((name) => size(memory, name)), verdict(fit)]),
  ]);
  const [{ fit }] = entries;
  output.line(
    fit.free === undefined ? `Not known whether it fits: ${fit.source}.` : `${gigabytes(fit.free)}: ${fit.source}`,
  );
  if (entries.some(({ what }) => /rollouts|search/.test(what))) {
    output.note(`Without --length, prompts of rollouts and searches are taken to have ${assumedPrompt} tokens.`);
  }
}

function size(memory: Memory, name: keyof Memory): string {
  return memory[name] === 0 ? '-' : gigabytes(memory[name]);
}

function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function verdict({ fits: fitting }: Fit): string {
  return fitting === undefined ? '' : fitting ? 'fits' : 'TOO MUCH';
}
