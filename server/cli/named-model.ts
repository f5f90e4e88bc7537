/** What a person names as a model: a folder, the name or the folder of a run, or builtin:nano. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ColaModel } from '../cola/model.ts';
import { evaluateErrors } from '../evaluate/errors.ts';
import { runOf } from '../evaluate/run.ts';
import { LanguageModel } from '../model/language-model.ts';
import type { PrecisionChoice } from '../protocol/precision.ts';
import { resolveModel } from '../spec/document.ts';
import { isRunId, runFolder } from '../store/run.ts';
import { configsOf } from '../train/run/spec-memory.ts';
import type { Output } from './io.ts';

/**
 * The folder that is meant: a path from where the person is, builtin:nano, or a run of this project by its name. What is there
 * as a path goes first.
 *
 * @throws spec.unknownBuiltin, spec.noBuiltin
 */
export function modelFolder(path: string, cwd: string): string {
  const folder = resolveModel(path, resolve(cwd, 'from'));
  if (existsSync(folder) || !isRunId(path)) return folder;
  const run = runFolder(cwd, path);
  return existsSync(join(run, 'spec.yaml')) ? run : folder;
}

export interface NamedModel {
  /** Where the model is. */
  readonly folder: string;
  /** The run that made it. */
  readonly run: string | undefined;
}

/** The model that is meant; of a run the one that came out of it. @throws evaluate.noModel, spec.* */
export async function namedModel(path: string, cwd: string): Promise<NamedModel> {
  const folder = modelFolder(path, cwd);
  const found = await runOf(folder);
  if (found === undefined) return { folder, run: undefined };
  if (!existsSync(found.model)) throw evaluateErrors.noModel(basename(found.run));
  return { folder: found.model, run: found.run };
}

/** The model that is meant, if there is one that can be loaded as far as its configuration says. @throws evaluate.noModel, spec.*, config.* */
export async function modelThere(path: string, cwd: string): Promise<NamedModel> {
  const named = await namedModel(path, cwd);
  await configsOf(named.folder);
  return named;
}

/** The base of a model; of one with latent actions the base alone, and a note that says so. */
export async function loadBase(
  path: string,
  cwd: string,
  output: Output,
  precision: PrecisionChoice,
): Promise<LanguageModel> {
  const { folder } = await namedModel(path, cwd);
  const read = { precision, say: (text: string) => output.note(text) };
  if (!ColaModel.exists(folder)) return LanguageModel.load(folder, read);
  output.note('This model has latent actions; here its base is used without them.');
  return (await ColaModel.load(folder, read)).base;
}
