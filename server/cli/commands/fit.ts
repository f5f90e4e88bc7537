/** `cola fit`: whether a model or a run fits into memory, before anything is loaded. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type DeviceName, deviceNames } from '../../device/names.ts';
import { scoreMemory, windowBatch } from '../../evaluate/score.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import {
  adapterCount,
  decodeMemory,
  type Fit,
  fits,
  loadMemory,
  type Memory,
  parameterCount,
  pretrainMemory,
} from '../../model/memory.ts';
import { chosenPrecision } from '../../model/weights/precision.ts';
import { timeText } from '../../protocol/figures/time-text.ts';
import { readSpec } from '../../spec/document.ts';
import { assumedPrompt, describedPart, type MemoryPart } from '../../train/run/memory-parts.ts';
import { configsOf, specParts } from '../../train/run/spec-memory.ts';
import { estimateTime, type TimeEstimate, timingsOfRuns } from '../../train/run/time-estimate.ts';
import { tryOut } from '../../train/run/trial.ts';
import { type PlannedDisk, plannedDisk } from '../../train/states/planned-states.ts';
import { cliErrors } from '../errors.ts';
import type { Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import { count, type JsonOption, type PrecisionOption, withExamples, withJson, withPrecision } from '../options.ts';
import type { Session } from '../session.ts';

type Options = JsonOption &
  Partial<PrecisionOption> & {
    readonly batch?: number;
    readonly length?: number;
    readonly device: DeviceName;
    readonly time?: boolean;
  };

interface Entry {
  readonly what: string;
  readonly memory: Memory;
  readonly fit: Fit;
}

export function addFit(program: Command, session: Session): void {
  const command = program
    .command('fit')
    .description(
      'Estimate the memory a model or the stages of a run spec take, and the disk where states are kept. Exit code 1 if more is needed than is free.',
    )
    .argument('<spec-or-folder>', 'run spec (.yaml), model folder, a run, or builtin:nano')
    .option('--time', 'say how long the run of a spec takes: by earlier runs here, or by taking its first steps')
    .option('--batch <count>', 'sequences at once (default: what the spec says, 8 for a folder)', count)
    .option(
      '--length <tokens>',
      'tokens in a sequence (default: what the spec says; for a folder 256, or the context if it is shorter)',
      count,
    )
    .addOption(new Option('--device <name>', 'whose memory').choices(deviceNames).default('cpu'));
  withExamples(withPrecision(withJson(command), { words: 'that of the spec, auto for a folder' }), [
    'fit builtin:nano --batch 32 --length 512',
    'fit countdown.cola.yaml --time',
    'fit models/qwen --precision int4 --json',
  ]).action((target: string, options: Options) =>
    session.perform(options.json === true, async (output) => {
      const path = resolve(session.cwd, target);
      const isSpec = (/\.ya?ml$/i.test(target) && !isFolder(path)) || isFile(path);
      const { config, parts } = isSpec
        ? await specParts(resolve(session.cwd, target), options)
        : await folderParts((await namedModel(target, session.cwd)).folder, options);
      if (options.length !== undefined) checkLength(options.length, config);
      const entries: Entry[] = parts.map((part) => {
        const memory = part.memory();
        return {
          what: describedPart(part.what, memory),
          memory,
          fit: fits(memory.total + processBytes, options.device),
        };
      });
      report(config, entries, output);
      const disk = isSpec ? await diskOf(path, session, output) : undefined;
      const ok = entries.every(({ fit }) => fit.fits !== false) && (disk === undefined || disk.bytes <= disk.free);
      const time = ok && isSpec && options.time === true ? await timeOf(path, session, output) : undefined;
      const value = {
        parameters: parameterCount(config),
        adapter: adapterCount(config),
        parts: entries,
        process: processBytes,
        ...(disk === undefined ? {} : { disk }),
        ok,
        ...(time === undefined ? {} : { time }),
      };
      return { value, ok };
    }),
  );
}

/** What hidden states take that are kept; their tokens are kept for the run. */
async function diskOf(file: string, { cwd, signal }: Session, output: Output): Promise<PlannedDisk | undefined> {
  const disk = await plannedDisk(file, readSpec(file), { cacheFolder: join(cwd, '.cola', 'cache'), signal });
  for (const { stages, rows, bytes } of disk?.kept ?? [])
    output.line(
      `Hidden states on the disk (${stages.join(', ')}): ${rows} rows, ${gigabytes(bytes)} until the run ends`,
    );
  if (disk !== undefined) {
    const word = disk.bytes <= disk.free ? 'fits' : 'TOO MUCH';
    output.line(`${gigabytes(disk.free)}: free space of the disk, ${word}`);
  }
  return disk;
}

/** Earlier runs are those of the folder that the command is given in, where `cola train` puts its own. */
async function timeOf(specFile: string, { cwd, signal }: Session, output: Output): Promise<TimeEstimate> {
  const spec = readSpec(specFile);
  const earlier = timingsOfRuns(cwd, spec, specFile);
  if (earlier === undefined) output.note('Taking the first steps of every stage…');
  const timings = earlier ?? (await tryOut({ root: cwd, spec, specFile, signal }));
  const time = estimateTime(timings, earlier === undefined ? 'trial' : 'runs');
  output.table([['', 'time'], ...time.stages.map((stage) => [stage.name, timeText(stage)])]);
  const by = earlier === undefined ? 'by its first steps' : 'by earlier runs here';
  output.line(`The run takes ${timeText(time)}, ${by}, without the measures at its end.`);
  return time;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

const defaultLength = 256;

async function folderParts(folder: string, { batch = 8, ...options }: Options) {
  const { config } = await configsOf(folder);
  const length = options.length ?? Math.min(defaultLength, config.maxPositionEmbeddings);
  // Whoever trains all weights of a base has merged its adapter.
  const { adapters: _, ...whole } = config;
  const precision = chosenPrecision(options.precision ?? 'auto', config);
  const parts: MemoryPart[] = [
    { what: 'loading', memory: () => loadMemory(config, precision) },
    {
      what: `scoring ${windowBatch(config, length)} x ${length}`,
      memory: () => scoreMemory(config, length, precision),
    },
    { what: `decoding ${batch} x ${length}`, memory: () => decodeMemory(config, batch, length, { precision }) },
    { what: `training ${batch} x ${length}`, memory: () => pretrainMemory(whole, batch, length) },
  ];
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

function report(config: ModelConfig, entries: readonly Entry[], output: Output): void {
  const beside = adapterCount(config);
  output.line(
    [
      `${parameterCount(config).toLocaleString('en')} weights`,
      ...(beside === 0 ? [] : [`${beside.toLocaleString('en')} of an adapter beside them`]),
      'without latent actions',
    ].join(', '),
  );
  const all = [
    'weights',
    'copies',
    'gradients',
    'moments',
    'cache',
    'activations',
    'slack',
    'making',
    'total',
  ] as const;
  const columns = all.filter((name) => name !== 'making' || entries.some(({ memory }) => memory.making > 0));
  output.table([
    ['', ...columns, ''],
    ...entries.map(({ what, memory, fit }) => [what, ...columns.map((name) => size(memory, name)), verdict(fit)]),
  ]);
  output.line(`And ${gigabytes(processBytes)} for the process itself, whatever it does.`);
  const [{ fit }] = entries;
  output.line(
    fit.free === undefined ? `Not known whether it fits: ${fit.source}.` : `${gigabytes(fit.free)}: ${fit.source}`,
  );
  if (entries.some(({ what }) => /rollouts|search|held-out/.test(what))) {
    output.note(`Without --length, prompts of rollouts and searches are taken to have ${assumedPrompt} tokens.`);
  }
}

/** Node, the runtime and a tokenizer of 150 000 tokens: measured as 0.17 to 0.23 GB on Linux. */
const processBytes = 0.2e9;

function size(memory: Memory, name: keyof Memory): string {
  return memory[name] === 0 ? '-' : gigabytes(memory[name]);
}

function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function verdict({ fits: fitting }: Fit): string {
  return fitting === undefined ? '' : fitting ? 'fits' : 'TOO MUCH';
}
