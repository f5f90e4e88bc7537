import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { ColaError } from '../../../server/errors.ts';
import { type ByteSource, type GgufHeader, parseGgufHeader } from '../../../server/model/gguf/header.ts';
import { header, type Pair, text, u64 } from './make.ts';

const RUNS = process.env.COLA_SLOW ? 20_000 : 400;

/** A file in memory; `size` may be larger than what is there, for files that need not be made. */
function source(bytes: Uint8Array, size = bytes.length): ByteSource {
  return {
    size,
    read(target, position) {
      target.fill(0);
      target.set(bytes.subarray(position, position + target.length));
      return position + target.length <= size;
    },
  };
}

const parse = (bytes: Uint8Array, size?: number): GgufHeader => parseGgufHeader(source(bytes, size), 'm.gguf');

/** Whatever comes out is a header or a catalogued error. */
function survives(bytes: Uint8Array, size?: number): void {
  try {
    parse(bytes, size);
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
    assert.match(error.id, /^gguf\./);
  }
}

function refused(bytes: Uint8Array, id: string, says: RegExp, size?: number): void {
  assert.throws(
    () => parse(bytes, size),
    (error) => {
      assert.ok(error instanceof ColaError, String(error));
      assert.equal(error.id, id, error.message);
      assert.match(error.message, says);
      return true;
    },
  );
}

const u32 = (value: number) => u64(value).subarray(0, 4);
const start = (tensors: number | bigint, keys: number | bigint, version = 3) =>
  Buffer.concat([Buffer.from('GGUF'), u32(version), u64(tensors), u64(keys)]);

describe('the header of a GGUF file', () => {
  const example = header(
    [
      ['general.architecture', 'llama'],
      ['a.number', 7],
      ['a.list', ['x', 'yy', '']],
      ['numbers', Float32Array.of(0.5, -1)],
    ],
    [{ name: 't', extents: [32, 2], type: 8, offset: 0 }],
  );

  it('is read as it was written', () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.boolean(),
      fc.array(fc.string({ maxLength: 9 }), { maxLength: 20 }),
      fc.int32Array({ maxLength: 20 }),
    );
    const pairs = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1, maxLength: 20 }), value), {
      selector: ([key]) => key,
      maxLength: 12,
    });
    fc.assert(
      fc.property(pairs, fc.constantFrom(2, 3), (given, version) => {
        const own = given.filter(([key]) => key !== 'general.alignment') as Pair[];
        const read = parse(header(own, [], version));
        assert.deepEqual([...read.metadata], own);
        assert.equal(read.version, version);
      }),
      { numRuns: RUNS },
    );
  });

  it('of any bytes is a header or an error of the catalogue', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(2, 3), (bytes, version) => {
        survives(bytes);
        survives(Buffer.concat([Buffer.from('GGUF'), u32(version), bytes]));
      }),
      { numRuns: RUNS },
    );
  });

  it('that is damaged anywhere is a header or an error of the catalogue', () => {
    const file = readFileSync(join(import.meta.dirname, '../../fixtures/gguf/llama.gguf'));
    for (const [whole, places] of [
      [example, example.length],
      [file, 12_000],
    ] as const) {
      const change = fc.tuple(fc.nat(places - 1), fc.integer({ min: 0, max: 255 }));
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(whole.length), (changes, cut) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, to] of changes) bytes[at] = to;
          survives(bytes);
          survives(bytes.subarray(0, cut));
        }),
        { numRuns: RUNS },
      );
    }
  });

  it('takes no memory for counts that the file has no room for', () => {
    const before = process.memoryUsage.rss();
    const huge = 2n ** 62n;
    for (const bytes of [
      start(huge, 0),
      start(0, huge),
      Buffer.concat([start(0, 1), u64(huge)]),
      Buffer.concat([start(0, 1), text('k'), u32(8), u64(huge)]),
      Buffer.concat([start(0, 1), text('k'), u32(9), u32(8), u64(huge)]),
      Buffer.concat([start(0, 1), text('k'), u32(9), u32(6), u64(1 << 23)]),
      Buffer.concat([start(0, 1), text('k'), u32(9), u32(8), u64(1 << 23)]),
      start(65536, 65536),
    ]) {
      assert.throws(() => parse(bytes), ColaError);
    }
    assert.ok(process.memoryUsage.rss() - before < 64e6);
  });

  it('says what is wrong', () => {
    refused(start(0, 0, 1), 'gguf.version', /version 1/);
    refused(
      Buffer.concat([Buffer.from('GGUF'), Buffer.from([0, 0, 0, 3]), u64(0), u64(0)]),
      'gguf.bigEndian',
      /big-endian/,
    );
    refused(Buffer.from('GGML....'), 'gguf.header', /does not begin/);
    refused(example.subarray(0, 60), 'gguf.truncated', /too early/);
    refused(example, 'gguf.truncated', /too early/);
    refused(
      header([
        ['a', 1],
        ['a', 2],
      ]),
      'gguf.header',
      /twice/,
    );
    refused(header([['general.alignment', 48]]), 'gguf.header', /power of two/);
    refused(Buffer.concat([start(0, 1), text('k'), u32(13)]), 'gguf.header', /unknown kind 13/);
    const nested = Buffer.concat(Array.from({ length: 5 }, () => Buffer.concat([u32(9), u64(1)])));
    refused(Buffer.concat([start(0, 1), text('k'), u32(9), nested, Buffer.alloc(64)]), 'gguf.header', /nested deeper/);
  });

  it('says what is wrong with a tensor', () => {
    const room = (...tensors: { name?: string; extents?: number[]; type?: number; offset?: number }[]) =>
      Buffer.concat([
        header(
          [],
          tensors.map(({ name = 't', extents = [32], type = 8, offset = 0 }) => ({ name, extents, type, offset })),
        ),
        Buffer.alloc(128),
      ]);
    parse(room({}));
    refused(room({ extents: [33] }), 'gguf.tensor', /no whole blocks of 32/);
    refused(room({ extents: [2 ** 40, 2 ** 40] }), 'gguf.tensor', /too large/);
    refused(room({ extents: [1, 1, 1, 1, 1] }), 'gguf.tensor', /5 dimensions/);
    refused(room({ extents: [0] }), 'gguf.tensor', /extent 0/);
    refused(room({ offset: 8 }), 'gguf.tensor', /not aligned/);
    refused(room({}, {}), 'gguf.tensor', /twice/);
    refused(room({}, { name: 'u', offset: 32 }), 'gguf.tensor', /overlaps/);
    refused(room({ extents: [32, 9] }), 'gguf.truncated', /too early/);
    refused(room({ offset: 2 ** 50 }), 'gguf.truncated', /too early/);
    assert.equal(parse(room({ type: 23 })).tensors[0].type, undefined);
  });
});
