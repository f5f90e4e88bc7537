import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../../server/engine/engine.ts';
import type { Message } from '../../server/protocol/channel/channel.ts';
import type { ParamsOf, ProgressOf } from '../../server/protocol/channel/request.ts';
import { type ChatMessage, chat, chatAlternatives, countChat } from '../../server/protocol/chat.ts';
import { complete } from '../../server/protocol/completion.ts';
import { loadModel } from '../../server/protocol/model.ts';
import { resolveModel } from '../../server/spec/paths.ts';
import { writeChainModel } from '../support/chain-model.ts';
import { type EngineLine, engineLine } from '../support/engine-line.ts';

const nano = resolveModel('builtin:nano', '');
const question: ChatMessage = { role: 'user', content: 'Add 3 and 4.' };

describe('conversations with the engine', function () {
  this.timeout(120_000);
  let line: EngineLine;
  let folder: string;

  before(() => {
    line = engineLine();
    folder = mkdtempSync(join(tmpdir(), 'cola-chat-'));
  });
  after(async () => {
    await line.engine.close();
    rmSync(folder, { recursive: true });
  });

  const ask = async (params: Partial<ParamsOf<typeof chat>> & { onTold?: () => void }, signal?: AbortSignal) => {
    const told: ProgressOf<typeof chat>[] = [];
    const { onTold = () => {}, ...rest } = params;
    const asked = { folder: nano, device: 'cpu', messages: [question], maxTokens: 8, temperature: 0, ...rest };
    const answer = await line.channel.ask(chat, asked, {
      ...(signal === undefined ? {} : { signal }),
      progress: (each) => {
        told.push(each);
        onTold();
      },
    });
    const text = told.map((each) => each.text ?? '').join('');
    return { ...answer, told, text, calls: told.flatMap(({ call }) => call ?? []) };
  };

  it('are answered as they are written, by the actions that are asked for, beside completions of another model', async () => {
    const free = await ask({});
    assert(free.told.length > 1);
    const cut = await ask({ maxTokens: 2 });
    assert.deepEqual([cut.answer, cut.finish], [2, 'length']);
    assert(free.text.startsWith(cut.text));
    const pinned = new Set<string>();
    for (const action of [0, 7, 9, 20, 41]) pinned.add((await ask({ control: { mode: 'pinned', action } })).text);
    assert(pinned.size > 1, [...pinned].join());
    assert.equal((await ask({})).text, free.text);
    await line.channel.ask(loadModel, { folder: nano, device: 'cpu' });
    const [answer, completion] = await Promise.all([
      ask({ maxTokens: 40 }),
      line.channel.ask(complete, { prefix: 'const a = ', maxTokens: 4 }),
    ]);
    assert(answer.text.startsWith(free.text));
    assert(completion.alternatives.length > 0);
    // An answer has no more room than the context.
    assert((await ask({ maxTokens: 100_000, seed: 1, temperature: 1 })).answer > 0);
  });

  it('are answered in several ways by the model that completes, each with the actions behind it', async () => {
    await line.channel.ask(loadModel, { folder: nano, device: 'cpu' });
    const messages = [{ role: 'user' as const, content: 'Numbers: 03 09 12 Target: 24 Answer:' }];
    const { alternatives, record } = await line.channel.ask(chatAlternatives, { messages, maxTokens: 12 });
    assert(alternatives.length > 1);
    const firsts = alternatives.map(({ tokens }) => tokens[0]);
    assert.equal(new Set(firsts.map(({ id }) => id)).size, firsts.length);
    for (const { text, tokens } of alternatives) {
      assert.equal(tokens.map((token) => token.text).join(''), text);
      assert(tokens.length > 0 && tokens.length <= 12);
    }
    assert.equal(record?.version, 'original');
    // What is kept of the conversation is the end of what the model read: the question, and where the answer begins.
    assert.match(record?.before ?? '', /Target: 24/);
    const control = { mode: 'pinned' as const, action: 9 };
    const pinned = await line.channel.ask(chatAlternatives, { messages, maxTokens: 12, alternatives: 1, control });
    assert.equal(pinned.alternatives[0]?.tokens[0]?.action, 9);
    const long = [{ role: 'user' as const, content: 'again and '.repeat(2000) }];
    await assert.rejects(line.channel.ask(chatAlternatives, { messages: long }), /reads \d+ at most/);
  });

  it('are refused with tools and calls that are nested without end', async () => {
    let deep: unknown = [];
    for (let i = 0; i < 1000; i++) deep = [deep];
    const toolCalls = [{ id: 'a', name: 'a', arguments: deep }];
    for (const params of [
      { tools: [{ name: 'a', parameters: { deep } }] },
      { messages: [question, { role: 'assistant' as const, content: '', toolCalls }] },
    ])
      await assert.rejects(ask(params), { id: 'protocol.params', message: /nested at most 64 levels deep/ });
  });

  it('end when nobody waits for them any more', async () => {
    const gone = new AbortController();
    let pieces = 0;
    const onTold = () => {
      pieces++;
      gone.abort(new Error('gone'));
    };
    await assert.rejects(ask({ onTold }, gone.signal), /gone/);
    assert.equal(pieces, 1);
    assert((await ask({})).told.length > 1);
  });

  it('call tools of another model, and go on with what they answered', async () => {
    const at = join(folder, 'qwen');
    const template = readFileSync(new URL('../fixtures/templates/Qwen2.5.jinja', import.meta.url), 'utf8');
    const chains = [['\n', 'I look.', '<tool_call>{"name": "list", "arguments": {"in": "a"}}</tool_call>']];
    await writeChainModel(at, { template, chains });
    const tools = [{ name: 'list', description: 'Lists files.' }];
    const { text, calls, finish } = await ask({ folder: at, tools, maxTokens: 20 });
    assert.equal(text, 'I look.');
    assert.equal(finish, 'stop');
    assert.equal(calls.length, 1);
    assert.deepEqual({ ...calls[0], id: '' }, { id: '', name: 'list', arguments: '{"in":"a"}' });
    const messages: ChatMessage[] = [
      question,
      { role: 'assistant', content: '', toolCalls: [{ id: 'a call', name: 'list', arguments: { in: 'a' } }] },
      { role: 'tool', content: 'b', toolCallId: 'a call', name: 'list' },
    ];
    assert.equal((await ask({ folder: at, tools, messages, maxTokens: 20 })).text, 'I look.');
    await assert.rejects(ask({ tools }), /no calls of tools/);
    await assert.rejects(ask({ folder: at, control: { mode: 'pinned', action: 1 } }), /no policy/);
  });

  it('are counted in tokens, without the model', async () => {
    const { tokens } = await line.channel.ask(countChat, { folder: nano, text: 'export function add(' });
    assert(tokens > 2 && tokens < 20, `${tokens}`);
  });

  it('have the model in the box alone where the folder is not trusted', async () => {
    const answers: Message[] = [];
    let told = () => {};
    const engine = new Engine((message) => {
      answers.push(message);
      told();
    }, false);
    const answered = new Promise<void>((done) => {
      told = done;
    });
    const params = { folder: join(folder, 'qwen'), text: 'a' };
    engine.receive({ kind: 'request', id: 1, method: countChat.method, params });
    await answered;
    assert.match(JSON.stringify(answers), /engine\.untrusted/);
    await engine.close();
  });
});
