import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { ColaError } from '../../server/errors.ts';
import { SafetensorsFile } from '../../server/files/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../server/files/safetensors-writer.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const RUNS = process.env.COLA_SLOW ? 20_000 : 300;

/** The bytes of a file with any header text. */
function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0), length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? Buffer.from(header) : header;
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([prefix, text, data]);
}

function entry(dtype: string, shape: unknown, begin: unknown, end: unknown): object {
  return { dtype, shape, data_offsets: [begin, end] };
}

describe('reading safetensors', () => {
  const scratch = scratchFolder();

  function open(bytes: Uint8Array): SafetensorsFile {
    const path = scratch('case.safetensors');
    writeFileSync(path, bytes);
    return SafetensorsFile.open(path);
  }

  for (const [what, bytes, id, says] of [
    ['an empty file', new Uint8Array(0), 'truncated', /ends too early/],
    ['seven bytes', new Uint8Array(7), 'truncated', /ends too early/],
    ['a header that is longer than the file', fileOf('{}', undefined, 3n), 'truncated', /ends too early/],
    ['a header length of 2^63', fileOf('{}', undefined, 2n ** 63n), 'headerLength', /9223372036854775808 bytes/],
    ['a header length above the limit', fileOf('{}', undefined, 100_000_001n), 'headerLength', /100000001/],
    ['a header length of zero', fileOf('', undefined), 'headerLength', /0 bytes/],
    ['a header that is not JSON', fileOf('{"a":}'), 'header', /not JSON/],
    [
      'a header that is not UTF-8',
      fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)),
      'header',
      /not JSON/,
    ],
    ['a header that is a list', fileOf('[]'), 'header', /not a JSON object/],
    ['a header that begins with a blank', fileOf(' {}'), 'header', /not a JSON object/],
    ['a header that is null', fileOf('null'), 'header', /not a JSON object/],
    ['metadata that is not text', fileOf('{"__metadata__":{"a":1}}'), 'header', /__metadata__/],
    ['an entry that is no object', fileOf('{"a":1}'), 'header', /"a" is wrong/],
    ['a negative extent', json({ a: entry('F32', [-1], 0, 4) }), 'header', /shape\.0/],
    ['an extent that is no whole number', json({ a: entry('F32', [0.5], 0, 2) }), 'header', /shape\.0/],
    ['a third offset', json({ a: { dtype: 'U8', shape: [], data_offsets: [0, 1, 2] } }, 1), 'header', /data_offsets/],
    ['an unknown format', json({ a: entry('F8_E4M3', [4], 0, 4) }, 4), 'dtype', /F8_E4M3/],
    ['a format named like a method', json({ a: entry('toString', [4], 0, 4) }, 4), 'dtype', /toString/],
    ['too few bytes for the shape', json({ a: entry('F32', [2], 0, 4) }, 4), 'size', /needs 8 bytes, but it has 4/],
    ['a shape that overflows', json({ a: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4), 'size', /too large/],
    [
      'a shape that overflows before a zero',
      json({ a: entry('U8', [2 ** 52, 2 ** 52, 0], 0, 0) }),
      'size',
      /too large/,
    ],
    ['an end before its start', json({ a: entry('U8', [2], 4, 2) }, 4), 'size', /but it has -2/],
    ['data that is cut off', json({ a: entry('F32', [2], 0, 8) }, 7), 'truncated', /ends too early/],
    ['bytes after the last tensor', json({ a: entry('F32', [2], 0, 8) }, 9), 'header', /1 bytes at the end/],
    ['a gap before the first', json({ a: entry('U8', [2], 1, 3) }, 3), 'layout', /"a" leaves a gap/],
    ['a gap', json({ a: entry('U8', [2], 0, 2), b: entry('U8', [1], 3, 4) }, 4), 'layout', /"b" leaves a gap/],
    ['an overlap', json({ a: entry('U8', [3], 0, 3), b: entry('U8', [2], 2, 4) }, 4), 'layout', /"b" overlaps/],
    ['two in one place', json({ a: entry('U8', [3], 0, 3), b: entry('U8', [3], 0, 3) }, 3), 'layout', /"b" overlaps/],
    [
      'a name that occurs twice',
      fileOf(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        new Uint8Array(1),
      ),
      'header',
      /occurs twice/,
    ],
    [
      'a shape given twice',
      fileOf('{"a":{"dtype":"U8","shape":[9],"shape":[1],"data_offsets":[0,1]}}', new Uint8Array(1)),
      'header',
      /occurs twice/,
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => open(bytes), errorOf(`safetensors.${id}`, says));
    });
  }

  function json(header: object, dataBytes = 0): Uint8Array {
    return fileOf(JSON.stringify(header), new Uint8Array(dataBytes));
  }

  it('refuses what is not a regular file, without waiting for it', () => {
    mkdirSync(scratch('folder'));
    const names = ['absent', 'folder'];
    if (process.platform !== 'win32') {
      execFileSync('mkfifo', [scratch('pipe')]);
      names.push('pipe');
    }
    for (const name of names) {
      assert.throws(() => SafetensorsFile.open(scratch(name)), errorOf('safetensors.cannotOpen', new RegExp(name)));
    }
  });

  it('accepts names with colons, quotes and escapes, scalars, empty tensors and any order of entries', () => {
    const header = {
      'b":{\\"x:': entry('I16', [2], 4, 8),
      'ä:{}': entry('F32', [], 0, 4),
      __proto__x: entry('F32', [0, 7], 4, 4),
      __metadata__: { 'a:"b': ':{"' },
    };
    const file = open(fileOf(`${JSON.stringify(header)}   `, Uint8Array.of(0, 0, 0x80, 0x3f, 255, 255, 0, 1)));
    assert.deepEqual(file.names, ['ä:{}', '__proto__x', 'b":{\\"x:']);
    assert.deepEqual([...file.readFloat32('ä:{}')], [1]);
    assert.deepEqual([...file.readFloat32('__proto__x')], []);
    assert.deepEqual([...file.readInt32('b":{\\"x:')], [-1, 256]);
    assert.deepEqual(file.metadata, { 'a:"b': ':{"' });
    file.close();
  });

  it('reads every number format, at any alignment', () => {
    const data = Buffer.alloc(1 + 16 + 8 + 4 + 4 + 16 + 8 + 4 + 2);
    let at = data.writeUInt8(200, 0);
    at = data.writeDoubleLE(0.1, at);
    at = data.writeDoubleLE(-3, at);
    at = data.writeFloatLE(0.1, at);
    at = data.writeFloatLE(-3, at);
    at = data.writeUInt16LE(0x3555, at);
    at = data.writeUInt16LE(0xc200, at);
    at = data.writeUInt16LE(0x3dcd, at);
    at = data.writeUInt16LE(0xc040, at);
    at = data.writeBigInt64LE(-(2n ** 63n), at);
    at = data.writeBigInt64LE(5n, at);
    at = data.writeInt32LE(-(2 ** 31), at);
    at = data.writeInt32LE(6, at);
    at = data.writeInt16LE(-300, at);
    at = data.writeInt16LE(7, at);
    at = data.writeInt8(-100, at);
    at = data.writeUInt8(1, at);
    const header: Record<string, object> = {};
    let begin = 0;
    for (const [dtype, size, n] of [
      ['U8', 1, 1],
      ['F64', 8, 2],
      ['F32', 4, 2],
      ['F16', 2, 2],
      ['BF16', 2, 2],
      ['I64', 8, 2],
      ['I32', 4, 2],
      ['I16', 2, 2],
      ['I8', 1, 1],
      ['BOOL', 1, 1],
    ] as const) {
      header[dtype] = entry(dtype, [n], begin, begin + n * size);
      begin += n * size;
    }
    assert.equal(at, begin);
    const file = open(fileOf(JSON.stringify(header), data));
    assert.deepEqual([...file.readFloat32('F64')], [Math.fround(0.1), -3]);
    assert.deepEqual([...file.readFloat32('F32')], [Math.fround(0.1), -3]);
    assert.deepEqual([...file.readFloat32('F16')], [0.333251953125, -3]);
    assert.deepEqual([...file.readFloat32('BF16')], [0.10009765625, -3]);
    assert.deepEqual([...file.readBigInt64('I64')], [-(2n ** 63n), 5n]);
    assert.deepEqual([...file.readInt32('I32')], [-(2 ** 31), 6]);
    assert.deepEqual([...file.readInt32('I16')], [-300, 7]);
    assert.deepEqual([...file.readInt32('I8')], [-100]);
    assert.deepEqual([...file.readInt32('U8')], [200]);
    assert.deepEqual([...file.readInt32('BOOL')], [1]);
    assert.throws(() => file.readFloat32('I64'), errorOf('safetensors.readAs', /I64/));
    assert.throws(() => file.readInt32('F32'), errorOf('safetensors.readAs', /F32/));
    assert.throws(() => file.readBigInt64('I32'), errorOf('safetensors.readAs', /I32/));
    assert.throws(() => file.info('F8'), errorOf('safetensors.noTensor', /"F8"/));
    file.close();
  });

  it('notices that a file was cut off while it was open', () => {
    const file = open(json({ a: entry('BF16', [4], 0, 8), b: entry('F32', [2], 8, 16) }, 16));
    truncateSync(file.path, file.info('b').offset + 3);
    assert.equal(file.readFloat32('a').length, 4);
    assert.throws(() => file.readFloat32('b'), errorOf('safetensors.truncated'));
    file.close();
  });

  it('reads every fixture as a plain reading of the bytes does, offsets included', () => {
    const paths = readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' }).filter((p) =>
      p.endsWith('.safetensors'),
    );
    assert.equal(paths.length, 46);
    for (const path of paths) {
      const bytes = readFileSync(join(FIXTURES, path));
      const start = 8 + Number(bytes.readBigUInt64LE(0));
      const header = JSON.parse(bytes.toString('utf8', 8, start));
      delete header.__metadata__;
      const file = SafetensorsFile.open(join(FIXTURES, path));
      assert.deepEqual([...file.names].sort(), Object.keys(header).sort());
      for (const name of file.names) {
        const { dtype, shape, data_offsets } = header[name];
        const info = file.info(name);
        assert.deepEqual([info.dtype, info.shape, info.offset], [dtype, shape, start + data_offsets[0]]);
        const raw = bytes.subarray(info.offset, info.offset + info.byteLength);
        if (dtype === 'I64') file.readBigInt64(name).forEach((v, i) => void assert.equal(v, raw.readBigInt64LE(8 * i)));
        else if (dtype === 'I32') assert.equal(info.byteLength, 4 * shape.reduce((n: number, d: number) => n * d, 1));
        else if (dtype === 'F32')
          file.readFloat32(name).forEach((v, i) => void assert.equal(v, raw.readFloatLE(4 * i)));
        else {
          assert.equal(dtype, 'BF16');
          const four = Buffer.alloc(4);
          file.readFloat32(name).forEach((v, i) => {
            raw.copy(four, 2, 2 * i, 2 * i + 2);
            assert.equal(v, four.readFloatLE());
          });
        }
      }
      file.close();
    }
  });

  it('answers any bytes with a file or a catalogued error', () => {
    const path = scratch('fuzz.safetensors');
    const attempt = (bytes: Uint8Array) => {
      writeFileSync(path, bytes);
      let file: SafetensorsFile;
      try {
        file = SafetensorsFile.open(path);
      } catch (error) {
        assert.ok(error instanceof ColaError, String(error));
        return;
      }
      // What was accepted can be read completely.
      for (const name of file.names) {
        const { dtype } = file.info(name);
        if (dtype === 'I64') file.readBigInt64(name);
        else if (dtype.includes('F')) file.readFloat32(name);
        else file.readInt32(name);
      }
      file.close();
    };
    const text = JSON.stringify({
      __metadata__: { format: 'pt' },
      a: entry('F32', [2, 1], 0, 8),
      b: entry('BF16', [3], 8, 14),
      c: entry('BOOL', [], 14, 15),
    });
    const valid = fileOf(text, new Uint8Array(15));
    attempt(valid);
    const mutated = fc
      .array(
        fc.tuple(
          fc.nat(valid.length - 1),
          fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0129"{}[],:-.eE\\ '))),
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      )
      .map((edits) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, byte] of edits) bytes[at] = byte;
        return bytes;
      });
    const cut = fc.nat(valid.length).map((n) => valid.subarray(0, n));
    const random = fc.uint8Array({ maxLength: 60 });
    const anyJson = fc.jsonValue().map((value) => fileOf(JSON.stringify(value), new Uint8Array(4)));
    const number = fc.oneof(fc.nat(20), fc.constantFrom(-1, 0.5, 1e300, 2 ** 53, 2 ** 31, null, '1'));
    const anyEntries = fc
      .dictionary(
        fc.constantFrom('a', 'b', 'c', '__proto__', '__metadata__', ''),
        fc.record({
          dtype: fc.constantFrom('F32', 'F16', 'I64', 'U8', 'F4', ''),
          shape: fc.array(number, { maxLength: 3 }),
          data_offsets: fc.array(number, { minLength: 1, maxLength: 3 }),
        }),
      )
      .chain((header) => fc.nat(30).map((n) => fileOf(JSON.stringify(header), new Uint8Array(n))));
    fc.assert(fc.property(fc.oneof(mutated, cut, random, anyJson, anyEntries), attempt), { numRuns: RUNS });
  }).timeout(300_000);
});

describe('writing safetensors', () => {
  const scratch = scratchFolder();

  const extents = fc.array(fc.nat(4), { maxLength: 3 });
  const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
  const float = fc.float({ noNaN: true });
  const tensor = fc.tuple(fc.string(), extents).chain(([name, shape]) => {
    const n = { minLength: size(shape), maxLength: size(shape) };
    return fc.oneof(
      fc.array(float, n).map((data) => ({ name, shape, dtype: 'F32' as const, data: Float32Array.from(data) })),
      fc
        .array(fc.integer({ min: -2048, max: 2048 }), n)
        .map((data) => ({ name, shape, dtype: 'F16' as const, data: Float32Array.from(data) })),
      fc.int32Array(n).map((data) => ({ name, shape, dtype: 'I32' as const, data })),
      fc.bigInt64Array(n).map((data) => ({ name, shape, dtype: 'I64' as const, data })),
    );
  });

  it('gives back what was written, aligned, whatever the names', async () => {
    const path = scratch('out.safetensors');
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(tensor, { selector: (t) => t.name, maxLength: 6 }), async (tensors) => {
        await writeSafetensors(path, tensors, { made: 'by a "test": {' });
        const file = SafetensorsFile.open(path);
        assert.equal(file.metadata.made, 'by a "test": {');
        assert.deepEqual([...file.names].sort(), tensors.map(({ name }) => name).sort());
        for (const { name, dtype, shape, data } of tensors) {
          const info = file.info(name);
          assert.deepEqual([info.dtype, info.shape], [dtype, shape]);
          assert.equal(info.offset % { F32: 4, F16: 2, I32: 4, I64: 8 }[dtype], 0);
          const read =
            dtype === 'I64' ? file.readBigInt64(name) : dtype === 'I32' ? file.readInt32(name) : file.readFloat32(name);
          assert.deepEqual(read, data);
        }
        file.close();
      }),
      { numRuns: 100 },
    );
    assert.deepEqual(readdirSync(scratch()), ['out.safetensors']);
  });

  it('asks suppliers one after the other, and converts across pieces', async () => {
    const n = (1 << 20) + 5;
    const asked: string[] = [];
    const data = Float32Array.from({ length: n }, (_, i) => i % 2048);
    const supply = (name: string): TensorToWrite => ({
      name,
      dtype: 'F16',
      shape: [n],
      data: async () => {
        asked.push(name);
        return data;
      },
    });
    await writeSafetensors(scratch('big.safetensors'), [supply('x'), supply('y')]);
    assert.deepEqual(asked, ['x', 'y']);
    const file = SafetensorsFile.open(scratch('big.safetensors'));
    assert.deepEqual(file.readFloat32('y'), data);
    file.close();
  });

  it('keeps the old file when a supplier fails, and leaves nothing beside it', async () => {
    const path = scratch('kept.safetensors');
    await writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [1], data: Float32Array.of(1) }]);
    const before = readFileSync(path);
    const failing = (): Float32Array => {
      throw new Error('device lost');
    };
    await assert.rejects(
      writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [1], data: failing }]),
      /device lost/,
    );
    await assert.rejects(
      writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1) }]),
      RangeError,
    );
    assert.deepEqual(readFileSync(path), before);
    assert.deepEqual(readdirSync(scratch()), ['kept.safetensors']);
  });

  it('refuses a name twice', async () => {
    const one: TensorToWrite = { name: 'a', dtype: 'F32', shape: [1], data: Float32Array.of(1) };
    await assert.rejects(writeSafetensors(scratch('t'), [one, one]), RangeError);
    await assert.rejects(writeSafetensors(scratch('t'), [{ ...one, name: '__metadata__' }]), RangeError);
  });

  it('says where it cannot write', async () => {
    await assert.rejects(writeSafetensors(scratch('no', 'folder'), []), errorOf('store.cannotWrite', /folder/));
  });
});
