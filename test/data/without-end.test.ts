/** Data that has no end, or is made to take long: what a stranger's folder may hold where rows or texts are looked for. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { inspectFile } from '../../server/data/inspect.ts';
import { readLines } from '../../server/data/lines.ts';
import { readRows } from '../../server/data/sources.ts';
import { surveyFolder } from '../../server/data/survey.ts';
import { cachedTokens } from '../../server/data/token-cache.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { link, pipe, socket, type Trap } from '../files/hostile.ts';
import { collect, useFolder } from './folder.ts';

const endless: Readonly<Record<string, Trap>> = { 'a link to /dev/zero': link('/dev/zero'), 'a pipe': pipe };

describe('data without end', () => {
  const folder = useFolder();
  const at = (name: string) => join(folder.path, name);
  const refused = { id: 'data.notPlain', message: /is a device, a pipe or a socket, which may have no end/ };

  for (const [what, trap] of Object.entries(endless)) {
    it(`is refused at once where it is ${what}, as rows of every kind and as text`, async () => {
      for (const name of ['rows.jsonl', 'rows.json', 'rows.csv', 'rows.tsv', 'rows.parquet', 'rows.jsonl.gz']) {
        trap(at(name));
        await assert.rejects(inspectFile(at(name)), refused);
        await assert.rejects(collect(readRows({ kind: 'jsonl', file: at(name) }, { skipBadRows: true })), refused);
      }
      trap(at('text.txt'));
      const source = { kind: 'text', files: [at('text.txt')] } as const;
      await assert.rejects(collect(readRows(source)), refused);
      const tokenizer = loadTokenizer(join(import.meta.dirname, '../../assets/nano'));
      await assert.rejects(cachedTokens({ folder: at('cache'), source, tokenizer, eosId: 0 }), refused);
    });

    it(`is no text of a folder where it is ${what}`, async () => {
      folder.write('a.ts', 'const a = 1;\n');
      trap(at('endless.ts'));
      const { survey } = await surveyFolder(folder.path);
      assert.deepEqual([survey.files, survey.examples], [1, ['a.ts']]);
    });
  }

  it('is refused where it is a socket', async () => {
    const server = await socket(at('rows.jsonl'));
    try {
      await assert.rejects(inspectFile(at('rows.jsonl')), refused);
    } finally {
      server.close();
    }
  });

  it('has rows with more columns than anybody has, which are refused before they are objects', async () => {
    const names = Array.from({ length: 10_001 }, (_, i) => `c${i}`);
    const tooMany = { id: 'data.tooManyColumns', message: /line 1 has more than 10000 columns/ };
    for (const [name, text] of [
      ['wide.csv', `${names.join(',')}\n${names.join(',')}\n`],
      ['wide-semicolons.csv', `${names.join(';')}\n${names.join(';')}\n`],
      ['wide.tsv', `${names.join('\t')}\n${names.join('\t')}\n`],
      ['wide.jsonl', `${JSON.stringify(Object.fromEntries(names.map((each) => [each, 'x'])))}\n`],
      ['nested.jsonl', `${JSON.stringify({ a: Object.fromEntries(names.map((each) => [each, 'x'])) })}\n`],
    ] as const)
      await assert.rejects(inspectFile(folder.write(name, text)), tooMany, name);
    const list = { text: 'a', tokens: Array.from({ length: 20_000 }, (_, i) => i), 'a:b': ':'.repeat(90_000) };
    const chat = { messages: Array.from({ length: 9000 }, () => ({ role: 'user', content: 'a' })) };
    for (const row of [list, chat]) {
      const file = folder.write('long.jsonl', `${JSON.stringify(row)}\n`);
      assert.equal((await collect(readRows({ kind: 'jsonl', file }))).length, 1);
    }
  });

  it('keeps the numbers of lines behind blank ones, which are passed over', async () => {
    const blank = ['\n', '\r\n', ' \t\n', '\n\n\n'].join('').repeat(20_000);
    const text = `${blank}{"text":"a"}\n${blank}  {"text":"b"}\n  \n\n{"text":`;
    const file = folder.write('blank.jsonl', text);
    const all = await collect(readLines(file));
    const some = await collect(readLines(file, { skipBlank: true }));
    const full = all.filter(({ bytes }) => bytes?.toString().trim() !== '');
    assert.deepEqual(
      some.filter(({ bytes }) => bytes?.toString().trim() !== ''),
      full,
    );
    assert.equal(full.length, 3);
    await assert.rejects(collect(readRows({ kind: 'jsonl', file })), {
      id: 'data.brokenJson',
      message: /line 240005 /,
    });
  });
});
