/** Values that stand in a program, as the runtime takes them while it makes a session. */
import type { InferenceSession } from 'onnxruntime-node';
import type { FrozenValue } from '../graph/onnx.ts';
import type { FileRange, StoredPart, WeightFile } from '../graph/stored.ts';

/** Smaller weights stand in the model itself. A protobuf message ends at 2 GB, and is copied to be read. */
const inlineBytes = 4096;

/** Values that stand in a program: in memory, or in a file and copied or not. */
export type Inside = Float32Array | MemoryData | { readonly range: FileRange; readonly copied: boolean };

type MemoryData = Exclude<StoredPart['data'], FileRange>;

interface Apart {
  readonly values: Map<string, FrozenValue>;
  /** Memory that the runtime reads while it makes a session. */
  readonly files: ExternalData;
  /** The file that it maps; there is one at most, since a program is over one base. */
  readonly mapped: WeightFile | undefined;
}

/** Large weights beside the model. */
export function apart(inside: readonly (readonly [string, Inside])[]): Apart {
  const values = new Map<string, FrozenValue>();
  const files: { path: string; data: Uint8Array }[] = [];
  const [mapped, other] = new Set(inside.flatMap(([, value]) => ('range' in value ? [value.range.file] : [])));
  if (other !== undefined) throw new Error(`weights are in ${mapped.name} and in ${other.name}`);
  for (const [name, value] of inside) {
    if ('range' in value) {
      const { file, offset, byteLength: length } = value.range;
      values.set(name, { location: file.name, offset, length, ...(value.copied ? {} : { given: true }) });
    } else if (mapped !== undefined || value.byteLength < inlineBytes) values.set(name, value);
    else {
      const path = `weight-${files.length}`;
      values.set(name, { location: path, offset: 0, length: value.byteLength });
      files.push({ path, data: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) });
    }
  }
  return { values, files, mapped };
}

type ExternalData = NonNullable<InferenceSession.SessionOptions['externalData']>;
