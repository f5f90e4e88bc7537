/** `cola train` and `cola pretrain`: run a spec, or go on with a run. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { hire } from '../../cluster/hire.ts';
import { closingMeasurement } from '../../evaluate/closing.ts';
import { readSpec } from '../../spec/document.ts';
import type { RunSpec } from '../../spec/schema.ts';
import { type ClusterSettings, clusterSettings } from '../../spec/settings/cluster.ts';
import { latestRun, nextRun, runNameOf } from '../../store/run-name.ts';
import type { TrainEvent } from '../../train/run/events.ts';
import { resumeRun, type StartOptions, startRun } from '../../train/run/job.ts';
import { needMemory } from '../../train/run/needs.ts';
import { cliErrors } from '../errors.ts';
import { count, type JsonOption, type WorkersOption, withExamples, withJson, withWorkers } from '../options.ts';
import { RunReport } from '../run-report.ts';
import type { Session } from '../session.ts';

type Options = JsonOption &
  WorkersOption & {
    readonly run?: string;
    readonly resume?: string | true;
    readonly from?: number;
    readonly asIs?: boolean;
    readonly anyway?: boolean;
    readonly verbose?: boolean;
    readonly root: string;
  };

export function addTrain(program: Command, session: Session): void {
  const train = program
    .command('train')
    .description(
      'Run the stages of a spec. Ctrl+C, like the end of the terminal, saves a checkpoint and stops; --resume goes on from the latest one.',
    )
    .argument('[spec]', 'run spec (.yaml)');
  withWorkers(train, 'who computes the shards of a step: this process, processes of this machine, or a Ray cluster');
  withExamples(withRun(train), [
    'train countdown.cola.yaml',
    'train countdown.cola.yaml --run first-try',
    'train countdown.cola.yaml --cluster local --workers 2',
    'train --resume first-try',
    'train --resume first-try --from 100',
  ]).action((spec: string | undefined, options: Options) => perform(session, options, spec, (whole) => whole));
  const pretrain = program
    .command('pretrain')
    .description('Run only the pretrain stages at the start of a spec, for a base model of your own.')
    .argument('[spec]', 'run spec (.yaml)');
  withExamples(withRun(pretrain), ['pretrain nano.cola.yaml', 'pretrain --resume nano']).action(
    (spec: string | undefined, options: Options) => perform(session, options, spec, pretrainOnly),
  );
}

function withRun(command: Command): Command {
  return withJson(command)
    .option('--run <name>', 'name of the run (default: the name of the spec, numbered)')
    .option('--resume [run]', 'go on with a run: the named one, or the latest of this spec')
    .option('--from <step>', 'with --resume: go on from the checkpoint of this step; later ones are deleted', count)
    .option('--as-is', 'with --resume: go on although spec, model, data or logs were changed since the checkpoint')
    .option('--anyway', 'begin although more memory is needed than is free, by the estimate of `cola fit`')
    .option('--verbose', 'show every figure, not only those that matter most')
    .option('--root <folder>', 'folder whose .cola/runs holds the run', '.');
}

function pretrainOnly(spec: RunSpec): RunSpec {
  const after = spec.stages.findIndex(({ name }) => name !== 'pretrain');
  const stages = after < 0 ? spec.stages : spec.stages.slice(0, after);
  if (stages.length === 0) throw cliErrors.noPretrain();
  return { ...spec, stages, evaluate: [] };
}

function perform(session: Session, options: Options, specFile: string | undefined, part: (spec: RunSpec) => RunSpec) {
  return session.perform(options.json === true, async (output) => {
    const root = resolve(session.cwd, options.root);
    const resume = options.resume !== undefined;
    if (!resume && (options.from !== undefined || options.asIs === true))
      throw cliErrors.usage('--from and --as-is are about a run that is resumed', 'cola train');
    const runId = resume ? resumedRun(root, options, specFile) : newRun(root, options, specFile);
    const report = new RunReport(output, options.verbose === true);
    const { cluster: engine, workers } = options;
    const cluster = {
      ...(engine === undefined ? {} : { engine }),
      ...(workers === undefined ? {} : { workers }),
    };
    const common = {
      root,
      hire,
      runId,
      signal: session.signal,
      onEvent: (event: TrainEvent) => report.show(event),
      measure: closingMeasurement,
    };
    output.note(resume ? `Going on with the run ${runId} and the spec it was started with.` : `Run ${runId}`);
    session.watch(cliErrors.died(runId).describe());
    const { runPath, model } = resume
      ? await resumeRun({ ...common, cluster, from: options.from, asIs: options.asIs })
      : await start(session, common, specFile, (whole) => withCluster(part(whole), cluster), options.anyway === true);
    return { value: { run: runId, runPath, model }, ok: true };
  });
}

async function start(
  session: Session,
  common: Omit<StartOptions, 'spec' | 'specFile'>,
  specFile: string | undefined,
  part: (spec: RunSpec) => RunSpec,
  anyway: boolean,
) {
  const file = resolve(session.cwd, specFile ?? '');
  const spec = part(readSpec(file));
  if (!anyway) await needMemory(spec, file);
  return startRun({ ...common, spec, specFile: file });
}

/** The spec with the workers of the command line in place of its own. */
function withCluster(spec: RunSpec, cluster: Partial<ClusterSettings>): RunSpec {
  if (Object.keys(cluster).length === 0) return spec;
  return { ...spec, cluster: clusterSettings.parse({ ...spec.cluster, ...cluster }) };
}

function newRun(root: string, { run }: Options, specFile: string | undefined): string {
  if (specFile === undefined) throw cliErrors.usage('There is no spec to run', 'cola train');
  return run ?? nextRun(root, specFile);
}

function resumedRun(root: string, { run, resume }: Options, specFile: string | undefined): string {
  const named = typeof resume === 'string' ? resume : run;
  if (named !== undefined) return named;
  if (specFile === undefined) throw cliErrors.resumeWhat();
  return latestRun(root, specFile) ?? runNameOf(specFile);
}
