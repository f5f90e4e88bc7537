/** Rows that stand in a file in another way than one a line: columns beside each other, under names, wrapped, in odd tables. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRows } from '../../server/data/sources.ts';

const rows = [
  { question: 'Größe von 1 + 1?', answer: 'two' },
  { question: 'And\r\n2 + 2?', answer: 'four' },
];
const said = rows.map(({ question, answer }) => [question, answer]);
const question = rows.map((row) => row.question);
const answer = rows.map((row) => row.answer);

describe('rows in a wrapping', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cola-wrapped-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const read = async (name: string, content: unknown) => {
    const file = join(folder, name);
    writeFileSync(file, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
    const found = [];
    for await (const row of readRows({ kind: 'jsonl', file })) found.push(row);
    return found;
  };
  const asked = async (name: string, content: unknown) =>
    (await read(name, content)).map((row) => (row.kind === 'prompt' ? [row.prompt, row.response] : row.kind));

  const wrappings: Record<string, unknown> = {
    'columns beside each other': { question, answer },
    'rows under their names': { first: rows[0], second: rows[1] },
    'rows by number, as pandas writes an index': { 0: rows[0], 1: rows[1] },
    'columns by number, as pandas writes them': { question: { 0: question[0], 1: question[1] }, answer: { ...answer } },
    'columns and data apart, as pandas splits them': { columns: ['question', 'answer'], index: [0, 1], data: said },
    'a list under another key': { version: 1, results: rows },
    'a list inside of objects': { response: { status: 'ok', data: rows } },
    'rows of a server of data sets': {
      features: [{ name: 'question' }],
      rows: rows.map((row, i) => ({ row_idx: i, row, truncated_cells: [] })),
    },
  };
  for (const [name, value] of Object.entries(wrappings)) {
    it(`are read as ${name}`, async () => {
      assert.deepEqual(await asked('rows.json', value), said);
      assert.deepEqual(await asked('rows.json', `\ufeff${JSON.stringify(value, null, 2)}\r\n`), said);
    });
  }

  it('are read of one object, and of lines that end as on old computers', async () => {
    assert.deepEqual(await asked('one.json', JSON.stringify(rows[0], null, 2)), [said[0]]);
    assert.deepEqual(await asked('old.jsonl', rows.map((row) => JSON.stringify(row)).join('\r')), said);
  });

  it('may be texts or conversations without a name', async () => {
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ];
    const chat = { kind: 'chat', messages, columns: {} };
    const line = JSON.stringify(messages);
    assert.deepEqual(await read('chats.jsonl', `${line}\n${line}\n`), [chat, chat]);
    assert.deepEqual(await read('chats.json', [messages, messages]), [chat, chat]);
    assert.deepEqual(await read('chats.json', { conversations: [messages, messages] }), [chat, chat]);
    assert.deepEqual(
      (await read('texts.json', ['one', 'two'])).map((row) => row.kind === 'text' && row.text),
      ['one', 'two'],
    );
  });

  it('that were cut by a server are refused, and messages without a text are named', async () => {
    const cut = { rows: [{ row_idx: 0, row: rows[0], truncated_cells: ['question'] }] };
    await assert.rejects(read('cut.json', cut), { id: 'data.unknownColumns' });
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: null },
    ];
    await assert.rejects(read('null.jsonl', { messages }), { message: /is a list whose message 2 has no text/ });
    await assert.rejects(read('pretty.json', `${JSON.stringify(rows[0], null, 1)}\n`.repeat(2)), {
      message: /several objects stand behind each other/,
    });
    await assert.rejects(read('glued.jsonl', JSON.stringify(rows[0]).repeat(2)), { message: /several objects/ });
  });

  it('are no more than the file has: columns with rows of their own, and columns without end, are refused', async () => {
    // As a table it would have 400 million cells.
    const numbers = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [i, 'q']));
    const columns = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`c${i}`, i === 0 ? numbers : {}]));
    await assert.rejects(read('square.json', columns), { id: 'data.noRows' });
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`c${i}`, ['q']]));
    await assert.rejects(read('wide.json', wide), { id: 'data.tooManyColumns' });
  });

  it('are read of tables as spreadsheets and pandas write them', async () => {
    const tables: Record<string, [string, string[][]]> = {
      'an index without a name': [',question,answer\n0,q,1\n', [['q', '1']]],
      'a last column without a name': ['question,answer,\nq,1,\n', [['q', '1']]],
      'a separator that Excel names': ['sep=;\r\nquestion;answer\r\na,b;1\r\n', [['a,b', '1']]],
      'names in quotes': ['"the, note";"question";"answer"\nn;q;1\n', [['q', '1']]],
      'quotes inside of cells': ['question,answer\n5" pipe?,2\n', [['5" pipe?', '2']]],
      'blanks behind separators': ['question, answer\n"q, r", "1"\n', [['q, r', '1']]],
      'the same name twice': ['question,answer,answer\nq,1,2\n', [['q', '1']]],
    };
    for (const [name, [text, expected]] of Object.entries(tables))
      assert.deepEqual(await asked('t.csv', text), expected, name);
    const latin = Buffer.from('question,answer\nq,1\nGröße,2\n', 'latin1');
    await assert.rejects(read('latin.csv', latin), { id: 'data.notUtf8', message: /line 3/ });
  });
});
