/**
 * The first thing to run: the policy of the model in the box is reinforced on countdown, the same is done over tokens, and
 * what came of it is measured and written down. Both are ordinary runs: stopped, they go on where they were.
 */
import { join } from 'node:path';
import { ColaModel } from '../cola/model.ts';
import { type Device, openDevice } from '../device/device.ts';
import { closingMeasurement } from '../evaluate/closing.ts';
import { evaluateModel } from '../evaluate/evaluate.ts';
import { defaultSettings, type Evaluation } from '../evaluate/report.ts';
import { exists, writeFileAtomic } from '../files/atomic.ts';
import { makeFolder } from '../files/place.ts';
import { type ExtraFigure, type Report, reportPage } from '../report/page.ts';
import { type RunRecord, readRunRecord } from '../report/run-record.ts';
import { versions } from '../report/versions.ts';
import type { DataSpec } from '../spec/settings/parts.ts';
import { runFolder } from '../store/run.ts';
import type { TrainEvent } from '../train/run/events.ts';
import { resumeRun, startRun } from '../train/run/job.ts';
import { type Arm, armNames, arms, runNameOf, type StartSettings, startSpec } from './specs.ts';
import { steer, steeringPrompt } from './steer.ts';

export interface StartOptions {
  /** Folder whose `.cola` holds runs and report. */
  readonly root: string;
  readonly settings: StartSettings;
  /** Folder of the model. */
  readonly modelFolder: string;
  /** Text that the model has not learned, to see what tuning does to it. */
  readonly text: DataSpec;
  readonly signal: AbortSignal;
  readonly onArm: (arm: Arm, run: string, resumed: boolean) => void;
  readonly onEvent: (event: TrainEvent) => void;
  readonly say: (text: string) => void;
}

export interface Started {
  readonly report: string;
  readonly runs: readonly RunRecord[];
  readonly extra: readonly ExtraFigure[];
}

/** @throws train.stopped when the signal stops a run, after it has been saved; the signal's reason between runs */
export async function start(options: StartOptions): Promise<Started> {
  const { root, signal, settings, modelFolder } = options;
  const began = performance.now();
  const records: RunRecord[] = [];
  (await ColaModel.load(modelFolder)).require('world', 'policy');
  for (const arm of arms) records.push(await readRunRecord(await carryOut(arm, options), armNames[arm]));
  const { device } = await openDevice(
    settings.device,
    settings.threads === undefined ? {} : { threads: settings.threads },
  );
  try {
    options.say('Measuring what the tuning did to ordinary text');
    const quality = await textQuality(options, records, device);
    options.say('Steering a completion');
    const steering = await steer(device, await ColaModel.load(modelFolder), steeringPrompt, 3, 20, signal);
    const report: Report = {
      title: 'A first tuned model',
      summary: `The model ${settings.model} learned to solve countdown (reach a number with three others, of 1 to 25) for ${settings.steps} rounds of ${settings.batch} problems with ${settings.group} samples each: once by its policy over latent actions, once by all its weights over tokens.`,
      runs: records,
      extra: [quality],
      steering,
      facts: [
        ['model', settings.model],
        ['device', device.name],
        ['seed', String(settings.seed)],
        ...versions(),
        ['time of this call', `${Math.round((performance.now() - began) / 1000)} s`],
      ],
    };
    const folder = join(root, '.cola', 'start');
    makeFolder(folder);
    const file = join(folder, 'report.html');
    await writeFileAtomic(file, reportPage(report));
    return { report: file, runs: records, extra: report.extra ?? [] };
  } finally {
    await device.dispose();
  }
}

/** Runs an arm, goes on with it, or finds it finished. @returns the run's folder */
async function carryOut(
  arm: Arm,
  { root, settings, modelFolder, signal, onArm, onEvent }: StartOptions,
): Promise<string> {
  const spec = startSpec(arm, settings);
  const runId = runNameOf(arm, spec, modelFolder);
  const folder = runFolder(root, runId);
  const begun = await exists(folder);
  if (begun && (await exists(join(folder, 'model', 'config.json')))) {
    onArm(arm, runId, true);
    return folder;
  }
  signal.throwIfAborted();
  onArm(arm, runId, begun);
  const common = { root, runId, signal, onEvent, measure: closingMeasurement };
  const { runPath } = begun
    ? await resumeRun(common)
    : await startRun({ ...common, spec, specFile: join(root, 'start.cola.yaml') });
  return runPath;
}

/** Loss on text before and after: of the marginal language model for actions, of the base for tokens. */
async function textQuality(
  { root, modelFolder, text, signal }: StartOptions,
  records: readonly RunRecord[],
  device: Device,
): Promise<ExtraFigure> {
  const values: ExtraFigure['values'][number][] = [];
  for (const [i, record] of records.entries()) {
    const evaluation = await evaluateModel({
      device,
      model: join(record.path, 'model'),
      against: modelFolder,
      decoding: arms[i] === 'tokens' ? 'tokens' : 'actions',
      measures: ['forgetting'],
      text: { data: text, held_out: text },
      seeds: [0],
      settings: { ...defaultSettings, sequences: 32, marginal_states: 512 },
      specFile: join(root, 'start.cola.yaml'),
      cacheFolder: join(root, '.cola', 'cache'),
      signal,
    });
    values.push(changeOf(evaluation, arms[i] === 'tokens' ? 'loss' : 'marginal'));
  }
  return { name: 'loss on the watched text (nats a token)', values, lowerIsBetter: true };
}

function changeOf({ results }: Evaluation, name: string): readonly [number, number] | undefined {
  const [before, after] = [results.forgetting?.[`${name}_before`], results.forgetting?.[`${name}_after`]];
  return before === undefined || after === undefined ? undefined : [before.mean, after.mean];
}
