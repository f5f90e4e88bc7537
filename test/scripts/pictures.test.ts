import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/bundles.mjs';
import { moving } from '../../scripts/pictures/webp.ts';

/** Chunks of a file in WebP, as its specification says they follow on each other. */
function chunksOf(file: Buffer): { name: string; body: Buffer }[] {
  assert.equal(file.toString('latin1', 0, 4), 'RIFF');
  assert.equal(file.readUInt32LE(4), file.length - 8);
  assert.equal(file.toString('latin1', 8, 12), 'WEBP');
  const chunks: { name: string; body: Buffer }[] = [];
  for (let at = 12; at < file.length; ) {
    const length = file.readUInt32LE(at + 4);
    chunks.push({ name: file.toString('latin1', at, at + 4), body: file.subarray(at + 8, at + 8 + length) });
    at += 8 + length + (length % 2);
  }
  return chunks;
}

describe('moving pictures', () => {
  const folder = join(root, 'docs/gallery');

  it('hold each picture as it was encoded, with its time', () => {
    // One white pixel, without loss.
    const still = Buffer.from('UklGRh4AAABXRUJQVlA4TBEAAAAvAAAAAAfQ//73v/+BiOh/AAA=', 'base64');
    const [head, animation, ...frames] = chunksOf(
      moving(
        [
          { picture: still, milliseconds: 110 },
          { picture: still, milliseconds: 70_000 },
        ],
        1,
        1,
      ),
    );
    assert.deepEqual(
      [head?.name, animation?.name, ...frames.map(({ name }) => name)],
      ['VP8X', 'ANIM', 'ANMF', 'ANMF'],
    );
    assert.deepEqual(
      frames.map(({ body }) => body.readUIntLE(12, 3)),
      [110, 70_000],
    );
    const [pixels] = chunksOf(still);
    for (const { body } of frames)
      assert.ok(
        body
          .subarray(24)
          .subarray(0, pixels?.body.length)
          .equals(pixels?.body ?? Buffer.alloc(0)),
      );
    assert.throws(() => moving([{ picture: Buffer.from('no picture'), milliseconds: 1 }], 1, 1), /no picture in WebP/);
  });

  it('are in the page of the gallery, each of them and small, and each of those that it names is there', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.webp'));
    const page = readFileSync(join(folder, 'README.md'), 'utf8');
    const named = [...page.matchAll(/\]\(([^)]+\.webp)\)/g)].map(([, name]) => name);
    assert.deepEqual(named.sort(), files.sort());
    let bytes = 0;
    for (const name of files) {
      const file = readFileSync(join(folder, name));
      bytes += file.length;
      const frames = chunksOf(file).filter((chunk) => chunk.name === 'ANMF').length;
      // The lists at ten places stand still.
      assert.ok(name === 'places.webp' ? frames === 0 : frames > 5, name);
    }
    assert.ok(bytes < 1_500_000, `${bytes}`);
  });
});
