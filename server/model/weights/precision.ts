/** Which form each weight of a base is kept in. */
import { type BlockWeight, blockSize, type StoredWeight } from '../../graph/stored.ts';
import { size } from '../../graph/tensor.ts';
import { largeFrom, type Precision, type PrecisionChoice } from '../../protocol/precision.ts';
import { embeddingName, headName } from '../base.ts';
import type { ModelConfig } from '../config/config.ts';
import { blocks, type Filling, halves } from './quantise.ts';
import { type ExpectedTensor, expectedTensors } from './weights.ts';

/**
 * What `auto` means for a model: it is told by the model alone, so that a run goes on elsewhere as it began.
 *
 * @param frozen whether nothing trains the base
 */
export function chosenPrecision(choice: PrecisionChoice, config: ModelConfig, frozen = true): Precision {
  if (choice !== 'auto') return choice;
  const parameters = expectedTensors(config).reduce((sum, { shape }) => sum + size(shape), 0);
  return frozen && parameters >= largeFrom ? 'int8' : 'f32';
}

/**
 * The form of a weight; undefined for one that stays in float32: norms, biases, and rows that are no whole blocks. Where the base is
 * in 4 bits, its embedding and its head are in 8: every token is read from the one and told by the other, and in 4 bits they alone
 * are half of what is lost (docs/models.md has the figures).
 */
export function formOf(precision: Precision, { name, shape }: ExpectedTensor): StoredWeight['form'] | undefined {
  if (precision === 'f32' || shape.length !== 2) return undefined;
  if (precision === 'f16') return 'f16';
  if (shape[1] % blockSize !== 0) return undefined;
  return name === embeddingName || name === headName ? 'int8' : precision;
}

/** What a weight is put into; undefined where it stays in float32. */
export function fillingFor(precision: Precision, tensor: ExpectedTensor): Filling | undefined {
  const form = formOf(precision, tensor);
  const { shape } = tensor;
  if (form === undefined) return undefined;
  return form === 'f16' ? halves(shape) : blocks(form, shape as BlockWeight['shape']);
}

/** Bytes of a weight in memory. */
export function bytesIn(precision: Precision, tensor: ExpectedTensor): number {
  const form = formOf(precision, tensor);
  const { shape } = tensor;
  if (form === undefined) return 4 * size(shape);
  if (form === 'f16') return 2 * size(shape);
  return size(shape) * ((form === 'int8' ? 1 : 0.5) + 4 / blockSize);
}
