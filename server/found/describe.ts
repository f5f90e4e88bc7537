/**
 * What a list says of a model without loading it: size, parameters, family, and whether this machine can hold it. Only headers
 * are read.
 */
import { readdirSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { ColaError } from '../errors.ts';
import { hasBase } from '../files/model-files.ts';
import { SafetensorsFile } from '../files/safetensors.ts';
import { adapterBase } from '../model/adapter/peft.ts';
import { readChatTemplate } from '../model/chat/chat.ts';
import { toolFormOf } from '../model/chat/tool-calls.ts';
import { loadModelConfig, parseModelConfig } from '../model/config/config.ts';
import { isAdapter } from '../model/folder.ts';
import { isGguf, summariseGguf } from '../model/gguf/file.ts';
import { largeFrom } from '../protocol/precision.ts';

export interface Description {
  /** Of its weights on the disk. */
  readonly bytes: number;
  readonly parameters: number;
  readonly family: string;
  /** Longest sequence, in tokens. */
  readonly context: number;
  /** Whether it has a chat template, and one with calls of tools. */
  readonly chat?: 'text' | 'tools';
  /** Whether its weights fit into the memory of this machine as `auto` keeps them, in 4 bits only, or not at all. */
  readonly fits: 'yes' | 'in 4 bits' | 'no';
}

/** Why a model is not read, in words. */
export interface Refused {
  readonly problem: string;
}

/** More shards than any model that fits has. */
const mostShards = 200;

/** What was said of a path before, until its file or folder changes. */
const known = new Map<string, { readonly stamp: string; readonly said: Description | Refused }>();
const mostKnown = 2000;

/** @param path a folder or a GGUF file */
export async function describeModel(path: string, memory = machineMemory()): Promise<Description | Refused> {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    const stamp = [mtimeMs, size, ino, memory].join(' ');
    const before = known.get(path);
    if (before?.stamp === stamp) return before.said;
    const said = await describe(path, memory);
    if (known.size >= mostKnown) known.clear();
    known.set(path, { stamp, said });
    return said;
  } catch (error) {
    return { problem: problemOf(error) };
  }
}

async function describe(path: string, memory: number): Promise<Description | Refused> {
  try {
    if (isGguf(path)) {
      const { config, parameters, bytes, template } = summariseGguf(path);
      const { family, maxPositionEmbeddings: context } = parseModelConfig(config, path);
      return { bytes, parameters, family, context, fits: fitting(parameters, memory), ...chatOf(template) };
    }
    // A model with latent actions may keep its base in a folder of its own.
    const found = hasBase(path) ? path : join(path, 'base');
    const folder = isAdapter(found) ? adapterBase(found) : found;
    const { family, maxPositionEmbeddings: context } = await loadModelConfig(folder);
    const { bytes, parameters } = weightsOf(folder);
    return { bytes, parameters, family, context, fits: fitting(parameters, memory), ...chatOf(templateOf(folder)) };
  } catch (error) {
    return { problem: problemOf(error) };
  }
}

/** The text of its chat template, of which nothing is run; undefined where there is none that can be read. */
function templateOf(folder: string): string | undefined {
  try {
    return readChatTemplate(folder).source;
  } catch {
    return undefined;
  }
}

const chatOf = (template: string | undefined): Pick<Description, 'chat'> =>
  template === undefined ? {} : { chat: toolFormOf(template) === undefined ? 'text' : 'tools' };

function weightsOf(folder: string): { bytes: number; parameters: number } {
  let [bytes, parameters] = [0, 0];
  const names = readdirSync(folder).filter((name) => /^model.*\.safetensors$/.test(name));
  for (const name of names.slice(0, mostShards)) {
    using file = SafetensorsFile.open(join(folder, name));
    for (const tensor of file.names) {
      const { shape, byteLength } = file.info(tensor);
      bytes += byteLength;
      parameters += shape.reduce((n, extent) => n * extent, 1);
    }
  }
  return { bytes, parameters };
}

/** Of the memory, a fifth is left to everything else. */
function fitting(parameters: number, memory: number): Description['fits'] {
  const room = memory * 0.8;
  // A program of few rows has a copy of its own, laid out for its products.
  if (parameters * (parameters < largeFrom ? 8 : 2.25) <= room) return 'yes';
  // Embedding and head are in 8 bits, which are a quarter of small models.
  return parameters * 1.4 <= room ? 'in 4 bits' : 'no';
}

/** What the machine has, or a container allows. */
export function machineMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

function problemOf(error: unknown): string {
  if (error instanceof ColaError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
