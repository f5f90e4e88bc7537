import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { ColaError } from '../../server/errors.ts';
import { ChatTemplate, loadChatTemplate } from '../../server/model/chat/chat.ts';
import { parseTokenizerConfig } from '../../server/model/tokenizer/file.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';

const CHATML =
  "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}";
const config = parseTokenizerConfig({ bos_token: '<s>', eos_token: { content: '</s>' } });
const template = (source: string) => new ChatTemplate(source, config, 'chat_template.jinja');
const tokenizer = loadTokenizer(fileURLToPath(new URL('../fixtures/hf/qwen3', import.meta.url)));
const talk = [
  { role: 'user', content: 'a' },
  { role: 'assistant', content: 'b' },
  { role: 'user', content: 'c' },
  { role: 'assistant', content: 'd' },
];

describe('chat template', () => {
  it('renders messages', () => {
    assert.equal(
      template(CHATML).render(talk.slice(0, 1), { addGenerationPrompt: true }),
      '<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n',
    );
    assert.equal(template('{{ bos_token }}{{ messages[0].content }}{{ eos_token }}').render(talk), '<s>a</s>');
    assert.equal(template('{{ mode }}').render([], { variables: { mode: 'x' } }), 'x');
  });

  it('marks the tokens of every answer, with what ends it', () => {
    const { ids, responseMask } = template(CHATML).encode(talk, tokenizer);
    assert.equal(tokenizer.decode(ids), template(CHATML).render(talk));
    assert.equal(tokenizer.decode(ids.filter((_, i) => responseMask[i] === 1)), 'b<|im_end|>\nd<|im_end|>\n');
  });

  it('marks only the last answer where earlier ones are rewritten', () => {
    const forgetful =
      "{% for m in messages %}{{ m.role + ':' + (m.content if loop.last or m.role == 'user' else '-') + ';' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    const { ids, responseMask } = template(forgetful).encode(talk, tokenizer);
    assert.equal(tokenizer.decode(ids), 'user:a;assistant:-;user:c;assistant:d;');
    assert.equal(tokenizer.decode(ids.filter((_, i) => responseMask[i] === 1)), 'd;');
  });

  it('says why a conversation cannot be used', () => {
    assert.throws(() => template(CHATML).encode(talk.slice(0, 1), tokenizer), { id: 'chat.noResponse' });
    const backwards = '{% for m in messages | reverse %}{{ m.content }}{% endfor %}';
    assert.throws(() => template(backwards).encode(talk, tokenizer), { id: 'chat.responseNotLast' });
    assert.throws(() => template("{{ raise_exception('no system message') }}").render(talk), {
      id: 'chat.refused',
      message: /no system message/,
    });
    assert.throws(() => template('{{ messages[0].content.nope() }}').render(talk), { id: 'chat.refused' });
    assert.throws(() => template('{% for m in %}'), { id: 'chat.unreadable' });
  });

  it('never fails with anything but an error of the catalogue', () => {
    const part = fc.constantFrom(
      '{{',
      '}}',
      '{%',
      '%}',
      ' messages',
      '[0]',
      '.content',
      ' for m in',
      ' endfor ',
      ' if',
      ' endif ',
      '|',
      '+',
      "'",
      'x',
      '(',
      ')',
      '~',
      '-',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
        try {
          assert.equal(typeof template(parts.join('')).render(talk), 'string');
        } catch (error) {
          if (!(error instanceof ColaError)) throw error;
        }
      }),
      { numRuns: process.env.COLA_SLOW ? 20_000 : 200 },
    );
  });

  describe('in a model folder', () => {
    let folder = '';
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'cola-chat-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));
    const save = (value: unknown) => writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(value));

    it('is one string', () => {
      save({ chat_template: 'one' });
      assert.equal(loadChatTemplate(folder).render([]), 'one');
      assert.throws(() => loadChatTemplate(folder, 'tool_use'), { id: 'chat.unknownTemplate' });
    });

    it('is one of several with names', () => {
      save({
        chat_template: [
          { name: 'default', template: 'one' },
          { name: 'tool_use', template: 'two' },
        ],
      });
      assert.equal(loadChatTemplate(folder).render([]), 'one');
      assert.equal(loadChatTemplate(folder, 'tool_use').render([]), 'two');
      assert.throws(() => loadChatTemplate(folder, 'rag'), { id: 'chat.unknownTemplate', message: /tool_use/ });
    });

    it('is a file of its own, which comes first', () => {
      save({ chat_template: 'one' });
      writeFileSync(join(folder, 'chat_template.jinja'), 'own');
      assert.equal(loadChatTemplate(folder).render([]), 'own');
    });

    it('may be missing', () => {
      assert.throws(() => loadChatTemplate(folder), { id: 'chat.noTemplate' });
      save({ chat_template: [] });
      assert.throws(() => loadChatTemplate(folder), { id: 'chat.noTemplate' });
    });
  });
});
