import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import fc from 'fast-check';
import { readLines, readPassages } from '../../server/data/lines.ts';
import { RowReport } from '../../server/data/rows.ts';
import { readRows, sourceFiles } from '../../server/data/sources.ts';
import { ColaError } from '../../server/errors.ts';
import { Random } from '../../server/random.ts';
import { collect, useFolder } from './folder.ts';

const lines = (...values: unknown[]) => values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join('\n');

describe('data sources', () => {
  const folder = useFolder();
  const jsonl = (contents: string | Uint8Array, columns?: Record<string, string>) =>
    ({ kind: 'jsonl', file: folder.write('rows.jsonl', contents), ...(columns && { columns }) }) as const;

  describe('lines', () => {
    it('are what split gives, with their places, whatever the bytes', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: fc.constantFrom('a', '\n', '\r', 'é', '\ufeff'), maxLength: 50 }),
          async (text) => {
            const bytes = Buffer.from(text);
            const found = await collect(readLines(folder.write('x', bytes)));
            const body = text.replace(/^\ufeff/, '');
            assert.equal(found.map((line) => String(line.bytes)).join(''), body);
            assert.deepEqual(
              found.map((line) => String(line.bytes)),
              body.match(/[^\n]*\n|[^\n]+/g) ?? [],
            );
            for (const line of found)
              assert.equal(bytes.subarray(line.offset, line.offset + line.length).compare(line.bytes!), 0);
          },
        ),
        { numRuns: process.env.COLA_SLOW ? 2000 : 100 },
      );
    });

    it('come together too, up to the first that is beyond the limit', async () => {
      const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' ', '\ufeff'), maxLength: 60 });
      await fc.assert(
        fc.asyncProperty(letters, fc.integer({ min: 1, max: 12 }), async (text, limit) => {
          const file = folder.write('x', text);
          const one = await collect(readLines(file, { limit }));
          const long = one.findIndex(({ bytes }) => bytes === undefined);
          const short = long < 0 ? one : one.slice(0, long);
          const found = await collect(readPassages(file, limit));
          const whole = found.flatMap(({ bytes }) => bytes ?? []);
          assert.equal(String(Buffer.concat(whole)), short.map(({ bytes }) => String(bytes)).join(''));
          const last = found.at(-1);
          assert.equal(last !== undefined && last.bytes === undefined ? last.number : -1, long < 0 ? -1 : long + 1);
        }),
        { numRuns: process.env.COLA_SLOW ? 5000 : 100 },
      );
    });

    it('beyond the limit are passed over without being held', async function () {
      this.timeout(120_000);
      const file = join(folder.path, 'giant');
      const stream = createWriteStream(file);
      const megabytes = process.env.COLA_SLOW ? 1024 : 128;
      stream.write('{"text": "a"}\n');
      for (let i = 0; i < megabytes; i++) {
        if (!stream.write(Buffer.alloc(1024 * 1024, 'x'))) await once(stream, 'drain');
      }
      stream.end('\n{"text": "b"}\n');
      await finished(stream);
      globalThis.gc?.();
      const before = process.memoryUsage().rss;
      const report = new RowReport();
      const rows = await collect(readRows({ kind: 'jsonl', file }, { skipBadRows: true, report }));
      assert.equal(rows.length, 2);
      assert.deepEqual([...report.skipped], [['data.lineTooLong', 1]]);
      assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
      await assert.rejects(collect(readRows({ kind: 'jsonl', file })), {
        id: 'data.lineTooLong',
        message: /giant, line 2/,
      });
    });
  });

  describe('JSON lines', () => {
    it('know text, prompt and messages by name', async () => {
      assert.deepEqual(await collect(readRows(jsonl(lines({ text: 'a', source: 1 }, '', { text: 'b' })))), [
        { kind: 'text', text: 'a', columns: { source: 1 } },
        { kind: 'text', text: 'b', columns: {} },
      ]);
      assert.deepEqual(
        await collect(readRows(jsonl(lines({ prompt: 'p', response: 'r', target: 3 }, { prompt: 'q', answer: 7 })))),
        [
          { kind: 'prompt', prompt: 'p', response: 'r', columns: { target: 3 } },
          { kind: 'prompt', prompt: 'q', answer: '7', columns: {} },
        ],
      );
      const messages = [{ role: 'user', content: 'hi' }];
      assert.deepEqual(await collect(readRows(jsonl(lines({ messages })))), [{ kind: 'chat', messages, columns: {} }]);
    });

    it('take columns by a mapping', async () => {
      const rows = await collect(
        readRows(jsonl(lines({ question: 'q', answer: 'a', id: 1 }), { prompt: 'question', response: 'answer' })),
      );
      assert.deepEqual(rows, [{ kind: 'prompt', prompt: 'q', response: 'a', columns: { id: 1 } }]);
      await assert.rejects(collect(readRows(jsonl('{}', { response: 'a' }))), { id: 'data.ambiguousColumns' });
      await assert.rejects(collect(readRows(jsonl('{}', { text: 'a', prompt: 'b' }))), { id: 'data.ambiguousColumns' });
    });

    it('read with a byte order mark and Windows line ends', async () => {
      const rows = await collect(readRows(jsonl('\ufeff{"text":"a"}\r\n\r\n{"text":"b"}\r\n')));
      assert.deepEqual(
        rows.map((row) => row.kind === 'text' && row.text),
        ['a', 'b'],
      );
    });

    const bad: [string, string | Uint8Array, string][] = [
      ['broken JSON', '{"text": "a"', 'brokenJson'],
      ['a list', '[1]', 'notAnObject'],
      ['null', 'null', 'notAnObject'],
      ['a missing column', '{"other": 1}', 'missingColumn'],
      ['a number for a text', '{"text": 3}', 'wrongType'],
      ['null for a text', '{"text": null}', 'wrongType'],
      ['an empty text', '{"text": ""}', 'emptyText'],
      ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'notUtf8'],
      ['an inherited name', '{"__proto__": {"text": "a"}}', 'missingColumn'],
    ];
    for (const [name, row, id] of bad) {
      it(`name the line of ${name}, or leave it out and count it`, async () => {
        const source = jsonl(
          Buffer.concat([Buffer.from('{"text":"a"}\n'), Buffer.from(row), Buffer.from('\n{"text":"b"}')]),
        );
        await assert.rejects(collect(readRows(source)), { id: `data.${id}`, message: /rows\.jsonl, line 2/ });
        const report = new RowReport();
        const rows = await collect(readRows(source, { skipBadRows: true, report }));
        assert.deepEqual(
          rows.map((r) => r.kind === 'text' && r.text),
          ['a', 'b'],
        );
        assert.deepEqual([...report.skipped], [[`data.${id}`, 1]]);
        assert.equal(report.used, 2);
      });
    }

    it('must have a row that can be used', async () => {
      await assert.rejects(collect(readRows(jsonl(''))), { id: 'data.emptyFile' });
      await assert.rejects(collect(readRows(jsonl('\n \n'))), { id: 'data.emptyFile' });
      await assert.rejects(collect(readRows(jsonl('{\n3\n'), { skipBadRows: true })), {
        id: 'data.noUsableRows',
        message: /brokenJson.*notAnObject/,
      });
      await assert.rejects(collect(readRows(jsonl('{"a": 1}'))), { id: 'data.unknownColumns', message: /it has a\./ });
      await assert.rejects(collect(readRows({ kind: 'jsonl', file: join(folder.path, 'none') })), {
        id: 'data.missingFile',
      });
      await assert.rejects(collect(readRows({ kind: 'jsonl', file: folder.path })), { id: 'data.otherFile' });
    });

    it('never fail with anything but an error of the catalogue', async () => {
      const line = fc.oneof(
        fc.json().map((t) => Buffer.from(t)),
        fc
          .record({ text: fc.jsonValue(), prompt: fc.jsonValue(), messages: fc.jsonValue() }, { requiredKeys: [] })
          .map((o) => Buffer.from(JSON.stringify(o))),
        fc.uint8Array({ maxLength: 20 }).map((b) => Buffer.from(b)),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(line, { maxLength: 6 }), fc.boolean(), async (parts, skipBadRows) => {
          const file = folder.write('fuzz', Buffer.concat(parts.flatMap((p) => [p, Buffer.from('\n')])));
          try {
            const rows = await collect(readRows({ kind: 'jsonl', file }, { skipBadRows, maxLineBytes: 200 }));
            assert.ok(rows.length > 0);
          } catch (error) {
            if (!(error instanceof ColaError)) throw error;
          }
        }),
        { numRuns: process.env.COLA_SLOW ? 5000 : 100 },
      );
    });
  });

  describe('text files', () => {
    it('are rows, large ones several that join to the whole', async () => {
      const whole = `${'zeile é\n'.repeat(400_000)}end`;
      const rows = await collect(
        readRows({ kind: 'text', files: [folder.write('a', 'one'), folder.write('b', whole)] }),
      );
      const texts = rows.map((row) => (row.kind === 'text' ? row.text : ''));
      assert.equal(texts[0], 'one');
      assert.ok(texts.length > 3);
      assert.equal(texts.slice(1).join(''), whole);
    });

    it('are cut behind the line that makes a row long enough, if it says anything', async () => {
      const random = new Random(11);
      const row = 1024 * 1024;
      for (const longest of [1, 3, 80, 300_000]) {
        let whole = longest === 80 ? '\n '.repeat(700_000) : '';
        while (whole.length < 2.6 * row) {
          const line = random.integer(3) === 0 ? '' : 'x'.repeat(random.integer(longest) + 1);
          whole += `${line}\n`.repeat(longest < 10 ? 1000 : 1);
        }
        whole += 'end';
        const rows: string[] = [];
        let text = '';
        let said = false;
        for (const line of whole.match(/[^\n]*\n|[^\n]+/g) ?? []) {
          text += line;
          said ||= line.trim() !== '';
          if (text.length < row || !said) continue;
          rows.push(text);
          text = '';
          said = false;
        }
        if (said) rows.push(text);
        const found = await collect(readRows({ kind: 'text', files: [folder.write('t', whole)] }));
        assert.deepEqual(
          found.map((each) => (each.kind === 'text' ? each.text.length : -1)),
          rows.map(({ length }) => length),
        );
        assert.equal(found.map((each) => (each.kind === 'text' ? each.text : '')).join(''), rows.join(''));
      }
      // The line that is named is the first of its row.
      const bad = Buffer.concat([Buffer.from(`${'a\n'.repeat(row / 2)}b\n`), Buffer.from([0xff, 0x0a])]);
      await assert.rejects(collect(readRows({ kind: 'text', files: [folder.write('t', bad)] })), {
        id: 'data.notUtf8',
        message: new RegExp(`line ${row / 2 + 1}\\b`),
      });
    });

    it('must be text, and not empty', async () => {
      const read = (contents: string | Uint8Array) =>
        collect(readRows({ kind: 'text', files: [folder.write('t', contents)] }));
      await assert.rejects(read(Buffer.from([0x61, 0, 0x62])), { id: 'data.binaryFile' });
      await assert.rejects(read(Buffer.from([0x61, 0x0a, 0xff])), { id: 'data.notUtf8' });
      await assert.rejects(read(''), { id: 'data.emptyFile' });
      await assert.rejects(read(' \n'), { id: 'data.emptyFile' });
    });
  });

  describe('workspace', () => {
    const list = (...globs: string[]) =>
      sourceFiles({ kind: 'workspace', root: folder.path, globs }).map((file) => file.slice(folder.path.length + 1));

    it('lists by patterns, without what git ignores at any level', () => {
      for (const file of [
        'a.ts',
        'b.js',
        'src/c.ts',
        'src/deep/d.ts',
        'src/deep/keep.log',
        'out/e.ts',
        'node_modules/p/f.ts',
        '.git/g.ts',
        'x.log',
      ]) {
        folder.write(file, 'x');
      }
      folder.write('.gitignore', 'out/\n*.log\n/b.js\n');
      folder.write('src/deep/.gitignore', '!keep.log\nd.ts\n');
      assert.deepEqual(list('**/*.ts'), ['a.ts', 'src/c.ts']);
      assert.deepEqual(list('**/*.{ts,js,log}', '!src/*.ts'), ['a.ts', 'src/deep/keep.log']);
      assert.throws(() => list('*.py'), { id: 'data.noFiles' });
      assert.throws(() => sourceFiles({ kind: 'workspace', root: join(folder.path, 'none'), globs: ['*'] }), {
        id: 'data.missingFile',
      });
    });

    it('passes over images and empty files', async () => {
      folder.write('a.txt', 'text');
      folder.write('b.png', Buffer.from([0x89, 0x50, 0, 0]));
      folder.write('c.txt', '');
      const report = new RowReport();
      const rows = await collect(readRows({ kind: 'workspace', root: folder.path, globs: ['**'] }, { report }));
      assert.equal(rows.length, 1);
      assert.deepEqual(
        new Map(report.skipped),
        new Map([
          ['data.binaryFile', 1],
          ['data.emptyFile', 1],
        ]),
      );
    });
  });
});
