import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { looksSecret, mayStore } from '../../server/feedback/privacy.ts';
import { scratchFolder } from '../store/scratch.ts';

describe('what feedback never stores', () => {
  const scratch = scratchFolder();

  it('is text with a line that looks like a secret', () => {
    const secret = [
      'const password = "correct horse";',
      "apiKey: 'k3j4h5k3j4h5'",
      'AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY',
      'id = AKIAIOSFODNN7EXAMPLE',
      '-----BEGIN RSA PRIVATE KEY-----',
      'headers: { Authorization: Bearer abcdefghij0123456789 }',
      'const t = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";',
      'postgres://admin:hunter22@db.example.com/main',
      'const k = "q8Zr4TnX0bV7mWc2yLs9DfGh5JkP1aQe";',
      'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P',
    ];
    for (const line of secret) assert.ok(looksSecret(`const a = 1;\n${line}\nreturn a;`), line);
    const plain = [
      'const password = readPassword();',
      'function tokenize(text: string): Token[] {',
      'if (token === undefined) throw errors.missing();',
      "import { loadTokenizer } from '../model/tokenizer.ts';",
      'const theLongestNameThatAnybodyEverGaveToAVariable = createReferencePolicyFromWeights();',
      'see https://example.com/some/path',
      'export const authErrors = catalogue(',
    ];
    for (const line of plain) assert.ok(!looksSecret(line), line);
  });

  it('is what a file holds that git ignores, that a pattern names, or that lies elsewhere', () => {
    mkdirSync(scratch('src', 'generated'), { recursive: true });
    writeFileSync(scratch('.gitignore'), 'out/\n*.log\n');
    writeFileSync(scratch('src', '.gitignore'), 'generated/*\n!generated/kept.ts\n');
    const may = (path: string, exclude: string[] = []) => mayStore(scratch(), scratch(...path.split('/')), exclude);
    assert.ok(may('src/a.ts') && may('src/generated/kept.ts') && may('readme.md'));
    for (const path of ['out/a.js', 'src/x.log', 'src/generated/b.ts', '.env.local', 'config/server.pem', 'src/.git/x'])
      assert.ok(!may(path), path);
    for (const path of ['../elsewhere.ts', 'node_modules/a/index.js', 'deploy/secrets.yaml'])
      assert.ok(!may(path), path);
    assert.ok(!may('src/private/a.ts', ['src/private/**']) && may('src/public/a.ts', ['src/private/**']));
  });
});
