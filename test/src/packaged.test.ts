import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandLine, programs, root } from '../../scripts/bundles.mjs';

describe('programs that the extension starts', () => {
  it('are in the package, each of them', () => {
    const named = new Set<string>();
    for (const file of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      for (const [, name] of readFileSync(join(root, 'src', file), 'utf8').matchAll(/'dist\/([\w-]+)\.js'/g))
        named.add(name!);
    }
    assert(named.size > 0);
    const packaged = { ...programs, ...commandLine };
    assert.deepEqual(
      [...named].filter((name) => !(name in packaged)),
      [],
    );
  });
});
