import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runInHost } from './support/host.ts';
import { install } from './support/session.ts';

describe('without a server', () => {
  it('every command answers', async function () {
    this.timeout(0);
    const { extensions, extension, scratch } = await install();
    const broken = join(scratch, 'without-server');
    // Links instead of copies: the package is large.
    assert.equal(spawnSync('cp', ['-al', extensions, broken]).status, 0);
    const server = join(broken, basename(extension), 'dist/server.js');
    rmSync(server);
    writeFileSync(server, 'process.exit(1);\n');
    const outcomes = await runInHost('test/e2e/host/commands.ts', { examples: true, extensions: broken });
    const all = Object.entries(outcomes as Record<string, string>);
    assert.ok(all.length > 10);
    assert.deepEqual(
      all.filter(([, outcome]) => outcome !== 'answered'),
      [],
    );
  });
});
