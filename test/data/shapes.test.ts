import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { messagesFrom, plainTurns } from '../../server/data/conversation.ts';
import { inspectFile } from '../../server/data/inspect.ts';
import { placeOf, type Row } from '../../server/data/rows.ts';
import { columnMap, guess, mapText } from '../../server/data/shapes.ts';
import { readRows } from '../../server/data/sources.ts';
import { columnAt } from '../../server/schemas/columns.ts';
import { collect, useFolder } from './folder.ts';
import { assistant, publishedRows, user } from './published-rows.ts';

describe('published shapes', () => {
  const folder = useFolder();
  const read = async (row: object, columns?: Record<string, string>): Promise<Row> => {
    const file = folder.write('rows.jsonl', `${JSON.stringify(row)}\n`);
    const [first] = await collect(readRows({ kind: 'jsonl', file, ...(columns && { columns }) }));
    return first;
  };
  /** What a row asks, what is to be said, and what is right, without the columns that have no role. */
  const parts = async (row: object, columns?: Record<string, string>) => {
    const { columns: _, ...rest } = await read(row, columns);
    return rest;
  };
  for (const [name, [row, expected]] of Object.entries(publishedRows))
    it(`are read without a mapping: ${name}`, async () => assert.deepEqual(await parts(row), expected));

  it('as lists that end with what would be right (Open-Reasoner-Zero)', async () => {
    const row = [
      { from: 'human', value: '2+2?' },
      { from: 'assistant', ground_truth: { value: '4' } },
    ];
    const rows = await collect(readRows({ kind: 'jsonl', file: folder.write('orz.json', JSON.stringify([row, row])) }));
    const { columns: _, ...rest } = rows[1];
    assert.deepEqual(rest, { kind: 'chat', messages: [user('2+2?')], answer: '4' });
  });

  it('of which the first is answered by truth, and others by words', async () => {
    const file = folder.write('rows.jsonl', '{"question":"a?","answer":true}\n{"question":"b?","answer":"Bonn"}\n');
    const rows = await collect(readRows({ kind: 'jsonl', file }));
    assert.deepEqual(
      rows.map((row) => row.kind === 'prompt' && [row.response, row.answer]),
      [
        ['yes', ['yes', 'Yes', 'true', 'True']],
        ['Bonn', 'Bonn'],
      ],
    );
  });

  it('that are pieces of rows say what they are and the way on, which is right', async () => {
    const message = { message_id: 'm', parent_id: null, text: 'hi', role: 'prompter', message_tree_id: 't' };
    const paragraphs = [{ context: 'c', qas: [{ question: 'q', answers: [{ text: 'a' }] }] }];
    for (const [row, what] of [
      [message, /line 1 is a single message of a tree/],
      [{ title: 't', paragraphs }, /line 1 is a list of paragraphs/],
    ] as const) {
      await assert.rejects(read(row), { id: 'data.notARow', message: what });
      await assert.rejects(inspectFile(join(folder.path, 'rows.jsonl')), { id: 'data.notARow' });
    }
    assert.deepEqual(await parts(message, { text: 'text' }), { kind: 'text', text: 'hi' });
  });

  it('are read by a mapping, also of columns inside of others', async () => {
    const row = { q: [user('What?')], reward_model: { ground_truth: 4 }, 'a.b': 'x' };
    assert.deepEqual(await parts(row, { prompt: 'q', answer: 'reward_model.ground_truth' }), {
      kind: 'prompt',
      prompt: 'What?',
      answer: '4',
    });
    assert.deepEqual(await parts(row, { prompt: 'a.b' }), { kind: 'prompt', prompt: 'x' });
    assert.deepEqual(await parts({ turns: ['a', 'b'] }, { messages: 'turns' }), {
      kind: 'chat',
      messages: [user('a'), assistant('b')],
    });
  });

  it('keep columns that have no role, and those that hold one', async () => {
    const { columns } = await read({ prompt: 'p', reward_model: { ground_truth: '1', style: 'rule' }, target: 3 });
    assert.deepEqual(columns, { reward_model: { ground_truth: '1', style: 'rule' }, target: 3 });
  });

  it('are recognised by the first row, and rows may lack what is not needed', async () => {
    const file = folder.write(
      'rows.jsonl',
      '{"prompt":"a"}\n{"prompt":"b","completion":"c"}\n{"prompt":"d","answer":null}',
    );
    const rows = await collect(readRows({ kind: 'jsonl', file }));
    assert.deepEqual(
      rows.map((row) => row.kind === 'prompt' && [row.prompt, row.response]),
      [
        ['a', undefined],
        ['b', 'c'],
        ['d', undefined],
      ],
    );
    assert.match(placeOf(rows[2]) ?? '', /rows\.jsonl, line 3$/);
  });

  it('that are made of several columns say which, where a later row lacks them, and keep them', async () => {
    const whole = { info: { post: 'p' }, summary: { text: 's' }, batch: 'b' };
    const file = folder.write('rows.jsonl', `${JSON.stringify(whole)}\n${JSON.stringify({ batch: 'c' })}\n`);
    await assert.rejects(collect(readRows({ kind: 'jsonl', file })), {
      id: 'data.missingColumn',
      message: /line 2 has no column "info or summaries or summary"; it has batch\.$/,
    });
    assert.deepEqual((await read(whole)).columns, whole);
  });

  it('that nobody knows are refused with the columns there are and the mapping to write', async () => {
    const failure = await read({ frage: 'q', antwort: 'a', nr: 1 }).then(
      () => assert.fail('was read'),
      (error: { id: string; message: string; remedy: string }) => error,
    );
    assert.equal(failure.id, 'data.unknownColumns');
    assert.match(failure.message, /it has frage, antwort, nr\.$/);
    const written = /\{ jsonl.*\} \}/.exec(failure.remedy)?.[0] ?? '';
    assert.deepEqual(parse(written), { jsonl: 'rows.jsonl', columns: { prompt: 'frage', response: 'antwort' } });
    const { columns } = parse(written) as { columns: Record<string, string> };
    assert.deepEqual(await parts({ frage: 'q', antwort: 'a', nr: 1 }, columns), {
      kind: 'prompt',
      prompt: 'q',
      response: 'a',
    });
  });

  it('with pictures in them say so', async () => {
    const content = [{ type: 'image_url', image_url: { url: 'x' } }];
    await assert.rejects(read({ messages: [{ role: 'user', content }] }), { id: 'data.wrongType' });
  });

  it('too deep to be a row are refused', async () => {
    const file = folder.write(
      'rows.jsonl',
      `{"text":"a"}\n{"text":"b","x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`,
    );
    await assert.rejects(collect(readRows({ kind: 'jsonl', file })), { id: 'data.tooDeep', message: /line 2 / });
  });

  it('never make messages out of what holds none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const messages = messagesFrom(value);
        if (messages === undefined) return;
        assert.ok(messages.length > 0);
        for (const { role, content } of messages) assert.ok(role !== '' && typeof content === 'string');
      }),
    );
  });

  it('find by name what columnAt finds, and guess a mapping that YAML reads back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.dictionary(fc.string(), fc.string()))), (row) => {
        const map = guess(row);
        assert.deepEqual(columnMap.parse(parse(mapText(map)) ?? {}), map);
        for (const name of Object.keys(row)) assert.equal(columnAt(row, name), row[name]);
      }),
    );
  });
});

describe('conversations without a template', () => {
  it('end with an answer that may be learned', () => {
    const [asked, said] = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ];
    const read = { role: 'assistant', content: 'b', learned: false } as const;
    assert.deepEqual(plainTurns([asked, said, asked, read]), { prompt: 'q', response: 'a' });
    assert.deepEqual(plainTurns([asked, read]), { prompt: 'q', response: undefined });
  });

  it('are one question as it stands, or turns with names', () => {
    const turn = (role: string, content: string) => ({ role, content });
    assert.deepEqual(plainTurns([turn('user', 'q'), turn('assistant', 'a')]), { prompt: 'q', response: 'a' });
    assert.deepEqual(plainTurns([turn('user', 'q')]), { prompt: 'q', response: undefined });
    assert.deepEqual(
      plainTurns([
        turn('system', 's'),
        turn('user', 'q'),
        turn('assistant', 'a'),
        turn('user', 'r'),
        turn('assistant', 'b'),
      ]),
      { prompt: 'System: s\n\nUser: q\n\nAssistant: a\n\nUser: r\n\nAssistant:', response: ' b' },
    );
  });
});
