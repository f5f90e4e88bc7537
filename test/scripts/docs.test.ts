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
    // Scripts and other tests have areas of their own.
    const areaOf = (id: string) => id.slice(0, id.indexOf('.'));
    const areas = new Set([...listed].map(areaOf));
    const known = knownErrorIds().filter((id) => areas.has(areaOf(id)));
    assert.ok(known.length > 200);
    assert.deepEqual(
      known.filter((id) => !listed.has(id)),
      [],
    );
  });

  it('say what an error says, with what is filled in under its name', () => {
    const text = [
      "const AGAIN = 'Do it again.';",
      "export const e = catalogue('x', {",
      `  a: (file: string, n: number) => [\`No \${file}: \${list(n)}.\`, AGAIN],`,
      "  b: (file: string, n: number) => [t('No {file}.', { file }), t('Do {0}.', list(n))],",
      '});',
    ].join('\n');
    assert.deepEqual(errorsIn([{ path: 'server/x.ts', text }]), [
      { id: 'x.a', sentence: 'No {file}: {n}.', remedy: 'Do it again.' },
      { id: 'x.b', sentence: 'No {file}.', remedy: 'Do {n}.' },
    ]);
  });
});
