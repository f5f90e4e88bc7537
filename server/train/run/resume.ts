/** Where a run goes on: at a checkpoint that is what was saved, with what the run was made from as it was. */
import { ColaError } from '../../errors.ts';
import type { RunSpec } from '../../spec/schema.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { storeErrors } from '../../store/errors.ts';
import type { Manifest } from '../../store/manifest.ts';
import { type Position, position } from '../../store/position.ts';
import type { Run } from '../../store/run.ts';
import { trainErrors } from '../errors.ts';
import { changedParts, type Origin, specHash } from './origin.ts';

export interface ResumeChoice {
  /** Step of the checkpoint to go on from; by default the latest. Later ones are deleted. */
  readonly from?: number | undefined;
  /** Go on although spec, model, data or logs are not what they were. */
  readonly asIs?: boolean | undefined;
}

/** A checkpoint whose files are as they were saved. */
export interface WholeCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly position: Position;
  /** Undefined for one of an earlier version. */
  readonly manifest: Manifest | undefined;
}

/**
 * The checkpoint to go on from, verified; null where there is none yet.
 *
 * @param say receives word of a checkpoint that cannot be verified
 * @throws store.damaged naming what differs and the whole checkpoint before it; store.noCheckpoint
 */
export async function wholeCheckpoint(
  run: Run,
  choice: ResumeChoice,
  say: (text: string) => void,
): Promise<WholeCheckpoint | null> {
  const checkpoint = choice.from === undefined ? run.latestCheckpoint() : run.checkpoint(choice.from);
  const broken = run.brokenCheckpoints().at(-1);
  if (choice.from === undefined && broken !== undefined && broken > (checkpoint?.step ?? -1))
    throw await damaged(run, broken, ['state.json is missing']);
  if (checkpoint === null) return null;
  const found = await inspect(checkpoint);
  if (Array.isArray(found)) throw await damaged(run, checkpoint.step, found);
  if (found.manifest === undefined)
    say(`The checkpoint of step ${checkpoint.step} is of an earlier version without hashes: it could not be verified.`);
  return found;
}

/**
 * Compares what a run is made from, and its logs, with what its checkpoint has noted.
 *
 * @throws train.changed unless `choice` takes them as they are: then it is said
 */
export async function confirmOrigin(
  run: Run,
  { checkpoint, manifest }: WholeCheckpoint,
  now: Origin,
  { spec, specFile }: { readonly spec: RunSpec; readonly specFile: string },
  choice: ResumeChoice,
  say: (text: string) => void,
): Promise<void> {
  if (manifest === undefined) return;
  const changed = changedParts(manifest.origin, now, spec, specFile);
  const all = [...changed, ...(await run.logDifferences(manifest.logs))];
  if (all.length === 0) return;
  if (choice.asIs === true) {
    say(`The run goes on although these are not as they were at step ${checkpoint.step}: ${all.join(', ')}.`);
    return;
  }
  // An earlier checkpoint helps where only the end of a log is lost.
  const before = changed.length > 0 ? null : await wholeBefore(run, checkpoint.step, true);
  throw trainErrors.changed(run.id, checkpoint.step, all, before);
}

/** The spec of a run, before anything is read from it. @throws train.changed */
export async function confirmSpec(run: Run, choice: ResumeChoice): Promise<void> {
  const checkpoint = choice.from === undefined ? run.latestCheckpoint() : run.checkpoint(choice.from);
  if (checkpoint === null || choice.asIs === true) return;
  const { spec } = (await checkpoint.manifest())?.origin ?? {};
  if (spec !== undefined && spec !== specHash(run.spec))
    throw trainErrors.changed(run.id, checkpoint.step, [`${run.path}/spec.yaml`], null);
}

/** @throws store.damaged where a position cannot be one of the stage */
export async function refusePosition(run: Run, checkpoint: Checkpoint, why: string): Promise<never> {
  throw await damaged(run, checkpoint.step, [why]);
}

async function damaged(run: Run, step: number, damage: readonly string[]): Promise<ColaError> {
  return storeErrors.damaged(run.path, run.id, step, damage, await wholeBefore(run, step, false));
}

/** Step of the newest checkpoint before another that is as it was saved; null where none is. */
async function wholeBefore(run: Run, step: number, withLogs: boolean): Promise<number | null> {
  for (const checkpoint of run.checkpoints().reverse()) {
    const found = checkpoint.step < step ? await inspect(checkpoint) : [];
    if (Array.isArray(found)) continue;
    const { manifest } = found;
    if (!withLogs || (manifest !== undefined && (await run.logDifferences(manifest.logs)).length === 0))
      return checkpoint.step;
  }
  return null;
}

/** @returns the checkpoint with what it says of itself, or what is wrong with it */
async function inspect(checkpoint: Checkpoint): Promise<WholeCheckpoint | string[]> {
  const damage = await checkpoint.damage();
  if (damage.length > 0) return damage;
  const manifest = (await checkpoint.manifest()) ?? undefined;
  try {
    const state = checkpoint.state(position);
    if (manifest === undefined && state.format !== undefined) return ['manifest.json is missing'];
    if (state.before + state.done !== checkpoint.step) return ['state.json is of another step'];
    using weights = checkpoint.open('weights');
    if ([...weights.names].sort().join('\n') !== [...state.changed].sort().join('\n'))
      return ['weights.safetensors does not hold the weights that state.json names'];
    return { checkpoint, position: state, manifest };
  } catch (error) {
    if (error instanceof ColaError) return [error.message.replace(/\.$/, '')];
    throw error;
  }
}
