import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { demonstration, demonstrations } from '../../../server/data/generators/demonstrations.ts';
import { padRows } from '../../../server/data/packing.ts';
import type { ChatRow } from '../../../server/data/rows.ts';
import { tokenRow } from '../../../server/data/token-row.ts';
import { unlearned, unmasked } from '../../../server/data/unlearned.ts';
import { guessTheRule } from '../../../server/environments/guess-the-rule/guess-the-rule.ts';
import { drawHouse, layoutOf } from '../../../server/environments/household/house.ts';
import { household, householdOptions } from '../../../server/environments/household/household.ts';
import { startText } from '../../../server/environments/tools.ts';
import { ChatTemplate } from '../../../server/model/chat/chat.ts';
import { Speech } from '../../../server/model/chat/speech.ts';
import { parseTokenizerConfig } from '../../../server/model/tokenizer/file.ts';
import { loadTokenizer } from '../../../server/model/tokenizer/tokenizer.ts';

const CHATML =
  "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}";
const templates = [undefined, new ChatTemplate(CHATML, parseTokenizerConfig({}), 'chat_template.jinja')];
const tokenizer = loadTokenizer(fileURLToPath(new URL('../../fixtures/hf/qwen3', import.meta.url)));
const small = household(householdOptions.parse({ rooms: 2, rules: false }));
const environments = [household(), small, guessTheRule()];
const seed = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const sides = ['seen', 'unseen'] as const;

describe('demonstrations', () => {
  it('are the same for the same seed, others for another, and earn all there is to earn', () => {
    fc.assert(
      fc.property(seed, fc.constantFrom(...environments), fc.constantFrom(...sides), (own, environment, side) => {
        const rows = demonstrations(environment, { seed: own, side, episodes: 5 });
        assert.deepEqual(rows, demonstrations(environment, { seed: own, side, episodes: 5 }));
        assert.deepEqual(rows.slice(0, 3), demonstrations(environment, { seed: own, side, episodes: 3 }));
        const next = demonstrations(environment, { seed: own + 1, side, episodes: 5 });
        assert.notDeepEqual(rows, next);
        for (const { columns } of rows) assert.equal(columns.reward, 1);
      }),
      { numRuns: 30 },
    );
  });

  it('never have a layout of those that are kept for measuring', () => {
    const layouts = (side: (typeof sides)[number]) =>
      demonstrations(small, { seed: 3, side, episodes: 300 }).map(({ columns }) =>
        layoutOf(drawHouse(columns.world as number, { side }, 2)),
      );
    const seen = new Set(layouts('seen'));
    const unseen = layouts('unseen');
    assert(new Set(unseen).size >= 5);
    for (const layout of unseen) assert(!seen.has(layout), layout);
  });

  for (const template of templates)
    it(`are the tokens of an episode that an agent wrote, and learn what it wrote alone, ${template === undefined ? 'without' : 'with'} a template`, () => {
      const speech = new Speech(tokenizer, template);
      fc.assert(
        fc.property(seed, fc.constantFrom(...environments), fc.constantFrom(...sides), (world, environment, side) => {
          const { prompt, response, mask } = tokenRow(demonstration(environment, world, side), tokenizer, template, 0);
          const game = environment.game();
          assert.deepEqual(Array.from(prompt), [
            ...speech.start(startText(environment, game.reset(world, { side }))).ids,
          ]);
          const learned = (i: number) => mask === undefined || mask[i] === 1;
          let at = 0;
          let reward = 0;
          for (;;) {
            const from = at;
            while (at < response.length && learned(at)) at++;
            const written = Array.from(response).slice(from, at);
            assert(written.length > 1);
            // What is learned, played again, is what happened.
            const said = tokenizer.decode(written, { skipSpecialTokens: true }).trim();
            const result = game.step(said);
            reward += result.reward;
            if (result.done) break;
            const told = speech.reply(result.observation, written[written.length - 1], true);
            for (const id of Array.from(told)) {
              assert(!learned(at));
              assert.equal(response[at++], id);
            }
          }
          assert.deepEqual([at, reward], [response.length, 1]);
        }),
        { numRuns: 25 },
      );
    });

  it('keep their mask in padded rows, also where they are cut', () => {
    const ids = fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.constantFrom(0, 1)), {
      minLength: 1,
      maxLength: 9,
    });
    fc.assert(
      fc.property(fc.array(ids, { minLength: 1, maxLength: 4 }), fc.integer({ min: 3, max: 11 }), (rows, maxLength) => {
        const own = rows.map((row) => ({
          prompt: [7],
          response: row.map(([id]) => id),
          mask: row.map(([, bit]) => bit),
        }));
        const { responseMask, shape } = padRows(own, { padId: 0, multiple: 2, maxLength });
        for (const [b, { mask }] of own.entries()) {
          const expected = Array.from({ length: shape[1] }, (_, i) => mask[i - 1] ?? 0);
          assert.deepEqual([...responseMask.subarray(b * shape[1], (b + 1) * shape[1])], expected);
        }
      }),
    );
  });

  it('are marked in a stream of tokens, and read from it again', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200_000), fc.boolean())), (tokens) => {
        const { ids, mask } = unmasked(Int32Array.from(tokens, ([id, own]) => (own ? id : unlearned(id))));
        assert.deepEqual(
          [...ids],
          tokens.map(([id]) => id),
        );
        assert.deepEqual(
          [...mask],
          tokens.map(([, own]) => Number(own)),
        );
      }),
    );
  });
});

describe('a conversation of several turns, with a template', () => {
  it('is learned at its answers, and nowhere else', () => {
    const row: ChatRow = {
      kind: 'chat',
      messages: [
        { role: 'user', content: 'One?' },
        { role: 'assistant', content: 'First answer.' },
        { role: 'user', content: 'Two?' },
        { role: 'assistant', content: 'Second answer.' },
      ],
      columns: {},
    };
    const { response, mask = [] } = tokenRow(row, tokenizer, templates[1], 0);
    const text = (bit: number) => tokenizer.decode(Array.from(response).filter((_, i) => mask[i] === bit));
    assert.equal(text(1), 'First answer.<|im_end|>\nSecond answer.<|im_end|>\n');
    assert.equal(text(0), '<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n');
  });
});
