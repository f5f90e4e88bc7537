/**
 * Writes a graph as an ONNX model. The protobuf fields used are few, so they are encoded here directly
 * (field numbers: onnx/onnx.proto3, IR version 10).
 */
import type { StoredPart, StoredWriter, WrittenNode } from './stored.ts';
import { type Attribute, type Node, reachable, type Shape, type Tensor, type TensorData } from './tensor.ts';

const irVersion = 10;
/** Opset 21: axes are inputs of every reduction, and both providers have kernels for all ops used here. */
const opset = 21;

const dataType = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  uint4: 21,
} as const satisfies Record<StoredPart['dtype'], number>;

/** A range of bytes of a file beside the model. */
export interface ExternalValue {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
  /**
   * Whether the runtime may take it for an input that has a value already. It computes nothing with such a one when it makes a
   * session, and keeps no copy: it reads the file's pages.
   */
  readonly given?: boolean;
}

/** Values of a frozen parameter: in memory, or a range of bytes of a file beside the model. */
export type FrozenValue = TensorData | Uint16Array | ExternalValue;

export interface OnnxModel {
  /** In memory of their own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Inputs in order: those of the graph that the outputs need, then the parameters that are not frozen. */
  readonly inputs: readonly Tensor[];
  /** Further inputs: parts of stored weights that are not frozen. */
  readonly stored: readonly StoredPart[];
  /** Output names in the order of `outputs`. */
  readonly outputs: readonly string[];
}

/** Bytes of a piece from which it is kept as it is; smaller ones are copied behind each other. */
const largePiece = 4096;
const encoder = new TextEncoder();

/** A protobuf message as a list of byte pieces, so that large tensors are copied once. */
class Message {
  private readonly finished: Uint8Array[] = [];
  /** What was written behind the last finished piece, and how much of it is used. */
  private small = new Uint8Array(48);
  private used = 0;
  length = 0;

  /** Makes room for so many small bytes. @returns where they begin */
  private room(count: number): number {
    const at = this.used;
    this.used += count;
    this.length += count;
    if (this.used > this.small.length) {
      const { small } = this;
      this.small = new Uint8Array(2 * this.used);
      this.small.set(small);
    }
    return at;
  }

  private push(piece: Uint8Array): this {
    if (piece.length < largePiece) {
      const at = this.room(piece.length);
      this.small.set(piece, at);
      return this;
    }
    this.finish();
    this.finished.push(piece);
    this.length += piece.length;
    return this;
  }

  private finish(): void {
    if (this.used > 0) this.finished.push(this.small.subarray(0, this.used));
    this.small = this.small.subarray(this.used);
    this.used = 0;
  }

  private varint(value: number): this {
    // A BigInt takes long, and nearly no number is negative, which is one of 64 bits, or larger.
    if (value >>> 0 !== value) return this.longVarint(value);
    let rest = value;
    while (rest > 127) {
      const at = this.room(1);
      this.small[at] = (rest & 127) | 128;
      rest >>>= 7;
    }
    const at = this.room(1);
    this.small[at] = rest;
    return this;
  }

  private longVarint(value: number): this {
    const bytes: number[] = [];
    let v = BigInt.asUintN(64, BigInt(value));
    while (v > 127n) {
      bytes.push(Number(v & 127n) | 128);
      v >>= 7n;
    }
    bytes.push(Number(v));
    return this.push(Uint8Array.from(bytes));
  }

  integer(field: number, value: number): this {
    return this.varint(field << 3).varint(value);
  }

  float(field: number, value: number): this {
    return this.varint((field << 3) | 5).push(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.varint((field << 3) | 2)
      .varint(value.length)
      .push(value);
  }

  text(field: number, value: string): this {
    const { length } = value;
    for (let i = 0; i < length; i++) if (value.charCodeAt(i) > 127) return this.bytes(field, encoder.encode(value));
    this.varint((field << 3) | 2).varint(length);
    const at = this.room(length);
    for (let i = 0; i < length; i++) this.small[at + i] = value.charCodeAt(i);
    return this;
  }

  message(field: number, value: Message): this {
    return this.varint((field << 3) | 2)
      .varint(value.length)
      .append(value);
  }

  append(value: Message): this {
    for (const piece of value.finished) this.push(piece);
    return this.push(value.small.subarray(0, value.used));
  }

  integers(field: number, values: readonly number[]): this {
    for (const value of values) this.integer(field, value);
    return this;
  }

  concatenated(): Uint8Array<ArrayBuffer> {
    this.finish();
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.finished) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

function attributeMessage(name: string, value: Attribute): Message {
  const message = new Message().text(1, name);
  if ('int' in value) return message.integer(3, value.int).integer(20, 2);
  if ('float' in value) return message.float(2, value.float).integer(20, 1);
  if ('ints' in value) return message.integers(8, value.ints).integer(20, 7);
  return message.text(4, value.string).integer(20, 3);
}

function valueInfo(name: string, dtype: StoredPart['dtype'], shape: Shape): Message {
  const dims = new Message();
  for (const d of shape) dims.message(1, new Message().integer(1, d));
  const tensorType = new Message().integer(1, dataType[dtype]).message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, tensorType));
}

function tensorMessage(name: string, dtype: StoredPart['dtype'], shape: Shape, value: FrozenValue): Message {
  const message = new Message().integers(1, shape).integer(2, dataType[dtype]).text(8, name);
  if (ArrayBuffer.isView(value))
    return message.bytes(9, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  const entry = (key: string, text: string) => new Message().text(1, key).text(2, text);
  message.message(13, entry('location', value.location));
  message.message(13, entry('offset', String(value.offset)));
  message.message(13, entry('length', String(value.length)));
  return message.integer(14, 1);
}

/** The name of an input or parameter inside the model. */
export function inputName(tensor: Tensor): string {
  const { source } = tensor;
  return source.kind === 'input' || source.kind === 'parameter' ? source.name : `t${tensor.id}`;
}

/**
 * @param outputs what the model returns, by name; all of one graph
 * @param frozen values of parameters that become part of the model; the others are inputs
 * @param given computed tensors that are inputs of the model
 * @param stored writes what reads parameters that are kept in another form; their parts are frozen or inputs as parameters are
 */
export function writeOnnx(
  outputs: Readonly<Record<string, Tensor>>,
  frozen: ReadonlyMap<string, FrozenValue> = new Map(),
  given: ReadonlySet<Tensor> = new Set(),
  stored?: StoredWriter,
): OnnxModel {
  const order = reachable(Object.values(outputs), given);
  const inputs: Tensor[] = [];
  const parameters: Tensor[] = [];
  const parts: StoredPart[] = [];
  const ahead = new Message().text(2, 'graph');
  const body = new Message();
  // An output carries its own name from the node that makes it: an Identity in between would be a copy, and would
  // break the in-place update of a buffer that is bound as input and as output.
  const named = new Map<number, string>();
  for (const [name, tensor] of Object.entries(outputs)) {
    if (tensor.source.kind === 'node' && !given.has(tensor) && !named.has(tensor.id))
      named.set(tensor.id, outputName(name));
  }
  const nameOf = (tensor: Tensor) => named.get(tensor.id) ?? inputName(tensor);
  for (const tensor of order) {
    const { source } = tensor;
    const name = nameOf(tensor);
    if (source.kind === 'input' || given.has(tensor)) inputs.push(tensor);
    else if (source.kind === 'constant') body.message(5, tensorMessage(name, tensor.dtype, tensor.shape, source.data));
    else if (source.kind === 'node') {
      const reading = stored?.write(source.node, nameOf);
      for (const part of reading?.parts ?? []) {
        const value = frozen.get(part.name);
        if (value === undefined) parts.push(part);
        else body.message(5, tensorMessage(part.name, part.dtype, part.shape, value));
        if (value !== undefined && 'given' in value) body.message(11, valueInfo(part.name, part.dtype, part.shape));
      }
      for (const { name, dtype, shape, data } of reading?.constants ?? [])
        body.message(5, tensorMessage(name, dtype, shape, data));
      for (const node of reading?.ahead ?? []) ahead.message(1, nodeMessage(node));
      for (const node of reading?.nodes ?? [asWritten(source.node, nameOf)]) body.message(1, nodeMessage(node));
    } else if (stored?.has(tensor) !== true) {
      const value = frozen.get(source.name);
      if (value === undefined) parameters.push(tensor);
      else body.message(5, tensorMessage(name, tensor.dtype, tensor.shape, value));
    }
  }
  for (const [name, tensor] of Object.entries(outputs)) {
    if (nameOf(tensor) !== outputName(name)) {
      body.message(1, new Message().text(1, nameOf(tensor)).text(2, outputName(name)).text(4, 'Identity'));
    }
    body.message(12, valueInfo(outputName(name), tensor.dtype, tensor.shape));
  }
  const asked = [...inputs, ...parameters];
  for (const tensor of asked) body.message(11, valueInfo(inputName(tensor), tensor.dtype, tensor.shape));
  for (const { name, dtype, shape } of parts) body.message(11, valueInfo(name, dtype, shape));
  const model = new Message()
    .integer(1, irVersion)
    .text(2, 'cola-studio')
    .message(7, ahead.append(body))
    .message(8, new Message().text(1, '').integer(2, opset))
    .message(8, new Message().text(1, 'com.microsoft').integer(2, 1));
  return { bytes: model.concatenated(), inputs: asked, stored: parts, outputs: Object.keys(outputs) };
}

/** The name of an output inside the model. */
export function outputName(name: string): string {
  return `out:${name}`;
}

function asWritten({ op, domain, inputs, output, attributes }: Node, nameOf: (tensor: Tensor) => string): WrittenNode {
  return { op, domain, inputs: inputs.map(nameOf), output: nameOf(output), attributes };
}

function nodeMessage({ op, domain, inputs, output, attributes }: WrittenNode): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  message.text(2, output);
  // TopK must name its second output too, the indices, which nothing here uses.
  if (op === 'TopK') message.text(2, `${output}:indices`);
  message.text(3, output).text(4, op);
  for (const [name, value] of Object.entries(attributes)) message.message(5, attributeMessage(name, value));
  return domain === '' ? message : message.text(7, domain);
}
