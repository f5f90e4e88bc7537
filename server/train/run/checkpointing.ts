/** Tensors of an optimiser in checkpoints. */
import type { TensorToWrite } from '../../files/safetensors-writer.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import type { NamedTensors } from '../optimizer/optimizer.ts';

export function toWrite(tensors: NamedTensors): TensorToWrite[] {
  return [...tensors].map(([name, { shape, data }]) => ({ name, shape, dtype: 'F32', data }));
}

/** All tensors of one file of a checkpoint. */
export function namedTensors(checkpoint: Checkpoint, file: string): NamedTensors {
  using tensors = checkpoint.open(file);
  return new Map(
    tensors.names.map((name) => [name, { shape: tensors.info(name).shape, data: tensors.readFloat32(name) }]),
  );
}
