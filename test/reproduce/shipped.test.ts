import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cola } from '../cli/cola.ts';
import { removeFolder, temporaryFolder } from '../engine/tiny-model.ts';

const results = join(import.meta.dirname, '../../docs/results');

describe('the claims of CoLA Studio', function () {
  this.timeout(60_000);
  let out: string;
  before(async () => {
    out = await temporaryFolder();
    if (existsSync(join(results, 'claims'))) cpSync(join(results, 'claims'), join(out, 'claims'), { recursive: true });
  });
  after(() => removeFolder(out));

  it('are read, and the page in docs/results is what they and its evidence give', async () => {
    const { code, stderr } = await cola(['reproduce', '--page', '--out', out]);
    assert.equal(code, 0, stderr);
    for (const name of ['claims.md', 'claims.json'])
      assert.equal(
        readFileSync(join(out, name), 'utf8'),
        readFileSync(join(results, name), 'utf8'),
        `${name}: write it anew with npm run -s cola -- reproduce --out docs/results --page`,
      );
    // Places for numbers are all filled.
    assert.doesNotMatch(readFileSync(join(out, 'claims.md'), 'utf8'), /\{[a-z0-9.-]+\}/);
  });
});
