/** What programs take of a base whose weights are kept in fewer bits: pages of its file, and weights laid out for products. */
import { widenFrom } from '../device/device.ts';
import { blockSize, laidOutBytes } from '../graph/stored.ts';
import { size } from '../graph/tensor.ts';
import type { Precision } from '../protocol/precision.ts';
import { embeddingName } from './base.ts';
import type { ModelConfig } from './config/config.ts';
import { type StepShape, stepProductRows } from './step-graph.ts';
import { bytesIn, formOf } from './weights/precision.ts';
import { expectedTensors } from './weights/weights.ts';

/** A program that reads `length` tokens of each of `batch` sequences. */
export interface PlannedReading extends Pick<StepShape, 'batch' | 'length' | 'choices'> {
  /** Bytes that it has for itself besides those of the stored weights. */
  readonly beside: number;
}

/** Bytes that programs share, and that they have for themselves. */
export interface StoredMemory {
  readonly shared: number;
  readonly own: number;
}

/**
 * A program of few rows lays weights in blocks out for its products, one of many rows reads them where they are. Of a file the pages
 * that are read count: of what is laid out those of the scales, which the kernels read there. Programs that have more together than
 * there is room for take turns: what counts is what takes most.
 *
 * @param mapped whether the weights lie in a file that programs map
 * @param room bytes that programs have together at most, beside a first one that has more alone
 */
export function storedMemory(
  config: ModelConfig,
  precision: Precision,
  programs: readonly PlannedReading[],
  { mapped, room }: { readonly mapped: boolean; readonly room: number },
): StoredMemory {
  const all = programs
    .map((program) => ({ program, own: program.beside + laidOut(config, precision, program, mapped) }))
    .sort((a, b) => a.own - b.own);
  const together: PlannedReading[] = [];
  let own = 0;
  for (const each of all) {
    if (own + each.own > room) break;
    own += each.own;
    together.push(each.program);
  }
  const shared = (programs: readonly PlannedReading[]) => readBytes(config, precision, programs, mapped);
  const turns = all.slice(together.length).map(({ program, own }) => ({ own, shared: shared([program]) }));
  return [{ own, shared: shared(together) }, ...turns].reduce((a, b) => (b.own + b.shared > a.own + a.shared ? b : a));
}

const rowsOf = (config: ModelConfig, name: string, program: PlannedReading) =>
  stepProductRows(config, name, program) ?? Number.POSITIVE_INFINITY;

function laidOut(config: ModelConfig, precision: Precision, program: PlannedReading, mapped: boolean): number {
  return expectedTensors(config).reduce((sum, tensor) => {
    const form = formOf(precision, tensor);
    if (form === undefined || rowsOf(config, tensor.name, program) >= widenFrom[form]) return sum;
    // In memory they are there once more, as they were given.
    return sum + laidOutBytes({ form, shape: tensor.shape }) + (mapped ? 0 : bytesIn(precision, tensor));
  }, 0);
}

/** What is read of the weights where they are. */
function readBytes(
  config: ModelConfig,
  precision: Precision,
  programs: readonly PlannedReading[],
  mapped: boolean,
): number {
  const tied = config.tieWordEmbeddings;
  return expectedTensors(config).reduce((sum, tensor) => {
    const form = formOf(precision, tensor);
    if (form === undefined) return sum;
    // Of an embedding that is no head some rows are read.
    const table = tensor.name === embeddingName;
    if (mapped && table && !tied) return sum;
    const whole =
      !mapped || table || programs.some((program) => rowsOf(config, tensor.name, program) >= widenFrom[form]);
    return sum + (whole ? bytesIn(precision, tensor) : (4 * size(tensor.shape)) / blockSize);
  }, 0);
}
