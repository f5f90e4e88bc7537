/** Weights that lie in a file, as tests look at them. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type FileRange, isMapped, type MemoryWeight, type StoredWeight } from '../../server/graph/stored.ts';
import type { HeldWeight } from '../../server/model/weights/shelf.ts';

function bytesAt({ file, offset, byteLength }: FileRange): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength);
  const fd = openSync(join(file.folder, file.name), 'r');
  try {
    readSync(fd, bytes, 0, byteLength, offset);
  } finally {
    closeSync(fd);
  }
  return bytes;
}

/** The weight with its numbers in memory. */
export function inMemory(weight: StoredWeight): MemoryWeight {
  if (!isMapped(weight)) return weight;
  const { form, shape, values, scales } = weight;
  return { form, shape, values: bytesAt(values), scales: new Float32Array(bytesAt(scales).buffer) };
}

export const allInMemory = (weights: ReadonlyMap<string, HeldWeight>) =>
  new Map([...weights].map(([name, each]) => [name, each instanceof Float32Array ? each : inMemory(each)]));
