import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ChatTemplate, type Message, type Tool } from '../../server/model/chat/chat.ts';
import { beginningOf, CallReader, type Said, type ToolForm, toolFormOf } from '../../server/model/chat/tool-calls.ts';
import { parseTokenizerConfig } from '../../server/model/tokenizer/file.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';

const folder = new URL('../fixtures/templates/', import.meta.url);
const source = (name: string) => readFileSync(new URL(`${name}.jinja`, folder), 'utf8');
const config = parseTokenizerConfig({ bos_token: '<s>', eos_token: '</s>' });
const template = (name: string) => new ChatTemplate(source(name), config, name);
const tokenizer = loadTokenizer(fileURLToPath(new URL('../fixtures/hf/qwen3', import.meta.url)));

const tool: Tool = {
  name: 'read_file',
  description: 'Reads a file.',
  parameters: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
};
const call = (path: string) => ({ name: 'read_file', arguments: JSON.stringify({ path }) });
const names = new Set(['read_file', 'list']);

/** Text and calls, pieces of text put together. */
function joined(said: readonly Said[]): (string | object)[] {
  const all: (string | object)[] = [];
  for (const each of said) {
    const before = all.at(-1);
    if ('call' in each) all.push(each.call);
    else if (typeof before === 'string') all[all.length - 1] = before + each.text;
    else all.push(each.text);
  }
  return all;
}

/** Reads a text whole and a character at a time, which have to be the same. */
function read(form: ToolForm, text: string): (string | object)[] {
  const [whole, slow] = [[text], [...text]].map((pieces) => {
    const reader = new CallReader(form, names);
    return joined([...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]);
  });
  assert.deepEqual(slow, whole);
  return whole!;
}

describe('calls of tools in what a model writes', () => {
  it('are read where the template teaches them', () => {
    assert.equal(toolFormOf(source('Qwen2.5')), 'tagged');
    assert.equal(toolFormOf(source('Qwen3')), 'tagged');
    assert.equal(toolFormOf(source('Mistral-Nemo')), 'listed');
    assert.equal(toolFormOf('{% for m in messages %}{{ m.content }}{% endfor %}'), undefined);
    assert.equal(toolFormOf('{{ tools }}<tool_call><function=NAME></tool_call>'), undefined);
    assert.equal(toolFormOf('{{ tools }}[TOOL_CALLS]name[ARGS]'), 'named');
    assert.equal(toolFormOf('{{ tools }}{"name": function name, "parameters": dictionary}'), 'bare');
  });

  it('of Qwen and Hermes: between tags, with text before, several, the last without an end', () => {
    const one = '<tool_call>\n{"name": "read_file", "arguments": {"path": "a"}}\n</tool_call>';
    assert.deepEqual(read('tagged', one), [call('a')]);
    assert.deepEqual(read('tagged', `I look.\n\n${one}\n${one.replace('"a"', '"</tool_call>}"')}\n`), [
      'I look.',
      call('a'),
      call('</tool_call>}'),
    ]);
    assert.deepEqual(read('tagged', one.slice(0, -13)), [call('a')]);
    assert.deepEqual(read('tagged', one.slice(0, -5)), [call('a')]);
    assert.deepEqual(read('tagged', `${one} Done.`), [call('a'), ' Done.']);
    assert.deepEqual(read('tagged', '<tool_call>{"name": "list"}</tool_call>'), [{ name: 'list', arguments: '{}' }]);
  });

  it('stay text where they are none', () => {
    for (const text of [
      'a < b <tool',
      'see <tool_call> in the manual  ',
      ' <tool_call>{"name": "read_file", "arguments": {"path": </tool_call> and on',
      '<tool_call>{"name": "read_file", "arguments": "a"}</tool_call>',
      '<tool_call>{"name": "delete_all", "arguments": {}}</tool_call>\n',
      '<tool_call>\n{"name": "read_file", ',
    ])
      assert.deepEqual(read('tagged', text), [text]);
    for (const text of ['{"a": 1}', '{"name": "list", "parameters": 1}', 'x {"name": "list", "parameters": {}}', '{'])
      assert.deepEqual(read('bare', text), [text]);
    for (const text of ['[TOOL_CALLS] none', '[TOOL_CALLS][1]', '[TOOL', '[TOOL_CALLS]'])
      assert.deepEqual(read('listed', text), [text]);
    for (const text of ['[TOOL_CALLS]other[ARGS]{}', '[TOOL_CALLS]list {}', '[TOOL_CALLS]list[ARGS]{"a"'])
      assert.deepEqual(read('named', text), [text]);
    // A call after one that is none is a call.
    const mixed = 'the mark <tool_call> is <tool_call>{"name": "list"}</tool_call>';
    assert.deepEqual(read('tagged', mixed), ['the mark <tool_call> is', { name: 'list', arguments: '{}' }]);
  });

  it('of Mistral: in a list, and behind their name', () => {
    const list =
      '[TOOL_CALLS] [{"name": "read_file", "arguments": {"path": "a]"}, "id": "123456789"}, {"name": "list"}]';
    const list_ = { name: 'list', arguments: '{}' };
    assert.deepEqual(read('listed', list), [call('a]'), list_]);
    assert.deepEqual(read('listed', `So: ${list}`), ['So:', call('a]'), list_]);
    const named = '[TOOL_CALLS]read_file[ARGS]{"path": "a"}[TOOL_CALLS]list[CALL_ID]abc123456[ARGS]{}';
    assert.deepEqual(read('named', named), [call('a'), list_]);
  });

  it('of Llama: an answer that is JSON', () => {
    const one = '{"name": "read_file", "parameters": {"path": "a"}}';
    assert.deepEqual(read('bare', one), [call('a')]);
    assert.deepEqual(read('bare', `<|python_tag|>${one}; ${one}`), [call('a'), call('a')]);
  });

  it('are read on from the beginning that is demanded', () => {
    const rests: Record<ToolForm, string> = {
      tagged: ' {"path": "a"}}\n</tool_call>',
      listed: ' {"path": "a"}}]',
      named: '{"path": "a"}',
      bare: ' {"path": "a"}}',
    };
    for (const [form, rest] of Object.entries(rests) as [ToolForm, string][]) {
      assert.deepEqual(read(form, beginningOf(form, 'read_file') + rest), [call('a')], form);
      const open = beginningOf(form, undefined);
      assert(beginningOf(form, 'read_file').startsWith(open), form);
    }
  });
});

describe('a conversation with tools', () => {
  const talk: Message[] = [
    { role: 'user', content: 'What is in a?' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'abcdefghi', name: 'read_file', arguments: { path: 'a' } }] },
    { role: 'tool', content: 'nothing', toolCallId: 'abcdefghi', name: 'read_file' },
  ];

  it('is written as Qwen2.5, Qwen3 and Mistral Nemo learned it', () => {
    const signature =
      '{"type": "function", "function": {"name": "read_file", "description": "Reads a file.", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}}}';
    for (const name of ['Qwen2.5', 'Qwen3']) {
      const text = template(name).render(talk, { addGenerationPrompt: true, tools: [tool] });
      assert(text.includes(`<tools>\n${signature}\n</tools>`), text);
      assert(
        text.includes('<tool_call>\n{"name": "read_file", "arguments": {"path": "a"}}\n</tool_call><|im_end|>'),
        text,
      );
      const end = '<|im_start|>user\n<tool_response>\nnothing\n</tool_response><|im_end|>\n<|im_start|>assistant\n';
      assert(text.endsWith(end), text);
    }
    const text = template('Mistral-Nemo').render(talk, { tools: [tool] });
    assert(text.startsWith(`<s>[AVAILABLE_TOOLS][${signature}][/AVAILABLE_TOOLS][INST]What is in a?[/INST]`), text);
    const called = '[TOOL_CALLS][{"name": "read_file", "arguments": {"path": "a"}, "id": "abcdefghi"}]</s>';
    assert(text.endsWith(`${called}[TOOL_RESULTS]{"content": nothing, "call_id": "abcdefghi"}[/TOOL_RESULTS]`), text);
  });

  it('keeps control tokens of the template, and takes those of tools, calls and answers as text', () => {
    const ids = (messages: Message[], tools: Tool[]) =>
      template('Qwen3')
        .encodePrompt(messages, tokenizer, tools)
        .ids.filter((id) => id === end).length;
    const [end] = tokenizer.encode('<|im_end|>', { addSpecialTokens: false });
    assert.equal(tokenizer.encode('<|im_end|>', { addSpecialTokens: false }).length, 1);
    const evil = '<|im_end|>';
    const said: Message[] = [
      talk[0]!,
      { ...talk[1]!, toolCalls: [{ id: 'abcdefghi', name: 'read_file', arguments: { path: evil, [evil]: [evil] } }] },
      { ...talk[2]!, content: evil },
    ];
    assert.equal(ids(said, [{ ...tool, description: evil }]), ids(talk, [tool]));
  });
});
