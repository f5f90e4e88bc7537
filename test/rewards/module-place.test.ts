/** What stands in place of a person's module and is no file: no process is started to read it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { moduleEnvironment, moduleOptions as worldOptions } from '../../server/environments/module/module.ts';
import { moduleOptions, moduleReward } from '../../server/rewards/process/module.ts';
import { folder, link, pipe } from '../files/hostile.ts';

describe('a module that is no file', () => {
  let scratch = '';
  before(() => {
    scratch = mkdtempSync(join(tmpdir(), 'cola-module-'));
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const [what, trap, kind] of [
    ['a link to /dev/zero', link('/dev/zero'), /is a device, where a file should be/],
    ['a pipe', pipe, /is a pipe, where a file should be/],
    ['a folder', folder, /is a folder, where a file should be/],
  ] as const)
    it(`is refused before anything reads it: ${what}`, async () => {
      trap(join(scratch, 'module.mjs'));
      const refused = { id: 'files.kind', message: kind };
      // Of a folder a reward says more: that a file in it is to be named.
      const ofReward = what === 'a folder' ? { id: 'reward.moduleFolder' } : refused;
      await assert.rejects(moduleReward(moduleOptions.parse({ path: './module.mjs' }), scratch), ofReward);
      await assert.rejects(moduleEnvironment(worldOptions.parse({ path: './module.mjs' }), scratch), refused);
    });
});
