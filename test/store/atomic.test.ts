import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  isLeftover,
  recoverFolder,
  removeFolder,
  temporaryName,
  writeFileAtomic,
  writeFolderAtomic,
} from '../../server/files/atomic.ts';
import { errorOf, scratchFolder } from './scratch.ts';

describe('atomic files and folders', () => {
  const scratch = scratchFolder();
  const read = (...parts: string[]) => readFileSync(scratch(...parts), 'utf8');

  it('write and replace a file, and leave nothing beside it', async () => {
    await writeFileAtomic(scratch('a'), 'one');
    await writeFileAtomic(scratch('a'), 'zwölf');
    assert.equal(read('a'), 'zwölf');
    assert.deepEqual(readdirSync(scratch()), ['a']);
  });

  it('leave the old file when the new one cannot take its place', async () => {
    mkdirSync(scratch('a', 'full'), { recursive: true });
    await assert.rejects(writeFileAtomic(scratch('a'), 'one'), errorOf('store.cannotWrite', /a cannot be written/));
    assert.deepEqual(readdirSync(scratch()), ['a']);
    assert.deepEqual(readdirSync(scratch('a')), ['full']);
  });

  it('show a folder only when it is complete', async () => {
    const fill = async (folder: string) => {
      await writeFileAtomic(join(folder, 'x'), '1');
      assert.deepEqual(
        readdirSync(scratch()).filter((name) => !isLeftover(name)),
        [],
      );
      await writeFileAtomic(join(folder, 'y'), '2');
    };
    await writeFolderAtomic(scratch('f'), fill, { replace: false });
    assert.deepEqual(readdirSync(scratch()), ['f']);
    assert.deepEqual(readdirSync(scratch('f')), ['x', 'y']);
  });

  it('keep a folder when its replacement fails or is not wanted', async () => {
    mkdirSync(scratch('f'));
    writeFileSync(scratch('f', 'old'), '');
    const broken = async () => Promise.reject(new Error('no memory'));
    await assert.rejects(writeFolderAtomic(scratch('f'), broken, { replace: true }), /no memory/);
    const fill = (folder: string) => writeFileAtomic(join(folder, 'new'), '');
    await assert.rejects(writeFolderAtomic(scratch('f'), fill, { replace: false }), errorOf('store.cannotWrite'));
    assert.deepEqual([readdirSync(scratch()), readdirSync(scratch('f'))], [['f'], ['old']]);
    await writeFolderAtomic(scratch('f'), fill, { replace: true });
    assert.deepEqual([readdirSync(scratch()), readdirSync(scratch('f'))], [['f'], ['new']]);
    await removeFolder(scratch('f'));
    assert.deepEqual(readdirSync(scratch()), []);
  });

  it('are cleaned up after a crash, what was being replaced included', async () => {
    mkdirSync(temporaryName(scratch('1')));
    writeFileSync(temporaryName(scratch('file')), '');
    // Killed between the two renames of a replacement, and after both.
    mkdirSync(scratch('2.old-0123456789ab'));
    mkdirSync(scratch('3.old-0123456789ab'));
    for (const name of ['3', '4', 'file', 'file.tmp-1']) mkdirSync(scratch(name));
    await recoverFolder(scratch());
    assert.deepEqual(readdirSync(scratch()).sort(), ['2', '3', '4', 'file', 'file.tmp-1']);
  });

  it('leave young temporaries of others alone', async () => {
    const [old, young] = [temporaryName(scratch('old')), temporaryName(scratch('young'))];
    for (const path of [old, young]) mkdirSync(path);
    utimesSync(old, 1, 1);
    await recoverFolder(scratch(), 60_000);
    assert.deepEqual(
      readdirSync(scratch()).map((name) => scratch(name)),
      [young],
    );
  });
});
