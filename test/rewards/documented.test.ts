/** The reward that docs/extending.md shows, as it stands there. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { createReward } from '../../server/rewards/registry.ts';

describe('the documented module', () => {
  it('scores as its comment says', async () => {
    const page = readFileSync(resolve('docs/extending.md'), 'utf8');
    const block = (language: string) => new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(page)![1];
    const folder = mkdtempSync(join(tmpdir(), 'cola-test-'));
    writeFileSync(join(folder, 'reward.mjs'), block('js'));
    const reward = await createReward(parse(block('yaml')).reward, folder);
    try {
      const { signal } = new AbortController();
      const score = async (completion: string) => {
        const result = await reward.score({ prompt: '', completion, row: {}, finished: true, tokens: 1 }, signal);
        assert.ok('value' in result, JSON.stringify(result));
        return result.value;
      };
      assert.equal(await score('Yes.'), 1 - 0.004);
      assert.equal(await score('Yes'), -0.003);
    } finally {
      await reward.close();
      rmSync(folder, { recursive: true });
    }
  });
});
