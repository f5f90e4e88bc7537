/** Temporary folders for tests that need a disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Gives every test of the enclosing `describe` a fresh folder, and deletes it afterwards. */
export function scratchFolder(): (...parts: string[]) => string {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cola-test-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return (...parts) => join(folder, ...parts);
}

/** For `assert.throws` and `assert.rejects`: a catalogued error of that id, whose sentence says what it should. */
export function errorOf(id: string, says = /./): { name: string; id: string; message: RegExp } {
  return { name: 'ColaError', id, message: says };
}
