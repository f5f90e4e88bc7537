/**
 * Still pictures in WebP, one after the other in one file (WebP container specification, "Animation"). What is in the pictures is
 * not touched: Chromium has encoded them.
 */

export interface Frame {
  /** A still picture in WebP, without transparency. */
  readonly picture: Buffer;
  readonly milliseconds: number;
}

/** A chunk: four letters, its length, its bytes, and one more where that is odd. */
function chunk(name: string, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

function bits24(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(3 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUIntLE(value, 3 * i, 3);
  return bytes;
}

/** The chunk with the pixels, `VP8 ` or `VP8L`. @throws Error where there is none */
function pixelsOf(picture: Buffer): Buffer {
  if (picture.toString('latin1', 0, 4) !== 'RIFF' || picture.toString('latin1', 8, 12) !== 'WEBP')
    throw new Error('This is no picture in WebP.');
  for (let at = 12; at + 8 <= picture.length; ) {
    const length = picture.readUInt32LE(at + 4);
    const end = at + 8 + length + (length % 2);
    if (/^VP8[ L]$/.test(picture.toString('latin1', at, at + 4))) return picture.subarray(at, end);
    at = end;
  }
  throw new Error('The picture has no pixels.');
}

/** @param frames all of this width and height; the file shows them again and again */
export function moving(frames: readonly Frame[], width: number, height: number): Buffer {
  const animated = 0x02;
  const opaque = 0x02;
  const size = bits24(width - 1, height - 1);
  const body = Buffer.concat([
    Buffer.from('WEBP', 'latin1'),
    chunk('VP8X', Buffer.from([animated, 0, 0, 0]), size),
    // On a black ground, without an end.
    chunk('ANIM', Buffer.from([0, 0, 0, 255, 0, 0])),
    ...frames.map(({ picture, milliseconds }) =>
      chunk('ANMF', bits24(0, 0), size, bits24(milliseconds), Buffer.from([opaque]), pixelsOf(picture)),
    ),
  ]);
  const head = Buffer.alloc(8);
  head.write('RIFF', 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}
