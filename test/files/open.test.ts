import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { hopelessLine, type Line, LineSplitter, linesOf, longestLine } from '../../server/files/lines.ts';
import { appendText, createFile, openFileToRead, readEnd, readText, readTextIfThere } from '../../server/files/open.ts';
import { makeFolder, namesIn, needPlace } from '../../server/files/place.ts';
import { RandomFile } from '../../server/files/random-file.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';
import { link, pipe, socket, text, traps, zeros } from './hostile.ts';

const refused = { name: 'ColaError', id: /^files\.(link|kind)$/ };

describe('files in .cola', () => {
  const scratch = scratchFolder();
  const inside = (...parts: string[]) => scratch('project', '.cola', ...parts);
  beforeEach(() => makeFolder(inside()));

  for (const [what, trap] of Object.entries(traps)) {
    it(`are neither read nor written where there is ${what}`, async () => {
      const file = inside('runs', 'x', 'log.txt');
      trap(file);
      assert.throws(() => readText(file, 1000), refused);
      assert.throws(() => readTextIfThere(file, 1000), refused);
      assert.throws(() => readEnd(file, 1000), refused);
      assert.throws(() => [...linesOf(file)], refused);
      assert.throws(() => appendText(file, 'x'), refused);
      await assert.rejects(openFileToRead(file), refused);
      // Weights; whoever opens them says what else they should be.
      assert.throws(() => RandomFile.open(file), /link/.test(what) ? errorOf('files.link') : /not a regular file/);
      assert.equal(existsSync(inside('runs', 'x', 'nowhere')), false);
    });
  }

  it('are no sockets', async () => {
    const server = await socket(inside('s'));
    try {
      assert.throws(() => readText(inside('s'), 1000), errorOf('files.kind', /a socket/));
    } finally {
      server.close();
    }
  });

  it('are reached through no link, at whatever level it is, also where it stays in the project', () => {
    mkdirSync(scratch('elsewhere', 'x', 'checkpoints', '4'), { recursive: true });
    const path = inside('runs', 'x', 'checkpoints', '4', 'state.json');
    for (const [level, id] of [
      [inside('runs', 'x', 'checkpoints', '4'), 'files.link'],
      [inside('runs', 'x', 'checkpoints'), 'files.link'],
      [inside('runs', 'x'), 'files.link'],
      [inside('runs'), 'files.link'],
      [inside(), 'files.linkedHome'],
    ] as const) {
      for (const target of [scratch('elsewhere'), scratch('project'), '/etc', '/dev/zero', 'nowhere']) {
        link(target)(level);
        assert.throws(() => readText(path, 1000), errorOf(id));
        assert.throws(() => createFile(path, ''), errorOf(id));
        assert.throws(() => appendText(path, ''), errorOf(id));
        assert.throws(() => makeFolder(join(path, 'new')), errorOf(id));
        assert.throws(() => namesIn(path), errorOf(id));
      }
    }
    assert.deepEqual(namesIn(scratch('elsewhere')), ['x']);
  });

  it('may be in a project that is itself behind a link, and behind a mounted or linked disk above it', () => {
    renameSync(scratch('project'), scratch('data'));
    symlinkSync(scratch('data'), scratch('project'));
    createFile(inside('a'), 'one');
    appendText(inside('a'), 'two');
    assert.equal(readText(scratch('data', '.cola', 'a'), 6), 'onetwo');
    // Only the innermost counts: a whole project may lie in somebody's .cola.
    link(scratch('data'))(scratch('home', '.cola'));
    needPlace(scratch('home', '.cola', '.cola', 'a'));
    assert.throws(() => needPlace(scratch('home', '.cola', 'a')), errorOf('files.linkedHome', /behind a link/));
  });

  it('are not read beyond the size that is expected', () => {
    writeFileSync(inside('a'), 'x'.repeat(1000));
    assert.equal(readText(inside('a'), 1000).length, 1000);
    assert.throws(() => readText(inside('a'), 999), errorOf('files.tooLarge'));
    zeros(8e9)(inside('b'));
    assert.throws(() => readText(inside('b'), 1 << 20), errorOf('files.tooLarge', /1 MB/));
    assert.equal(readEnd(inside('a'), 10), '');
    writeFileSync(inside('a'), `${'x'.repeat(1000)}\nlast\n`);
    assert.equal(readEnd(inside('a'), 10), 'last\n');
  });
});

describe('files that a person names', () => {
  const scratch = scratchFolder();

  it('may be links, but no devices and no pipes', () => {
    text('a: 1')(scratch('a'));
    link(scratch('a'))(scratch('b'));
    assert.equal(readText(scratch('b'), 10), 'a: 1');
    link('/dev/zero')(scratch('c'));
    pipe(scratch('d'));
    link(scratch('d'))(scratch('e'));
    for (const name of ['c', 'd', 'e']) assert.throws(() => readText(scratch(name), 10), errorOf('files.kind'));
  });
});

describe('lines of a file', () => {
  const scratch = scratchFolder();

  it('are the same wherever its pieces are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'ä', '\n', '\r', '')),
        fc.array(fc.integer({ min: 1, max: 5 })),
        (parts, cuts) => {
          const bytes = Buffer.from(parts.join(''));
          const splitter = new LineSplitter('');
          const lines: Line[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const end = at + (cuts[i % Math.max(1, cuts.length)] ?? 3);
            splitter.push(bytes.subarray(at, end), (line) => lines.push(line));
            at = end;
          }
          const found = [...lines, ...(splitter.tail === undefined ? [] : [splitter.tail])];
          const expected = parts.join('').split('\n');
          if (expected.at(-1) === '') expected.pop();
          assert.deepEqual(
            found.map((line) => line.bytes?.toString()),
            expected,
          );
          for (const { bytes: own, start, end, whole } of found)
            assert.equal(bytes.toString('utf8', start, end), `${own?.toString()}${whole ? '\n' : ''}`);
        },
      ),
    );
  });

  it('are passed over where they are longer than any should be, and given up where they do not end', () => {
    const file = scratch('a');
    writeFileSync(file, `one\n${'x'.repeat(longestLine)}\n${'x'.repeat(longestLine + 1)}\nlast`);
    assert.deepEqual(
      [...linesOf(file)].map(({ bytes, whole }) => [bytes?.length, whole]),
      [
        [3, true],
        [longestLine, true],
        [undefined, true],
        [4, false],
      ],
    );
    zeros(hopelessLine + 1)(file);
    assert.throws(() => [...linesOf(file)], errorOf('files.longLine'));
    zeros(8e9)(file);
    assert.throws(() => [...linesOf(file)], errorOf('files.longLine'));
  });

  it('take time that grows with the length of one, and not with its square', () => {
    // Joining each piece to all before it would copy two terabytes here.
    const splitter = new LineSplitter('');
    const piece = Buffer.alloc(16, 0x78);
    for (let i = 0; i < longestLine / piece.length; i++) splitter.push(piece, () => assert.fail('it has no end'));
    const lines: Line[] = [];
    splitter.push(Buffer.from('\n'), (line) => lines.push(line));
    assert.equal(lines[0].bytes?.length, longestLine);
  });
});
