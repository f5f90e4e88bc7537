/** Which files are worth learning from, and what is taken out of those that are. */

import type { Kind } from './packages.ts';

/** Why a file was left out. */
export type DropReason = 'binary' | 'size' | 'generated' | 'minified' | 'table' | 'foreign' | 'repetitive';

/** A cleaned text, or the reason there is none. */
export type Cleaned = { kept: true; text: string; droppedLines: number } | { kept: false; reason: DropReason };

/** Smallest and largest file, in characters. Larger ones are tables or bundles. */
const SIZE = { min: 200, max: 800_000 };
const GENERATED =
  /@generated|auto-?generated|automatically generated|generated (by|from|with|using)\b|do not (edit|modify)|this file (is|was) generated|__webpack_require__/i;

/** Unbroken runs that look like keys, digests or embedded data, and the usual forms of credentials. */
const SECRET = [
  /[A-Za-z0-9+/=_-]{72,}/,
  /\b(?:0x)?[0-9a-fA-F]{32,}\b/,
  /-----BEGIN [A-Z ]+-----/,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  /\b(?:ghp|gho|ghs|github_pat|glpat|xox[abpr]|sk|pk|rk)[-_][A-Za-z0-9_-]{16,}/,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/,
  /\bAIza[0-9A-Za-z_-]{20,}/,
  /\b(?:api[-_]?key|secret|token|passw(?:or)?d)["']?\s*[:=]\s*["'][A-Za-z0-9+/_-]{16,}["']/i,
];
const EMAIL = /[\w.+-]+@[\w-]+\.[A-Za-z]{2,}/;
const RULER = /^[-=_*#~+]{20,}$/;

/** True for a line that must not be learnt: credentials, long opaque data, addresses of people. */
export function isSecretLike(line: string): boolean {
  return SECRET.some((pattern) => pattern.test(line) && !RULER.test(line.trim())) || EMAIL.test(line);
}

/** Takes out the comment with the licence at the top of a source file: the same few texts in thousands of files. */
export function stripLicenceHeader(text: string): string {
  const opening = /^(?:#![^\n]*\n)?\s*(?:\/\*[\s\S]*?\*\/|(?:\/\/[^\n]*\n)+)\s*/.exec(text)?.[0];
  if (opening === undefined || !/licen[cs]e|copyright|\(c\)|all rights reserved/i.test(opening)) return text;
  return stripLicenceHeader(text.slice(opening.length));
}

const share = (text: string, pattern: RegExp): number => (text.match(pattern)?.length ?? 0) / Math.max(1, text.length);

/**
 * Cleans one file.
 *
 * Lines are ended by `\n` alone and bare of trailing blanks, licence headers, source-map references and secret-like
 * lines go, and the whole file goes when it looks generated, minified, tabular, foreign to English or repetitive.
 */
export function cleanText(raw: string, kind: Kind): Cleaned {
  if (raw.includes('\0') || raw.includes('\uFFFD')) return { kept: false, reason: 'binary' };
  const source = raw.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  if (kind !== 'md' && GENERATED.test(source.slice(0, 1500))) return { kept: false, reason: 'generated' };

  const body = kind === 'md' ? source : stripLicenceHeader(source);
  const lines: string[] = [];
  let droppedLines = 0;
  for (const line of body.split('\n')) {
    if (/^\/\/[#@] source(Mapping)?URL=/.test(line)) continue;
    if (isSecretLike(line)) droppedLines += 1;
    else lines.push(line.trimEnd());
  }
  const text = `${lines
    .join('\n')
    .replace(/\n{4,}/g, '\n\n\n')
    .trim()}\n`;
  if (text.length < SIZE.min || text.length > SIZE.max) return { kept: false, reason: 'size' };

  const longest = lines.reduce((most, line) => Math.max(most, line.length), 0);
  const blanks = share(text, /\s/g);
  if (kind === 'md' ? longest > 5000 : longest > 800 || text.length / lines.length > 110 || blanks < 0.08) {
    return { kept: false, reason: 'minified' };
  }
  if (share(text, /\d/g) > 0.2) return { kept: false, reason: 'table' };
  if (share(text, /[^\n\t -~]/g) > 0.05) return { kept: false, reason: 'foreign' };
  if (droppedLines > 20 && droppedLines > lines.length / 10) return { kept: false, reason: 'table' };

  const written = lines.map((line) => line.trim()).filter((line) => line.length > 8);
  if (written.length > 40 && new Set(written).size < written.length * 0.3) return { kept: false, reason: 'repetitive' };
  return { kept: true, text, droppedLines };
}
