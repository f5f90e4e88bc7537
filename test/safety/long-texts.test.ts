/**
 * Texts that are made so that an expression could begin or end at each of their letters: what is asked about them takes time that
 * grows with their length. With its square, or its cube, each of these would compute for minutes, and nothing could stop it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nameToken } from '../../server/cola/token-names.ts';
import { inspectFile } from '../../server/data/inspect.ts';
import type { ColaError } from '../../server/errors.ts';
import { looksSecret } from '../../server/feedback/privacy.ts';
import { parseModelJson } from '../../server/model/json.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { parseSpec } from '../../server/spec/document.ts';
import { followsOf } from '../../src/completion/follows.ts';
import { atEnd, overlap } from '../../src/completion/remainder.ts';
import { oneLine } from '../../src/completion/words.ts';

const most = 400_000;
const blanks = ' '.repeat(most);
/** Seconds of computing. */
const enough = 10;

describe('long texts that mean ill', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'cola-long-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const cases: Readonly<Record<string, () => unknown>> = {
    'a line of blanks behind the cursor': () => assert.equal(atEnd(`${blanks}x`), false),
    'a line of blanks and closing brackets': () => assert.equal(atEnd(`${')'.repeat(900)}${blanks};`), false),
    'a line of quotes behind the cursor': () => assert.equal(overlap('x', '"'.repeat(most)), 0),
    'a line that is one word before the cursor': () => followsOf('x', `${'a'.repeat(most)}.`, 'typescript'),
    'a text of blanks that is to be one line': () => assert.equal(oneLine(`a${blanks}\nb${blanks}c`).length, 80),
    'a text of one address': () => assert.equal(looksSecret('a.'.repeat(most / 2)), false),
    'a text of tokens that never end': () => assert.equal(looksSecret('-eyJ'.repeat(most / 4)), false),
    'a text of names without a value': () => looksSecret(`${'token='.repeat(most / 6)}(`),
    'a name and blanks': () => assert.equal(looksSecret(`basic${blanks}!`), false),
    'a number and blanks in a spec': () => {
      const steps = `"1${' '.repeat(130_000)}x"`;
      const { problems } = parseSpec(
        `model: builtin:nano\nstages:\n  - clone: { data: a.txt, steps: ${steps} }\n`,
        's',
      );
      assert.match(problems[0].message, /"steps" should be a number/);
    },
    'lines without anything in a configuration': () =>
      assert.throws(() => parseModelJson(`{${'\n'.repeat(most)}`, 'config.json'), { id: 'config.json' }),
    'a token of marks': () => nameToken(`a${'.'.repeat(most)}b`, false),
    'an answer of signs': async () => {
      const file = join(folder, 'rows.jsonl');
      const row = (answer: string) => `${JSON.stringify({ prompt: 'a', answer })}\n`;
      writeFileSync(file, row(`${'='.repeat(most)}!`) + row(`${'\n'.repeat(most)}!`));
      assert.ok(await inspectFile(file));
    },
  };
  it('are not repeated whole where they are refused', () => {
    for (const text of [`model: |${'9'.repeat(100_000)}\n x`, '%'.repeat(100_000)])
      for (const { message } of parseSpec(text, 's').problems) assert.ok(message.length < 1000, `${message.length}`);
    const file = join(folder, 'tokenizer.json');
    const nano = join(import.meta.dirname, '../../assets/nano/tokenizer.json');
    const tokenizer = JSON.parse(readFileSync(nano, 'utf8')) as { model: object };
    const model = { ...tokenizer.model, continuing_subword_prefix: blanks };
    writeFileSync(file, JSON.stringify({ ...tokenizer, model }));
    assert.throws(
      () => loadTokenizer(folder),
      ({ id, message }: ColaError) => id === 'tokenizer.unsupported' && message.length < 10_000,
    );
  });

  for (const [what, ask] of Object.entries(cases)) {
    it(what, async () => {
      const before = process.cpuUsage();
      await ask();
      const { user } = process.cpuUsage(before);
      assert.ok(user < enough * 1e6, `${user / 1e6} s`);
    });
  }
});
