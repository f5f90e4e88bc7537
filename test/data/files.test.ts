import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Row, RowReport } from '../../server/data/rows.ts';
import { readRows } from '../../server/data/sources.ts';
import { ColaError } from '../../server/errors.ts';
import { collect, useFolder } from './folder.ts';

const fixtures = join(import.meta.dirname, '../fixtures/data');

describe('files of rows', () => {
  const folder = useFolder();
  const read = (name: string, contents: string | Uint8Array, skipBadRows = false, report = new RowReport()) =>
    collect(readRows({ kind: 'jsonl', file: folder.write(name, contents) }, { skipBadRows, report }));
  const pairs = (rows: readonly Row[]) => rows.map((row) => (row.kind === 'prompt' ? [row.prompt, row.response] : row));
  const three = [
    { prompt: 'a\n"1"', response: 'x, [y] {z}' },
    { prompt: 'b \\', response: 'ü' },
    { prompt: 'c', response: '' },
  ];
  const expected = three.map(({ prompt, response }) => [prompt, response]);

  describe('of JSON', () => {
    const forms: Record<string, string> = {
      'a list': JSON.stringify(three),
      'a list over several lines': `\ufeff${JSON.stringify(three, undefined, 2)}\n`,
      'a list with Windows line ends': JSON.stringify(three, undefined, 1).replaceAll('\n', '\r\n'),
      'an object with rows': JSON.stringify({ version: 1.5, about: { data: [1] }, data: three, more: null }),
      'an object with rows over several lines': JSON.stringify({ name: 'x', rows: three }, undefined, '\t'),
      lines: three.map((row) => JSON.stringify(row)).join('\n'),
    };
    for (const [form, text] of Object.entries(forms)) {
      for (const name of form === 'lines'
        ? ['a.json', 'a.jsonl']
        : form.startsWith('an')
          ? ['a.json']
          : ['a.json', 'a.jsonl', 'a.ndjson'])
        it(`are read from ${form} in ${name}, packed or not`, async () => {
          assert.deepEqual(pairs(await read(name, text)), expected);
          assert.deepEqual(pairs(await read(`${name}.gz`, gzipSync(text))), expected);
        });
    }

    it('are what JSON.parse gives, however the list is written', async () => {
      const row = fc.record({ prompt: fc.string({ minLength: 1, unit: 'binary' }), response: fc.string() });
      await fc.assert(
        fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), fc.nat(3), async (rows, indent) => {
          const file = folder.write('r.json', JSON.stringify(rows, undefined, indent));
          const found = await collect(readRows({ kind: 'jsonl', file }));
          assert.deepEqual(
            pairs(found),
            (JSON.parse(readFileSync(file, 'utf8')) as typeof rows).map((r) => [r.prompt, r.response]),
          );
        }),
        { numRuns: 100 },
      );
    });

    it('longer than a piece that is read at once are whole', async () => {
      const rows = Array.from({ length: 40 }, (_, i) => ({ prompt: `${i} ${'é"\\'.repeat(9000)}`, response: `${i}` }));
      assert.deepEqual(
        pairs(await read('long.json', JSON.stringify(rows))),
        rows.map((r) => [r.prompt, r.response]),
      );
    });

    const broken: [string, string, RegExp][] = [
      ['a comma at the end', '[\n{"text":"a"},\n{"text":"b"},\n]', /line 4 .*comma/],
      ['no comma', '[{"text":"a"}\n{"text":"b"}]', /line 2 .*comma is missing/],
      ['two commas', '[{"text":"a"},,{"text":"b"}]', /line 1 .*row is missing/],
      ['no end', '[{"text":"a"},\n{"text":"b"}', /line 2 .*ends in the middle/],
      ['something behind the end', '[{"text":"a"}]\n{"text":"b"}', /line 2 .*follows/],
      ['a comma inside of a row', '[{"text":"a"},\n{"text":"b",}]', /line 2 is not JSON/],
      ['a row that is none', '[{"text":"a"},\n3]', /line 2 is not a JSON object/],
    ];
    for (const [what, text, says] of broken) {
      it(`with ${what} are refused with the line, or given up to there`, async () => {
        await assert.rejects(read('b.json', text), { message: says });
        const report = new RowReport();
        const rows = await read('b.json', text, true, report);
        assert.equal(rows[0].kind === 'text' && rows[0].text, 'a');
        assert.equal(
          [...report.skipped.values()].reduce((a, b) => a + b, 0),
          1,
        );
      });
    }

    it('without rows say what there is', async () => {
      await assert.rejects(read('o.json', '{"a": {\n"b": 1}}'), { id: 'data.noRows', message: /it has a\./ });
      await assert.rejects(read('e.json', '[]'), { id: 'data.emptyFile' });
      await assert.rejects(read('e.json', ' '), { id: 'data.emptyFile' });
      await assert.rejects(read('d.json', '{"data": []}'), { id: 'data.emptyFile' });
    });

    it('one row larger than the limit is one row left out', async () => {
      const file = folder.write('l.json', JSON.stringify([{ text: 'a' }, { text: 'x'.repeat(500) }, { text: 'b' }]));
      const report = new RowReport();
      const rows = await collect(readRows({ kind: 'jsonl', file }, { skipBadRows: true, maxLineBytes: 100, report }));
      assert.deepEqual(
        rows.map((row) => row.kind === 'text' && row.text),
        ['a', 'b'],
      );
      assert.deepEqual([...report.skipped], [['data.lineTooLong', 1]]);
    });
  });

  describe('packed by gzip', () => {
    it('are refused where they are made to fill the memory', async function () {
      this.timeout(60_000);
      const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024, ' '));
      assert.ok(bomb.length < 100_000);
      await assert.rejects(read('bomb.jsonl.gz', bomb), { id: 'data.unpacksTooLarge' });
    });

    it('are refused where they are torn', async () => {
      const packed = gzipSync(three.map((row) => JSON.stringify(row)).join('\n'));
      await assert.rejects(read('torn.jsonl.gz', packed.subarray(0, packed.length - 10)), { id: 'data.brokenArchive' });
    });
  });

  describe('of tables', () => {
    it('may have quotes, separators and line ends in their cells', async () => {
      const csv = '\ufeffprompt,response,n\r\n"a\n""1""","x, [y] {z}",1\r\nb \\,ü,2\r\nc,,3\r\n';
      const rows = await read('t.csv', csv);
      assert.deepEqual(pairs(rows), [...expected.slice(0, 2), ['c', undefined]]);
      assert.deepEqual(rows[1].columns, { n: '2' });
      assert.deepEqual(pairs(await read('t.csv.gz', gzipSync(csv))), pairs(rows));
      assert.deepEqual(pairs(await read('t.tsv', 'question\tanswer\nq, r\t"a\tb"\n')), [['q, r', 'a\tb']]);
      assert.deepEqual(pairs(await read('t.csv', 'prompt;response\n1,5;2,5\n')), [['1,5', '2,5']]);
    });

    it('may have messages as JSON in a cell', async () => {
      const cell = JSON.stringify([
        { role: 'user', content: 'u' },
        { role: 'assistant', content: 'a' },
      ]);
      const [row] = await read('m.csv', `messages\n"${cell.replaceAll('"', '""')}"\n`);
      assert.deepEqual(row, { kind: 'chat', messages: JSON.parse(cell), columns: {} });
    });

    it('name the line of what does not fit, or leave it out', async () => {
      const csv = 'prompt,response\na,b\nc\nd,e\n';
      await assert.rejects(read('t.csv', csv), { id: 'data.brokenTable', message: /t\.csv, line 3 / });
      const report = new RowReport();
      assert.deepEqual(pairs(await read('t.csv', csv, true, report)), [
        ['a', 'b'],
        ['d', 'e'],
      ]);
      assert.deepEqual([...report.skipped], [['data.brokenTable', 1]]);
      await assert.rejects(read('t.csv', 'prompt,response\na,"b\n'), { id: 'data.brokenTable' });
      await assert.rejects(read('t.csv', Buffer.from('prompt,response\na,\xff\n', 'latin1')), { id: 'data.notUtf8' });
      await assert.rejects(read('t.csv', ''), { id: 'data.emptyFile' });
      await assert.rejects(read('t.csv', 'prompt,response\n'), { id: 'data.emptyFile' });
    });
  });

  describe('of Parquet', () => {
    for (const codec of ['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4']) {
      it(`are read, packed by ${codec}`, async () => {
        const rows = await collect(readRows({ kind: 'jsonl', file: join(fixtures, `gsm8k-${codec}.parquet`) }));
        assert.equal(rows.length, 30);
        assert.deepEqual(rows[17], {
          kind: 'prompt',
          prompt: 'Natalia sold 17 clips, then 2 more. How many?',
          response: '17+2 = <<17+2=19>>19\n#### 19',
          answer: '19',
          columns: {},
        });
      });
    }

    it('may have structures and lists', async () => {
      const [, row] = await collect(readRows({ kind: 'jsonl', file: join(fixtures, 'verl.parquet') }));
      assert.deepEqual(row, {
        kind: 'prompt',
        prompt: 'What is 1+1?',
        response: 'It is 2.',
        answer: '2',
        columns: {
          data_source: 'openai/gsm8k',
          ability: 'math',
          reward_model: { style: 'rule', ground_truth: '2' },
          extra_info: { split: 'train', index: 1, answer: 'It is 2.' },
        },
      });
    });

    it('have values as JSON has them', async () => {
      const [first, second] = await collect(readRows({ kind: 'jsonl', file: join(fixtures, 'types.parquet') }));
      assert.deepEqual(first.columns, {
        response: null,
        big: 2 ** 40,
        huge: String(2n ** 62n),
        ratio: 0.5,
        yes: true,
        when: '2024-01-02T03:04:05.000Z',
        list: [1, 2, 3],
        raw: first.columns.raw,
      });
      assert.equal(second.kind === 'prompt' && second.response, 'r');
      assert.doesNotThrow(() => JSON.stringify(first.columns));
    });

    it('that are torn or none are refused by name', async () => {
      const whole = readFileSync(join(fixtures, 'gsm8k-snappy.parquet'));
      await assert.rejects(read('torn.parquet', whole.subarray(0, 900)), { id: 'data.brokenParquet' });
      await assert.rejects(read('none.parquet', 'hello'), { id: 'data.brokenParquet' });
      await fc.assert(
        fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
          const changed = Buffer.from(whole);
          changed[at] = byte;
          const file = folder.write('x.parquet', changed);
          try {
            await collect(readRows({ kind: 'jsonl', file }));
          } catch (error) {
            if (!(error instanceof ColaError)) throw error;
          }
        }),
        { numRuns: 150 },
      );
    });
  });
});
