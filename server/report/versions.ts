/** What a result was made with, for those who want to make it again. */
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { limits, readTextIfThere } from '../files/open.ts';

const manifest = z.looseObject({ name: z.string(), version: z.string() });

/** The nearest package.json of that name above a folder. */
function versionOf(name: string): string | undefined {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    for (const file of [join(folder, 'package.json'), join(folder, 'node_modules', name, 'package.json')]) {
      const text = readTextIfThere(file, limits.note);
      const parsed = text === undefined ? undefined : manifest.safeParse(JSON.parse(text)).data;
      if (parsed?.name === name) return parsed.version;
    }
  }
  return undefined;
}

/** Name and value of programs and machine. */
export function versions(): (readonly [string, string])[] {
  const [cpu] = cpus();
  return [
    ['CoLA Studio', versionOf('cola-studio') ?? 'unknown'],
    ['ONNX Runtime', versionOf('onnxruntime-node') ?? 'unknown'],
    ['Node', process.version],
    ['system', `${process.platform} ${process.arch}`],
    ['processor', `${cpu?.model ?? 'unknown'}, ${cpus().length} cores, ${(totalmem() / 1e9).toFixed(0)} GB`],
  ];
}
