/** What a run has left on disk, and how the settings of several differ. */
import { join } from 'node:path';
import { holdsModel } from '../../files/model-files.ts';
import type { ResultOf } from '../../protocol/channel/request.ts';
import type { compareSettings, RunDetails } from '../../protocol/history.ts';
import type { RunKey } from '../../protocol/runs.ts';
import { parseSpec } from '../../spec/document.ts';
import { storeErrors } from '../../store/errors.ts';
import { isRunId, RunView, runFolder } from '../../store/run.ts';

/** Events of the log that are told. */
const newest = 300;

/** @throws store.runId for what is no name but a path; store.noRun, store.cannotRead, files.* */
export function viewOf({ root, run }: RunKey): RunView {
  if (!isRunId(run)) throw storeErrors.runId(run);
  return RunView.view(runFolder(root, run));
}

/** @throws store.noRun, store.cannotRead */
export function describeRun(key: RunKey): RunDetails {
  const view = viewOf(key);
  const { path } = view;
  const { spec } = parseSpec(view.spec, path);
  const best = view.bestCheckpoint()?.step;
  const models = (['model', 'best'] as const).map((name) => ({ name, folder: join(path, name) }));
  return {
    path,
    specFile: join(path, 'spec.yaml'),
    model: typeof spec?.model === 'string' ? spec.model : null,
    stages: spec?.stages.map(({ name }) => name) ?? [],
    checkpoints: view.checkpoints().map(({ step }) => ({ step, best: step === best })),
    models: models.filter(({ folder }) => holdsModel(folder)),
    log: view.readLog().slice(-newest),
  };
}

/** @throws store.noRun, store.cannotRead */
export function compareRuns(keys: readonly RunKey[]): ResultOf<typeof compareSettings> {
  return differingSettings(keys.map((key) => settingsOf(viewOf(key))));
}

/** The settings of a run by name. The second stage of a name is `<stage> 2`, so that stages of equal names stand beside each other. */
export function settingsOf({ spec: text, path }: Pick<RunView, 'spec' | 'path'>): Map<string, string> {
  const settings = new Map<string, string>();
  const { spec } = parseSpec(text, path);
  if (spec === undefined) return settings;
  const { stages, ...others } = spec;
  flatten(others, '', settings);
  const seen = new Map<string, number>();
  for (const { name, settings: own } of stages) {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    flatten(own, times === 1 ? name : `${name} ${times}`, settings);
  }
  return settings;
}

function flatten(value: unknown, name: string, into: Map<string, string>): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, part] of Object.entries(value)) flatten(part, name === '' ? key : `${name}.${key}`, into);
  } else if (value !== undefined) into.set(name, typeof value === 'string' ? value : JSON.stringify(value));
}

/** What is not the same in all, in the order it is first met; null where a run has no such setting. */
export function differingSettings(runs: readonly ReadonlyMap<string, string>[]): ResultOf<typeof compareSettings> {
  const names = new Set(runs.flatMap((settings) => [...settings.keys()]));
  const rows = [...names].map((name) => ({ name, values: runs.map((settings) => settings.get(name) ?? null) }));
  const differing = rows.filter(({ values }) => new Set(values).size > 1);
  return { differing, same: rows.length - differing.length };
}
