import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInHost } from './support/host.ts';
import { install } from './support/running.ts';

describe('without a server', () => {
  it('every command answers', async function () {
    this.timeout(0);
    const { extension } = await install();
    const server = join(extension, 'dist/server.js');
    const aside = `${server}.whole`;
    renameSync(server, aside);
    try {
      writeFileSync(server, 'process.exit(1);\n');
      const outcomes = await runInHost('test/e2e/host/commands.ts', { examples: true });
      const all = Object.entries(outcomes as Record<string, string>);
      assert.ok(all.length > 10);
      assert.deepEqual(
        all.filter(([, outcome]) => outcome !== 'answered'),
        [],
      );
    } finally {
      renameSync(aside, server);
    }
  });
});
