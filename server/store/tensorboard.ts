/**
 * Event files as TensorBoard reads them: records with masked CRC-32C, each a protocol buffer `Event` with scalars. The formats are
 * those of tensorflow/core/lib/io/record_writer.cc and tensorflow/core/util/event.proto; nothing else of them is used.
 */

/** A point of curves: everything that was measured at one time. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly values: readonly (readonly [tag: string, value: number])[];
}

const table = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  // Castagnoli's polynomial, bits reversed.
  for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** CRC-32C of RFC 3720, B.4. */
export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = table[(c ^ byte) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** As records store it, so that data with checksums inside can be checked as well. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Length, its checksum, the data, its checksum; all little-endian. */
export function framed(data: Uint8Array): Buffer {
  const record = Buffer.alloc(data.length + 16);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

/** The record that a file begins with. */
export function versionRecord(wallTime: number): Buffer {
  return framed(Buffer.concat([double(1, wallTime), lengthed(3, Buffer.from('brain.Event:2'))]));
}

export function scalarRecord({ wallTime, step, values }: ScalarEvent): Buffer {
  const summary = values.map(([tag, value]) =>
    lengthed(1, Buffer.concat([lengthed(1, Buffer.from(tag)), float(2, value)])),
  );
  return framed(Buffer.concat([double(1, wallTime), varintField(2, step), lengthed(5, Buffer.concat(summary))]));
}

/** @param value negative ones and fractions, which have no such form, are cut to what has one */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.trunc(value))); ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

const key = (field: number, wire: number) => varint(field * 8 + wire);
const varintField = (field: number, value: number) => Buffer.concat([key(field, 0), varint(value)]);
const lengthed = (field: number, data: Buffer) => Buffer.concat([key(field, 2), varint(data.length), data]);

function double(field: number, value: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(value);
  return Buffer.concat([key(field, 1), data]);
}

function float(field: number, value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([key(field, 5), data]);
}
