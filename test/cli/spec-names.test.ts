/** A run spec may be called anything. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../store/scratch.ts';
import { cola } from './cola.ts';

const names = [
  'a b.cola.yaml',
  'ünïcode 数学.cola.yaml',
  '100%41.cola.yaml',
  'a#b.cola.yaml',
  '-dash.cola.yaml',
  '--run.yaml',
  'cola.yaml',
  '.cola.yaml',
  'noext',
  'spec.txt',
  "it's.cola.yml",
  ...(process.platform === 'win32' ? [] : ['a?b*.cola.yaml', 'a"b\\c.yaml']),
];

describe('the command line takes a spec called', () => {
  const scratch = scratchFolder();

  for (const name of names) {
    it(`${name}`, async () => {
      mkdirSync(scratch('work'));
      cpSync(join(import.meta.dirname, '../fixtures/hf/llama-gqa'), scratch('work', 'model'), { recursive: true });
      const spec = 'model: model\ndevice: cpu\nthreads: 1\nstages: [{ pretrain: { data: none.txt, length: 32 } }]\n';
      writeFileSync(scratch('work', name), spec);
      const fit = await cola(['fit', name, '--json'], { cwd: scratch('work') });
      assert.equal(fit.code, 0, fit.stderr);
      const train = await cola(['train', name], { cwd: scratch('work') });
      // It was read: what it names is not there.
      assert.match(train.stderr, /There is no .*none\.txt.*\[data\.missingFile\]/s);
      assert.equal(train.code, 2);
    });
  }
});
