import assert from 'node:assert/strict';
import type { ColaError } from '../../server/errors.ts';
import { chat, type ListedModel } from '../../server/protocol/index.ts';
import { registrar } from '../../src/chat/api.ts';
import { canChat, messagesOf, roomOf, textOf, toolsOf } from '../../src/chat/messages.ts';

const text = (value: string) => ({ value });
const call = (callId: string, name: string, input: object) => ({ callId, name, input });
const result = (callId: string, ...content: object[]) => ({ callId, content });

describe('a conversation of VS Code', () => {
  it('becomes messages, with calls of tools and what they answered', () => {
    const messages = messagesOf([
      { role: 3, content: [text('Be brief.')] },
      { role: 1, content: [text('What is '), text('in a?')] },
      { role: 2, content: [text('I look.'), call('1', 'read', { path: 'a' }), call('2', 'list', {})] },
      { role: 1, content: [result('1', text('no'), text('thing')), result('2', text('a')), text('And now?')] },
      { role: 1, content: [result('3', text('late'))] },
      { role: 2, content: [text('Nothing.')] },
    ]);
    assert.deepEqual(messages, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is in a?' },
      {
        role: 'assistant',
        content: 'I look.',
        toolCalls: [
          { id: '1', name: 'read', arguments: { path: 'a' } },
          { id: '2', name: 'list', arguments: {} },
        ],
      },
      { role: 'tool', content: 'nothing', toolCallId: '1', name: 'read' },
      { role: 'tool', content: 'a', toolCallId: '2', name: 'list' },
      { role: 'user', content: 'And now?' },
      { role: 'tool', content: 'late', toolCallId: '3' },
      { role: 'assistant', content: 'Nothing.' },
    ]);
    assert(chat.params.safeParse({ folder: 'a', messages, maxTokens: 1 }).success);
  });

  it('has the text of files of text; pictures are refused, and what says nothing is left out', () => {
    const file = (mimeType: string) => ({ mimeType, data: new TextEncoder().encode('{"é": 1}') });
    assert.equal(textOf([text('a '), file('application/json'), ' b', file('cache_control'), null, 7]), 'a {"é": 1} b');
    assert.throws(
      () => messagesOf([{ role: 1, content: [file('image/png')] }]),
      (error: ColaError) => error.id === 'studio.noPictures',
    );
    assert.deepEqual(messagesOf([{ role: 1, content: [] }]), [{ role: 'user', content: '' }]);
  });

  it('has tools with the schema of what they take', () => {
    const schema = { type: 'object', properties: { path: { type: 'string' } } };
    assert.deepEqual(
      toolsOf([
        { name: 'read', description: 'Reads.', inputSchema: schema },
        { name: 'list', description: 'Lists.' },
      ]),
      [
        { name: 'read', description: 'Reads.', parameters: schema },
        { name: 'list', description: 'Lists.' },
      ],
    );
  });

  it('is held with models that have a template and fit, in the room that they have', () => {
    const model: ListedModel = { name: 'a', folder: 'a', latent: false, source: 'ollama', context: 512 };
    const talks: ListedModel = { ...model, chat: 'text', fits: 'yes' };
    assert(canChat(talks, 'auto'));
    const { chat: _, ...silent } = talks;
    assert(!canChat(silent, 'auto'));
    assert(!canChat({ ...talks, problem: 'broken' }, 'auto'));
    assert(!canChat({ ...talks, fits: 'no' }, 'int4'));
    assert(!canChat({ ...talks, fits: 'in 4 bits' }, 'auto'));
    assert(canChat({ ...talks, fits: 'in 4 bits' }, 'int4'));
    assert.deepEqual(roomOf(512), { input: 384, output: 128 });
    assert.deepEqual(roomOf(131_072), { input: 126_976, output: 4096 });
  });

  it('is offered where the editor takes models, and nowhere else', () => {
    assert.equal(registrar(undefined), undefined);
    assert.equal(registrar({ selectChatModels() {} }), undefined);
    const taken: unknown[] = [];
    const lm = {
      registerLanguageModelChatProvider(vendor: string) {
        assert.equal(this, lm);
        taken.push(vendor);
      },
    };
    registrar(lm)?.('cola', {} as never);
    assert.deepEqual(taken, ['cola']);
  });
});
