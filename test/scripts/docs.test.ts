import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { errorsIn } from '../../scripts/docs/errors.ts';
import { pages } from '../../scripts/docs/main.ts';
import { sources } from '../../scripts/layers/check.ts';
import { knownErrorIds } from '../../server/errors.ts';

describe('the pages that come from the code', () => {
  for (const [name, text] of Object.entries(pages())) {
    it(`docs/${name} is as the code has it (npm run docs)`, () => {
      const committed = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
      assert.equal(committed, text);
    });
  }

  it('list every error of the engine', async () => {
    await import('../../server/cli/program.ts');
    const listed = new Set(errorsIn(sources()).map(({ id }) => id));
    assert.ok(knownErrorIds().length > 100);
    assert.deepEqual(
      knownErrorIds().filter((id) => !listed.has(id)),
      [],
    );
  });

  it('say what an error says, with what is filled in under its name', () => {
    const text = [
      "const AGAIN = 'Do it again.';",
      "export const e = catalogue('x', {",
      `  a: (file: string, n: number) => [\`No \${file}: \${list(n)}.\`, AGAIN],`,
      '});',
    ].join('\n');
    assert.deepEqual(errorsIn([{ path: 'server/x.ts', text }]), [
      { id: 'x.a', sentence: 'No {file}: {n}.', remedy: 'Do it again.' },
    ]);
  });
});
