/** What system and processor the native files of a package are for, by their headers (ELF, Mach-O and PE as their makers document them). */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Target } from './targets.ts';

/** Enough for the header of a PE, which lies behind a program for DOS. */
const headLength = 4096;

/** The target that a native file is for; undefined for every other file, `unknown` for another kind of machine. */
export function targetOf(file: string): Target | 'unknown' | undefined {
  const fd = openSync(file, 'r');
  const head = Buffer.alloc(headLength);
  try {
    readSync(fd, head, 0, headLength, 0);
  } finally {
    closeSync(fd);
  }
  if (head.readUInt32BE(0) === 0x7f454c46)
    return ({ 62: 'linux-x64', 183: 'linux-arm64' } as const)[head.readUInt16LE(18)] ?? 'unknown';
  if (head.readUInt32LE(0) === 0xfeedfacf)
    return ({ 16777223: 'darwin-x64', 16777228: 'darwin-arm64' } as const)[head.readUInt32LE(4)] ?? 'unknown';
  if (head.toString('latin1', 0, 2) === 'MZ') {
    const at = head.readUInt32LE(0x3c);
    if (at + 6 > headLength || head.toString('latin1', at, at + 4) !== 'PE\0\0') return 'unknown';
    return ({ 34404: 'win32-x64', 43620: 'win32-arm64' } as const)[head.readUInt16LE(at + 4)] ?? 'unknown';
  }
  return undefined;
}

/** A native file in a folder, by its path there. */
export interface Native {
  readonly path: string;
  readonly target: Target | 'unknown';
}

/** Native files of a folder, in the order of their paths. */
export function nativesOf(folder: string): Native[] {
  return filesOf(folder).flatMap((path) => {
    const target = targetOf(join(folder, path));
    return target === undefined ? [] : [{ path, target }];
  });
}

/** All files of a folder, their paths there with `/`, sorted. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** @throws Error where a native file in a folder is not for this target, or there is none at all */
export function needBinariesOf(folder: string, target: Target): void {
  const natives = nativesOf(folder);
  if (natives.length === 0) throw new Error(`${folder} has no native library.`);
  const wrong = natives.filter((native) => native.target !== target);
  if (wrong.length > 0)
    throw new Error(`Not for ${target}: ${wrong.map((native) => `${native.path} (${native.target})`).join(', ')}`);
}
