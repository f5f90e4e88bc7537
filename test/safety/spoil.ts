/** What somebody may do to a good model folder: change its files, or put something else in their place. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface HostileFolder {
  readonly name: string;
  /** Ids of errors, or that it loads and completes. */
  readonly ends: RegExp | 'loads';
  /** Changes a copy of a good model. */
  spoil(folder: string): void;
}

export type Json = Record<string, unknown>;

/** Changes a JSON file of the folder. */
export function edit(file: string, change: (json: Json) => void): (folder: string) => void {
  return (folder) => {
    const path = join(folder, file);
    const json = JSON.parse(readFileSync(path, 'utf8')) as Json;
    change(json);
    writeFileSync(path, JSON.stringify(json));
  };
}

/** Puts something else in the place of a file; what is large is made where it is asked for only, which most of it is not. */
export const instead = (file: string, content: string | Uint8Array | (() => string | Uint8Array)) => (folder: string) =>
  writeFileSync(join(folder, file), typeof content === 'function' ? content() : content);

export interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}
export type Header = Record<string, Entry>;

export const headerOf = (bytes: Buffer): Header =>
  JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE()))) as Header;

export function safetensors(header: string, data: Uint8Array, length = BigInt(Buffer.byteLength(header))): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length);
  return Buffer.concat([size, Buffer.from(header), data]);
}

/** Changes the header or the data of the weights. */
export function weights(change: (header: Header, data: Buffer) => unknown, name = 'model.safetensors') {
  return (folder: string) => {
    const bytes = readFileSync(join(folder, name));
    const header = headerOf(bytes);
    const data = bytes.subarray(8 + Number(bytes.readBigUInt64LE()));
    // The text of a header, where it could not be made of an object.
    const changed = change(header, data);
    writeFileSync(
      join(folder, name),
      safetensors(typeof changed === 'string' ? changed : JSON.stringify(header), data),
    );
  };
}

export const first = (header: Header): Entry =>
  Object.values(header).find((entry) => entry.data_offsets?.[0] === 0) ?? fail();
const fail = (): never => {
  throw new Error('the weights begin with a tensor');
};

export function link(file: string, to: string) {
  return (folder: string) => {
    rmSync(join(folder, file), { force: true });
    symlinkSync(to, join(folder, file));
  };
}

export function pipe(file: string) {
  return (folder: string) => {
    rmSync(join(folder, file), { force: true });
    execFileSync('mkfifo', [join(folder, file)]);
  };
}

/** A file that is all holes: as long as it says, and no block on the disk. */
export function endless(file: string, bytes: number, start?: (folder: string) => string) {
  return (folder: string) => {
    writeFileSync(join(folder, file), start === undefined ? '' : safetensors(start(folder), new Uint8Array(0)));
    truncateSync(join(folder, file), bytes);
  };
}

export const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

/** An index in the place of the one file. */
export function index(weight_map: Record<string, string>) {
  return (folder: string) => {
    rmSync(join(folder, 'model.safetensors'));
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
  };
}

/** Changes the configuration of the base. */
export const config = (change: (json: Json) => void) => edit('config.json', change);
