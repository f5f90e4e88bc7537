/** The paths in a run spec: whether what they name is there, and links to it. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { visit } from 'yaml';
import { dataErrors } from '../../data/errors.ts';
import { deviceErrors } from '../../device/errors.ts';
import { deviceNames } from '../../device/names.ts';
import { missingPrerequisite } from '../../device/prerequisites.ts';
import { ColaError } from '../../errors.ts';
import { isOfNetwork } from '../../files/place.ts';
import { configErrors } from '../../model/errors.ts';
import { tokenizerErrors } from '../../model/tokenizer/errors.ts';
import { rewardErrors } from '../../rewards/errors.ts';
import { type PathKind, pathKind } from '../../spec/path-places.ts';
import { resolvePath } from '../../spec/paths.ts';
import { documentIn } from './parsed-text.ts';
import { pathOf } from './yaml-place.ts';

/** A value of the spec that names something outside of it; offsets of its text. */
export interface Named {
  readonly kind: PathKind | 'device';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface Missing extends Named {
  readonly error: ColaError;
}

export interface Linked extends Named {
  readonly target: string;
}

/** A spec that names more is looked at so far. */
const mostPaths = 100;
/** How long a disk may take to answer, in milliseconds; a drive of the network may not answer at all. */
const patience = 1000;

/** Whatever a spec names, in the order of the text. */
export function namedIn(text: string): Named[] {
  const found: Named[] = [];
  visit(documentIn(text), {
    Scalar(key, scalar, ancestors) {
      const { value, range } = scalar;
      if (key === 'key' || typeof value !== 'string' || value === '' || !range) return undefined;
      const path = pathOf(ancestors, scalar);
      const kind = path.length === 1 && path[0] === 'device' ? 'device' : pathKind(path, value);
      if (kind !== undefined) found.push({ kind, text: value, start: range[0], end: range[1] });
      return found.length < mostPaths ? undefined : visit.BREAK;
    },
  });
  return found;
}

/** What is named and is not there, with the error that a run would end with. @param specFile paths are relative to its folder */
export async function missingIn(text: string, specFile: string): Promise<Missing[]> {
  const checked = await Promise.all(
    namedIn(text).map(async (named) => {
      const error =
        named.kind === 'device' ? missingDevice(named.text) : (await look(named.kind, named.text, specFile)).error;
      return error === undefined ? [] : [{ ...named, error }];
    }),
  );
  return checked.flat();
}

/** Links to the files that are there; of a model folder to its configuration. */
export async function linksIn(text: string, specFile: string): Promise<Linked[]> {
  const checked = await Promise.all(
    namedIn(text).map(async (named) => {
      const { file } = named.kind === 'device' ? {} : await look(named.kind, named.text, specFile);
      return file === undefined ? [] : [{ ...named, target: pathToFileURL(file).href }];
    }),
  );
  return checked.flat();
}

function missingDevice(name: string): ColaError | undefined {
  const known = deviceNames.find((each) => each === name);
  const reason = known === undefined ? undefined : missingPrerequisite(known);
  return known === undefined || reason === undefined ? undefined : deviceErrors.unavailable(known, reason);
}

interface Found {
  /** A file to open. */
  readonly file?: string;
  readonly error?: ColaError;
}

async function look(kind: PathKind, text: string, specFile: string): Promise<Found> {
  if (isOfNetwork(text)) return {};
  let path: string;
  try {
    path = resolvePath(text, specFile);
  } catch (error) {
    if (error instanceof ColaError) return { error };
    throw error;
  }
  const candidates = { model: ['config.json', 'cola.json', 'adapter_config.json'], tokenizer: ['tokenizer.json'] };
  const files = kind === 'model' || kind === 'tokenizer' ? candidates[kind].map((name) => join(path, name)) : [path];
  const states = await Promise.all(files.map(stateOf));
  const there = states.indexOf('file');
  if (there >= 0) return { file: files[there] };
  if (!states.every((state) => state instanceof Error)) return {};
  const gguf = kind === 'model' || kind === 'tokenizer' ? await ggufAt(path) : undefined;
  if (gguf !== undefined) return { file: gguf };
  if (kind === 'model' && (await stateOf(path)) instanceof Error) return { error: configErrors.noModel(path) };
  return { error: errorOf(kind, files[0], states[0]) };
}

/** A GGUF file, which is a model and a tokenizer: the path itself, or one that lies in it. */
async function ggufAt(path: string): Promise<string | undefined> {
  const isGguf = (name: string) => /\.gguf$/i.test(name);
  if (isGguf(path)) return (await stateOf(path)) === 'file' ? path : undefined;
  const names = await inTime<readonly string[]>(
    readdir(path).catch(() => []),
    [],
  );
  const found = names.find(isGguf);
  return found === undefined ? undefined : join(path, found);
}

function errorOf(kind: PathKind, path: string, cause: unknown): ColaError {
  switch (kind) {
    case 'model':
      return configErrors.cannotRead(path, cause);
    case 'tokenizer':
      return tokenizerErrors.missingFile(path, cause);
    case 'module':
      return rewardErrors.moduleMissing(path);
    case 'data':
    case 'feedback':
      return dataErrors.missingFile(path, cause);
  }
}

type PathState = 'file' | 'other' | 'unknown' | Error;

/** Questions on their way: one that is not answered is not asked again. */
const asked = new Map<string, Promise<PathState>>();

/** What is at a path; unknown where nobody says so in time, or it may not be looked at. */
function stateOf(path: string): Promise<PathState> {
  const known = asked.get(path);
  if (known !== undefined) return inTime<PathState>(known, 'unknown');
  const answer = stat(path)
    .then(
      (found): PathState => (found.isFile() ? 'file' : 'other'),
      (error: NodeJS.ErrnoException): PathState =>
        error.code === 'ENOENT' || error.code === 'ENOTDIR' ? error : 'unknown',
    )
    .finally(() => asked.delete(path));
  asked.set(path, answer);
  return inTime<PathState>(answer, 'unknown');
}

async function inTime<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), patience);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
