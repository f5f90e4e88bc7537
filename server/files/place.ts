/**
 * Where files may lie. Whatever is in a `.cola` folder may come with a repository that a stranger has made: there a link could
 * lead reading and writing to anywhere on the computer. So nothing from `.cola` on downwards is reached through a link. How a
 * person gets to the folder that holds it, and paths that a person names, are that person's own affair.
 */
import { lstatSync, mkdirSync, readdirSync, type Stats, writeFileSync } from 'node:fs';
import { join, parse, relative, resolve, sep } from 'node:path';
import { ColaError } from '../errors.ts';
import { fileErrors } from './errors.ts';

const home = '.cola';

/** Whether a path is below a `.cola`, or is one. */
export function isGuarded(path: string): boolean {
  return resolve(path).split(sep).includes(home);
}

/**
 * Refuses a path that is reached through a link inside `.cola`, or is one itself. What is not there yet is no link.
 *
 * @throws files.link, files.linkedHome; a system error where one may not look
 */
export function needPlace(path: string): void {
  const whole = resolve(path);
  const { root } = parse(whole);
  const names = whole.slice(root.length).split(sep);
  const start = names.lastIndexOf(home);
  if (start < 0) return;
  for (let end = start; end < names.length; end++) {
    const reached = join(root, ...names.slice(0, end + 1));
    const info = lstatSync(reached, { throwIfNoEntry: false });
    if (info === undefined) return;
    if (info.isSymbolicLink()) throw end === start ? fileErrors.linkedHome(reached) : fileErrors.link(reached);
  }
}

/**
 * Makes a folder and those above it. With a new `.cola` comes a `.gitignore`: what runs write belongs to this machine.
 *
 * @throws as {@link needPlace}, and a system error where it cannot be made
 */
export function makeFolder(path: string): void {
  needPlace(path);
  const whole = resolve(path);
  const fresh = freshHome(whole, mkdirSync(whole, { recursive: true }));
  if (fresh === undefined) return;
  try {
    writeFileSync(join(fresh, '.gitignore'), '*\n', { flag: 'wx' });
  } catch {
    // Another window was quicker.
  }
}

/** The `.cola` that was made just now on the way to a folder. @param made the first folder that was not there */
function freshHome(folder: string, made: string | undefined): string | undefined {
  const at = `${folder}${sep}`.indexOf(`${sep}${home}${sep}`);
  if (made === undefined || at < 0) return undefined;
  const own = join(folder.slice(0, at), home);
  return relative(made, own).startsWith('..') ? undefined : own;
}

/** The names in a folder; undefined where there is none. @throws as {@link needPlace}, and a system error */
export function namesIn(path: string): string[] | undefined {
  needPlace(path);
  try {
    return readdirSync(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/**
 * Whether Windows looks for a path on another machine, whichever way its slashes lean. Only to ask whether it is there tells that
 * machine who asks.
 */
export const isOfNetwork = (path: string): boolean => /^[\\/]{2}/.test(path);

/** Refuses what is no plain file: reading a device or a pipe may never end. @throws files.kind */
export function needFile(path: string, info: Pick<Stats, 'isFile' | 'isDirectory' | 'isFIFO' | 'isSocket'>): void {
  if (info.isFile()) return;
  const kind = info.isDirectory() ? 'a folder' : info.isFIFO() ? 'a pipe' : info.isSocket() ? 'a socket' : 'a device';
  throw fileErrors.kind(path, kind);
}

/** Whether an error says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** An error that a person can read as it is; any other in the words of `worded`. */
export function readable(error: unknown, worded: (cause: unknown) => ColaError): ColaError {
  return error instanceof ColaError ? error : worded(error);
}
