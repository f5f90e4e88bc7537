/** Tools in chat completions, asked for by OpenAI's own client, answered by models that write what they are made to write. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { Device } from '../../server/device/device.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { LocalServer } from '../../server/serve/server.ts';
import { Service } from '../../server/serve/service.ts';
import { type ChainOptions, writeChainModel } from '../support/chain-model.ts';

type Chat = OpenAI.ChatCompletionCreateParamsNonStreaming;
const template = (name: string) =>
  readFileSync(new URL(`../fixtures/templates/${name}.jinja`, import.meta.url), 'utf8');
const token = 'a-token-for-the-tests';

const tools: OpenAI.ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'read_file',
      description: 'Reads a file.',
      parameters: { type: 'object', properties: { path: { type: 'string' } } },
    },
  },
  { type: 'function', function: { name: 'list' } },
];
const question: OpenAI.ChatCompletionMessageParam = { role: 'user', content: 'What is in a?' };

describe('tools in chat completions', function () {
  this.timeout(60_000);
  let folder: string;
  let device: Device;
  const ends: (() => Promise<void>)[] = [];
  const failures: unknown[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cola-tools-'));
    device = await Device.open('cpu');
  });
  after(async () => {
    for (const end of ends) await end();
    await device.dispose();
    rmSync(folder, { recursive: true });
    assert.deepEqual(failures, []);
  });

  const serve = async (name: string, options: ChainOptions): Promise<(asked: Partial<Chat>) => Promise<Answered>> => {
    const at = join(folder, name);
    await writeChainModel(at, options);
    const service = new Service(device, await LanguageModel.load(at), { name, parallel: 2, waiting: 8 });
    const onFailure = (error: unknown) => failures.push(error);
    const server = await LocalServer.listen(service, { host: '127.0.0.1', port: 0, token, timeout: 60, onFailure });
    ends.push(async () => {
      await server.close();
      await service.close();
    });
    const client = new OpenAI({ baseURL: server.url, apiKey: token, maxRetries: 0 });
    return async (asked) => {
      const all: Chat = { model: name, messages: [question], tools, temperature: 0, max_tokens: 60, ...asked };
      const whole = (await client.chat.completions.create(all)).choices[0]!;
      // The client's own helper puts a stream together, piece by piece; it is what was answered at once.
      const streamed = (await client.chat.completions.stream({ ...all, stream: true }).finalChatCompletion())
        .choices[0]!;
      const answered = told(whole);
      assert.deepEqual(told(streamed), answered);
      return answered;
    };
  };

  const tagged = [
    '\n',
    'I look.',
    '\n<tool_call>\n{"name": "read_file", ',
    '"arguments": {"path": "a"}}',
    '\n</tool_call>',
  ];

  it('are called as Qwen2.5 writes it: text, several calls, and the end', async () => {
    const second = '<tool_call>{"name": "list", "arguments": {}}</tool_call>';
    const ask = await serve('qwen', { template: template('Qwen2.5'), chains: [[...tagged, second]] });
    const calls = ['read_file {"path":"a"}', 'list {}'];
    assert.deepEqual(await ask({}), { content: 'I look.', calls, finish: 'tool_calls' });
    assert.deepEqual(await ask({ parallel_tool_calls: false }), {
      content: 'I look.',
      calls: calls.slice(0, 1),
      finish: 'tool_calls',
    });
    // Without tools it is text.
    const text = `I look.${tagged.slice(2).join('')}${second}`;
    for (const without of [{ tools: [] }, { tool_choice: 'none' as const }])
      assert.deepEqual(await ask(without), { content: text, calls: [], finish: 'stop' });
    // So it is where nobody offered them.
    const other = await ask({ tools: [{ type: 'function', function: { name: 'other' } }] });
    assert.deepEqual(other, { content: text, calls: [], finish: 'stop' });
    // One that is cut off is none.
    assert.deepEqual(await ask({ max_tokens: 2 }), {
      content: 'I look.\n<tool_call>\n{"name": "read_file", ',
      calls: [],
      finish: 'length',
    });
  });

  it('are called because they have to be', async () => {
    const chains = [tagged, [':', ' {"path": "b"}}', '</tool_call>'], ['"', 'list"', ', "arguments": {}}']];
    const ask = await serve('demanded', { template: template('Qwen3'), chains });
    const named = { type: 'function', function: { name: 'read_file' } } as const;
    const called = { content: null, calls: ['read_file {"path":"b"}'], finish: 'tool_calls' };
    assert.deepEqual(await ask({ tool_choice: named }), called);
    assert.deepEqual(await ask({ tool_choice: 'required', tools: tools.slice(0, 1) }), called);
    assert.deepEqual(await ask({ tool_choice: 'required' }), { ...called, calls: ['list {}'] });
  });

  it('answer, and the conversation goes on', async () => {
    const ask = await serve('on', { template: template('Qwen3'), chains: [['\n', 'Nothing is in it.']] });
    const call = {
      id: 'call_of_another_server',
      type: 'function',
      function: { name: 'read_file', arguments: '{}' },
    } as const;
    const messages: Chat['messages'] = [
      question,
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: call.id, content: 'nothing' },
    ];
    assert.deepEqual(await ask({ messages }), { content: 'Nothing is in it.', calls: [], finish: 'stop' });
  });

  it('are called as Mistral writes it, in special tokens that are no text', async () => {
    const list = [']', '[TOOL_CALLS]', '[{"name": "list"}', ', {"name": "read_file", "arguments": {"path": "a"}}]'];
    const options = { template: template('Mistral-Nemo'), chains: [list], special: ['[TOOL_CALLS]'] };
    const ask = await serve('mistral', options);
    const called = { content: null, calls: ['list {}', 'read_file {"path":"a"}'], finish: 'tool_calls' };
    assert.deepEqual(await ask({}), called);
    // Its template refuses names of calls that are not nine letters and digits; those of others become such.
    const call = {
      id: 'call_of_another_server',
      type: 'function',
      function: { name: 'list', arguments: '{}' },
    } as const;
    const messages: Chat['messages'] = [
      question,
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: call.id, content: 'a' },
      { role: 'assistant', content: 'There is a.' },
      { role: 'user', content: 'And now?' },
    ];
    assert.deepEqual(await ask({ messages }), called);
  });

  it('are refused where the template has none, and where they are not right', async () => {
    const ask = await serve('none', { template: '{{ messages[0].content }}', chains: [['\n']] });
    const refused = (asked: Partial<Chat>, code: string) =>
      assert.rejects(ask(asked), (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.equal(`${error.status} ${error.code}`, code);
        return true;
      });
    await refused({}, '400 serve.noTools');
    await refused(
      { tools: [], messages: [question, { role: 'tool', tool_call_id: 'a', content: '' }] },
      '400 serve.noTools',
    );
    await refused({ tools: [tools[0]!, tools[0]!] }, '400 serve.badField');
    await refused({ tools: [{ type: 'function', function: { name: 'two words' } }] }, '400 serve.badField');
    await refused({ tools: [{ type: 'function', function: { name: 'a', strict: true } }] }, '400 serve.unsupported');
    await refused({ tool_choice: { type: 'function', function: { name: 'other' } } }, '400 serve.badField');
    await refused({ tools: [], tool_choice: 'required' }, '400 serve.badField');
    await refused({ tools: [], messages: [{ role: 'assistant' }] }, '400 serve.badField');
  });
});

interface Answered {
  content: string | null;
  calls: string[];
  finish: string;
}

function told({ message, finish_reason: finish }: OpenAI.ChatCompletion.Choice): Answered {
  const calls = (message.tool_calls ?? []).map((call) => {
    assert(call.type === 'function');
    assert.match(call.id, /^[a-z0-9]{9}$/);
    return `${call.function.name} ${call.function.arguments}`;
  });
  return { content: message.content, calls, finish };
}
