import assert from 'node:assert/strict';
import { cleanText, isSecretLike, stripLicenceHeader } from '../../scripts/corpus/filters.ts';

const code = Array.from(
  { length: 20 },
  (_, i) => `export function f${i}(name: string): string {\n  return name + 'x';\n}\n`,
).join('\n');

function kept(raw: string): string {
  const cleaned = cleanText(raw, 'ts');
  assert.ok(cleaned.kept, cleaned.kept ? '' : cleaned.reason);
  return cleaned.text;
}

function reason(raw: string, kind: 'ts' | 'js' | 'md' = 'ts'): string {
  const cleaned = cleanText(raw, kind);
  return cleaned.kept ? 'kept' : cleaned.reason;
}

describe('corpus filters', () => {
  it('keep ordinary code, with line ends and trailing blanks made one', () => {
    const text = kept(`${code.replace(/\n/g, '\r\n')}const a = 1;   \r\n//# sourceMappingURL=x.js.map\r\n`);
    assert.equal(text, `${code}const a = 1;\n`);
  });

  it('take out licence headers, stacked ones too, but no other comment', () => {
    assert.equal(
      stripLicenceHeader('/* Copyright X */\n// Licensed under MIT\n\n/** Adds. */\nadd();\n'),
      '/** Adds. */\nadd();\n',
    );
    assert.equal(stripLicenceHeader('/** Adds. */\nadd();\n'), '/** Adds. */\nadd();\n');
    assert.equal(stripLicenceHeader('#!/usr/bin/env node\n// (c) Y\nadd();\n'), 'add();\n');
  });

  it('drop lines that look like credentials, digests or addresses, and count them', () => {
    const secret = `const k = 'AKIA${'A1B2C3D4'.repeat(2)}';`;
    const cleaned = cleanText(`${code}${secret}\n// by someone@example.org\n`, 'ts');
    assert.deepEqual(cleaned, { kept: true, text: code, droppedLines: 2 });
    for (const line of [
      '-----BEGIN PRIVATE KEY-----',
      `"integrity": "sha512-${'aB3+'.repeat(20)}"`,
      `sha1 ${'0123456789abcdef'.repeat(2)}`,
      `token: "${'q1w2e3r4'.repeat(3)}"`,
    ]) {
      assert.ok(isSecretLike(line), line);
    }
    for (const line of ['-'.repeat(90), 'const tokens = tokenize(text);', "import { x } from '@scope/package';", '']) {
      assert.ok(!isSecretLike(line), line);
    }
  });

  it('refuse generated, minified, binary, tabular, foreign and repetitive files, each by its name', () => {
    assert.equal(reason(`// This file is generated from a schema\n${code}`), 'generated');
    assert.equal(reason(`// This file is generated from a schema\n${code}`, 'md'), 'kept');
    assert.equal(reason(`${code}${'a=b;'.repeat(300)}`), 'minified');
    assert.equal(reason(`${code}\0`), 'binary');
    assert.equal(reason('const t = [\n'.concat('  1234, 5678, 9012,\n'.repeat(40))), 'table');
    assert.equal(reason('const greeting = "Привет, как дела?";\n'.repeat(20)), 'foreign');
    assert.equal(reason('const greeting = "hello";\n'.repeat(60)), 'repetitive');
    assert.equal(reason('const a = 1;\n'), 'size');
  });
});
