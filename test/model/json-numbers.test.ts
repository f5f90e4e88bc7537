/** Numbers of JSON in chat templates and rows, as Python has them: `2.0` is no `2`. Right values are those of Python 3's json. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { readRows } from '../../server/data/sources.ts';
import { JsonNumber, jsonText, parseJson } from '../../server/jinja/json-text.ts';
import { ChatTemplate } from '../../server/model/chat/chat.ts';
import { CallReader } from '../../server/model/chat/tool-calls.ts';
import { conversationOf } from '../../server/serve/tool-requests.ts';

const written =
  '{"a": 2.0, "b": 1e3, "c": 12345678901234567890, "d": 2, "e": -0.0, "f": [1E2, 0.5], "g": "2.0", "h": -0, "i": 1e22}';
const python =
  '{"a": 2.0, "b": 1000.0, "c": 12345678901234567890, "d": 2, "e": -0.0, "f": [100.0, 0.5], "g": "2.0", "h": 0, "i": 1e+22}';
const template = (source: string) => new ChatTemplate(source, { added_tokens_decoder: {} }, 'chat_template.jinja');
const printed = '{% for c in messages[0].tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}';

describe('numbers of JSON', () => {
  it('stay what they are in the arguments of a call, for tojson and for printing', () => {
    const call = { id: 'c', type: 'function' as const, function: { name: 'f', arguments: written } };
    const messages = conversationOf([{ role: 'assistant', content: null, tool_calls: [call] }]);
    assert.equal(template(printed).render(messages), python);
    const plain =
      '{% set a = messages[0].tool_calls[0].function.arguments %}{{ a.a }} {{ a.d }} {{ a.f }} {{ a.a + a.d }}';
    assert.equal(template(plain).render(messages), '2.0 2 [100.0, 0.5] 4.0');
  });

  it('stay what they are in the schema of a tool', () => {
    const { parameters } = parseJson('{"parameters": {"scale": {"default": 1.0}}, "temperature": 1.0}', [
      'parameters',
    ]) as {
      parameters: Record<string, unknown>;
    };
    const tools = [{ name: 'f', parameters }];
    const shown = template('{{ tools[0].function.parameters | tojson }}').render([{ role: 'user', content: '<s>' }], {
      tools,
    });
    assert.equal(shown, '{"scale": {"default": 1.0}}');
  });

  it('are plain ones elsewhere', () => {
    assert.deepEqual(parseJson('{"temperature": 1.0, "a": {"tool_calls": [2.0]}}', ['tool_calls']), {
      temperature: 1,
      a: { tool_calls: [new JsonNumber('2.0')] },
    });
    // A text that looks like a mark of ours is a text.
    assert.deepEqual(parseJson('["\\u00002.0", 2.0]'), ['\u00002.0', 2]);
    assert.throws(() => parseJson('{"a": 2.0,}'), SyntaxError);
  });

  it('are those of JSON.parse, whatever is parsed', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.deepEqual(JSON.parse(JSON.stringify(parseJson(text))), JSON.parse(JSON.stringify(JSON.parse(text))));
        assert.deepEqual(JSON.parse(jsonText(parseJson(text))), JSON.parse(text));
      }),
    );
  });

  it('stay what they are in rows with calls, written as Python writes them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cola-numbers-'));
    const call = `{"function": {"name": "f", "arguments": {"x":2.0,"y":[1,2.50]}}}`;
    const row = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [${call}]}]}`;
    writeFileSync(join(folder, 'a.jsonl'), `${row}\n`);
    const rows = [];
    for await (const each of readRows({ kind: 'jsonl', file: join(folder, 'a.jsonl') })) rows.push(each);
    const [first] = rows;
    assert.ok(first !== undefined && 'messages' in first);
    const { messages } = first;
    assert.equal(
      messages[1].content,
      '<tool_call>\n{"name": "f", "arguments": {"x": 2.0, "y": [1, 2.5]}}\n</tool_call>',
    );
    rmSync(folder, { recursive: true });
  });

  it('stay what they are in what a model calls', () => {
    const reader = new CallReader('tagged', new Set(['f']));
    const said = [
      ...reader.push('<tool_call>\n{"name": "f", "arguments": {"x": 2.0, "n": 3}}\n</tool_call>'),
      ...reader.end(),
    ];
    assert.deepEqual(said, [{ call: { name: 'f', arguments: '{"x":2.0,"n":3}' } }]);
  });
});
