/** What lies in a folder under the name of data: other encodings and separators, and files that are something else. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRows } from '../../server/data/sources.ts';
import { listWorkspace } from '../../server/data/workspace.ts';
import { ColaError } from '../../server/errors.ts';

const pairs = [
  ['Was ist 1 + 1? é𝄞', 'Zwei'],
  ['Und 2 + 2', 'Vier'],
];
const json = pairs.map(([prompt, completion]) => JSON.stringify({ prompt, completion }));

describe('files of strangers', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cola-strangers-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const put = (name: string, content: string | Buffer) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const read = async (file: string, kind: 'jsonl' | 'text' = 'jsonl') => {
    const found: (readonly [string, string])[] = [];
    for await (const row of readRows(kind === 'jsonl' ? { kind, file } : { kind, files: [file] }))
      if (row.kind === 'prompt') found.push([row.prompt, row.response ?? '']);
    return found;
  };
  const refusal = async (file: string, kind?: 'jsonl' | 'text'): Promise<ColaError> => {
    const error = await read(file, kind).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ColaError, file);
    return error;
  };

  it('are read in UTF-16, as spreadsheets and Windows write it', async () => {
    const text = `\ufeff${json.join('\r\n')}\r\n`;
    assert.deepEqual(await read(put('le.jsonl', Buffer.from(text, 'utf16le'))), pairs);
    assert.deepEqual(await read(put('be.jsonl', Buffer.from(text, 'utf16le').swap16())), pairs);
    assert.deepEqual(await read(put('list.json', Buffer.from(`\ufeff[${json.join()}]`, 'utf16le'))), pairs);
    const table = ['prompt\tcompletion', ...pairs.map((pair) => pair.join('\t'))].join('\r\n');
    assert.deepEqual(await read(put('table.csv', Buffer.from(`\ufeff${table}`, 'utf16le'))), pairs);
    // As a text it is refused by its name, not as a picture would be.
    const error = await refusal(put('notes.txt', Buffer.from(text, 'utf16le')), 'text');
    assert.match(error.message, /is text in UTF-16/);
  });

  it('are tables with semicolons, tabs or bars', async () => {
    for (const separator of [',', ';', '\t', '|']) {
      const lines = [['prompt', 'completion'], ...pairs].map((cells) => cells.join(separator));
      assert.deepEqual(await read(put('a.csv', lines.join('\n'))), pairs, separator);
    }
  });

  it('may have the numbers that Python writes, and a comma behind each row', async () => {
    const odd = json.map((row) => `${row.slice(0, -1)}, "score": NaN, "least": -Infinity, "note": "NaN, {},"}`);
    assert.deepEqual(await read(put('nan.jsonl', odd.join('\n'))), pairs);
    assert.deepEqual(await read(put('comma.jsonl', json.join(',\n'))), pairs);
  });

  it('are named where rows are written in another way', async () => {
    const dict = await refusal(put('dict.jsonl', "{'prompt': 'a', 'completion': 'b'}\n"));
    assert.match(dict.message, /line 1 is not JSON: Python prints a dict so, and json\.dumps/);
    const pretty = pairs.map(([prompt, completion]) => JSON.stringify({ prompt, completion }, null, 2)).join('\n');
    assert.match((await refusal(put('pretty.jsonl', pretty))).message, /goes on in the next line/);
    assert.match(
      (await refusal(put('cut.jsonl', `${json[0]}\n${json[1]!.slice(0, -3)}`))).message,
      /line 2 .*Unterminated/,
    );
  });

  it('are named where they are something else', async () => {
    const others: [start: string, what: RegExp][] = [
      ['version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', /Git LFS pointer/],
      ['\n<!DOCTYPE html><html></html>', /web page/],
      ['PK\u0003\u0004rest', /archive or a spreadsheet/],
      ['ARROW1\0\0', /Arrow/],
      ['\u0080\u0004\u0095', /pickle/],
      ['SQLite format 3\0', /SQLite/],
      ['%PDF-1.7', /PDF/],
      ['\u00ff\u00ff\u00ff\u00ff\u0088\u0001', /Arrow/],
      ['\u0004"M\u0018dD', /packed in a way/],
      ['Obj\u0001\u0004', /Avro/],
      ['\u0093NUMPY', /NumPy/],
    ];
    for (const [start, what] of others) {
      const file = put('rows.jsonl', Buffer.from(start, 'latin1'));
      for (const kind of ['jsonl', 'text'] as const) {
        const error = await refusal(file, kind);
        assert.equal(error.id, 'data.otherFile');
        assert.match(error.message, what);
      }
    }
    assert.match((await refusal(put('rows.orc', 'ORC'))).message, /an ORC file/);
    assert.match((await refusal(put('rows.jsonl.br', Buffer.from([0x8b, 0x01])))).message, /packed in a way/);
    mkdirSync(join(folder, 'folder.jsonl'));
    assert.match((await refusal(join(folder, 'folder.jsonl'))).message, /is a folder/);
  });

  it('are told where links lead in a circle, a name is too long, and a file stands for a folder', async () => {
    symlinkSync('c2.jsonl', join(folder, 'c1.jsonl'));
    symlinkSync('c1.jsonl', join(folder, 'c2.jsonl'));
    for (const name of ['c1.jsonl', `${'a'.repeat(300)}.jsonl`]) {
      const error = await refusal(join(folder, name));
      assert.equal(error.id, 'data.missingFile');
      assert.match(error.message, /cannot be read/);
    }
    const root = put('rows.jsonl', json.join('\n'));
    assert.throws(() => listWorkspace(root, ['**/*']), { id: 'data.otherFile', message: /a file, where a folder/ });
  });
});
