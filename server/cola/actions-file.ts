/** `actions.json` of a model folder: what its latent actions do and are called. */
import { join } from 'node:path';
import { writeFileAtomic } from '../files/atomic.ts';
import { deeperThan } from '../files/json-depth.ts';
import { limits, readTextIfThere } from '../files/open.ts';
import { type ActionProfile, type ActionsFile, actionsFile, actionsVersion } from '../protocol/actions.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { colaErrors } from './errors.ts';
import { shownLabel } from './shown-label.ts';

const ACTIONS = 'actions.json';
/** Levels of nesting; it has seven. */
const deepest = 16;

/**
 * The profiles of a model's latent actions; undefined where `cola actions` has not made them yet.
 *
 * @throws cola.actionsFile where the file cannot be read, or is of another version or model
 */
export function readActions(folder: string, codes: number): ActionsFile | undefined {
  const file = join(folder, ACTIONS);
  let text: string | undefined;
  try {
    text = readTextIfThere(file, limits.actions);
  } catch (error) {
    throw colaErrors.actionsFile(file, error instanceof Error ? error.message : String(error));
  }
  if (text === undefined) return undefined;
  if (deeperThan(text, deepest)) throw colaErrors.actionsFile(file, 'it is nested too deeply');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw colaErrors.actionsFile(file, error instanceof Error ? error.message : String(error));
  }
  // A file that lies about its model is not walked through: of a hundred thousand entries each would be looked at.
  const count = entriesOf(json);
  if (count > codes) throw colaErrors.actionsFile(file, `it has ${count} entries, and the model has ${codes} codes`);
  const parsed = actionsFile.safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw colaErrors.actionsFile(
      file,
      path === 'version' ? `it is not of version ${actionsVersion}` : `"${path}": ${detail}`,
    );
  }
  if (parsed.data.codes !== codes) {
    throw colaErrors.actionsFile(file, `it is about ${parsed.data.codes} codes, and the model has ${codes}`);
  }
  return parsed.data;
}

function entriesOf(json: unknown): number {
  const { actions } = (json ?? {}) as { actions?: unknown };
  return Array.isArray(actions) ? actions.length : 0;
}

/** Where the profiles of a model are read from. */
export const actionsOf = (folder: string): string => join(folder, ACTIONS);

/** @throws store.cannotWrite */
export function writeActions(file: string, actions: ActionsFile): Promise<void> {
  return writeFileAtomic(file, `${JSON.stringify(actions, null, 1)}\n`);
}

/**
 * Gives a model made from another one the profiles of its codes: they mean what the world model makes of them, and that is
 * the same. Names are an adornment: a file that cannot be read is not passed on.
 */
export async function passOnActions(from: string, to: string, codes: number): Promise<void> {
  let actions: ActionsFile | undefined;
  try {
    actions = readActions(from, codes);
  } catch {
    return;
  }
  if (actions !== undefined) await writeActions(actionsOf(to), actions);
}

/** One label a code, null where there is none to show. Names are an adornment: a file that cannot be read gives none. */
export function readLabels(folder: string, codes: number): (string | null)[] {
  return byCode(folder, codes, shownLabel);
}

/** Share of a text's positions at which the policy chooses each code, null where nothing tells; as {@link readLabels}. */
export function readUsage(folder: string, codes: number): (number | null)[] {
  return byCode(folder, codes, ({ usage }) => usage.policy);
}

function byCode<T>(folder: string, codes: number, take: (profile: ActionProfile) => T): (T | null)[] {
  const all = Array.from({ length: codes }, (): T | null => null);
  try {
    for (const profile of readActions(folder, codes)?.actions ?? []) {
      if (profile.code < codes) all[profile.code] = take(profile);
    }
  } catch {
    // Without names, then: `cola actions` makes them anew.
  }
  return all;
}
