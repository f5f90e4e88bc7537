import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ColaError } from '../../server/errors.ts';
import { ChatTemplate, type Message } from '../../server/model/chat/chat.ts';
import { parseTokenizerConfig } from '../../server/model/tokenizer/file.ts';

/** What transformers prints; `made_with` says which version. Null where it fails. */
const { conversations, rendered }: { conversations: Message[][]; rendered: [string, number, string | null][] } =
  JSON.parse(readFileSync(new URL('../fixtures/text/chat.json', import.meta.url), 'utf8'));
const config = parseTokenizerConfig({ bos_token: '<s>', eos_token: '</s>' });

describe('templates as transformers renders them', () => {
  for (const [source, conversation, expected] of rendered) {
    it(`${JSON.stringify(source)} (${conversation})`, () => {
      const render = () =>
        new ChatTemplate(source, config, 'f').render(conversations[conversation], {
          addGenerationPrompt: conversation > 0,
        });
      if (expected === null) {
        assert.throws(render, (e) => e instanceof ColaError && /^chat\.(refused|unreadable)$/.test(e.id));
      } else assert.equal(render(), expected);
    });
  }
});
