/** What is known about the latent actions of a model folder, read from its files. */
import { join } from 'node:path';
import { readActions, readLabels } from '../cola/actions-file.ts';
import { parseColaConfig } from '../cola/config.ts';
import { colaErrors } from '../cola/errors.ts';
import { limits, readText } from '../files/open.ts';
import { isAbsent } from '../files/place.ts';
import type { ResultOf } from '../protocol/channel/request.ts';
import { toWire } from '../protocol/errors.ts';
import type { actionProfiles } from '../protocol/pages/actions.ts';
import { resolveModel } from '../spec/paths.ts';

/**
 * A file of profiles that cannot be used is told, not thrown: the codes are there all the same.
 *
 * @param model `builtin:nano` or an absolute folder
 * @throws cola.noCola, cola.config, spec.noBuiltin
 */
export function profilesOf(model: string): ResultOf<typeof actionProfiles> {
  const folder = resolveModel(model, '');
  const codes = codesOf(folder);
  const labels = readLabels(folder, codes);
  try {
    return { folder, codes, labels, file: readActions(folder, codes) ?? null, trouble: null };
  } catch (error) {
    return { folder, codes, labels, file: null, trouble: toWire(error) };
  }
}

function codesOf(folder: string): number {
  const file = join(folder, 'cola.json');
  let json: unknown;
  try {
    json = JSON.parse(readText(file, limits.note));
  } catch (error) {
    if (isAbsent(error)) throw colaErrors.noCola(folder);
    throw colaErrors.config(file, '', error instanceof Error ? error.message : String(error));
  }
  return parseColaConfig(json, file, '.').numCodes;
}
