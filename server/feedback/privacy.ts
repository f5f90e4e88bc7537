/**
 * What is never stored: files that git ignores, that a person's patterns name, or that are known to hold secrets, and text
 * with a line that looks like one. In doubt nothing is stored.
 */
import { isAbsolute, relative, sep } from 'node:path';
import { Minimatch } from 'minimatch';
import { ignoredInWorkspace } from '../data/workspace.ts';

/** Files that hold secrets by their name, ignored by git or not. */
const secretFiles = [
  '**/.env*',
  '**/*.{pem,key,p12,pfx,jks,keystore,kdbx,asc,gpg}',
  '**/id_{rsa,dsa,ecdsa,ed25519}*',
  '**/{.npmrc,.pypirc,.netrc,.pgpass,.htpasswd}',
  '**/{secrets,credentials}*',
  '**/.{ssh,aws,gnupg}/**',
];

/** Repetitions are bounded: the text may be made so that each letter could be the beginning. */
const patterns = [
  /-----BEGIN [A-Z ]*(PRIVATE KEY|CERTIFICATE)/,
  // Names of things that are secret, with a value that is no name itself.
  /(pass(word|wd|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|client[-_]?secret|credential|auth)["'\]]?\s*[:=]\s*["'`][^"'`\s]{6,}/i,
  /(pass(word|wd)?|secret|token|api[-_]?key)\s*=\s*[^\s"'`(){};,]{8,200}$/im,
  /\b(authorization|bearer|basic)\s{0,20}[:=]?\s{1,20}[A-Za-z0-9+/_.=-]{16,}/i,
  /\b(AKIA|ASIA)[A-Z0-9]{16}\b/,
  /\b(ghp|gho|ghu|ghs|ghr|glpat|github_pat|npm|xox[abprs]|sk|pk|rk)[-_][A-Za-z0-9_-]{16,}/,
  /\beyJ[A-Za-z0-9_-]{10,500}\.[A-Za-z0-9_-]{10,}/,
  /\bAIza[A-Za-z0-9_-]{30,}/,
  // A user and a password in an address.
  /\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]{1,200}:[^\s/@]{1,500}@/i,
];

/** Characters that a random key is made of, so many in a row and of several kinds. */
const keyLike = /[A-Za-z0-9+/_=-]{32,}/g;

/** Whether some line of the text looks like a secret. */
export function looksSecret(text: string): boolean {
  if (patterns.some((pattern) => pattern.test(text))) return true;
  return (text.match(keyLike) ?? []).some((run) => /\d/.test(run) && /[a-z]/i.test(run) && entropy(run) > 3.5);
}

/** Bits a character. Names and paths have fewer than random keys. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/**
 * Whether a file is known to hold secrets by its name, or a person's patterns name it.
 *
 * @param path from the folder, with forward slashes
 * @param exclude patterns of the person
 */
export const namedPrivate = (path: string, exclude: readonly string[]): boolean =>
  [...secretFiles, ...exclude].some((glob) =>
    new Minimatch(glob, { dot: true, nocomment: true, nocase: true }).match(path),
  );

/**
 * Whether what a file holds may be stored.
 *
 * @param folder of the workspace; a file outside of it is never stored
 * @param exclude patterns of the person, from the folder, with forward slashes
 */
export function mayStore(folder: string, file: string, exclude: readonly string[]): boolean {
  const inside = relative(folder, file);
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return false;
  const path = inside.split(sep).join('/');
  return !namedPrivate(path, exclude) && !ignoredInWorkspace(folder, path);
}
