import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { learnBpe } from '../../scripts/tokenizer/bpe.ts';
import {
  ADDED_TOKENS,
  byteAlphabet,
  CHAT_TEMPLATE,
  SPLIT,
  tokenizerConfig,
  VOCABULARY,
} from '../../scripts/tokenizer/format.ts';
import { Template } from '../../server/jinja/template.ts';

const assets = new URL('../../assets/nano/', import.meta.url);
const read = async (name: string) => JSON.parse(await readFile(new URL(name, assets), 'utf8'));

/** Learns merges the slow way: every pair is counted anew before each merge. */
function learnSlowly(words: ReadonlyMap<string, number>, size: number, longest: number): [number, number][] {
  const spelled = [...words].map(([word, count]) => ({ ids: [...new TextEncoder().encode(word)], count }));
  const lengths = Array.from({ length: 256 }, () => 1);
  const merges: [number, number][] = [];
  while (lengths.length < size) {
    const counts = new Map<number, number>();
    for (const { ids, count } of spelled) {
      for (let i = 0; i + 1 < ids.length; i += 1) {
        const pair = ids[i] * 65536 + ids[i + 1];
        if (lengths[ids[i]] + lengths[ids[i + 1]] <= longest) counts.set(pair, (counts.get(pair) ?? 0) + count);
      }
    }
    const best = [...counts].filter(([, n]) => n >= 2).sort(([a, n], [b, m]) => m - n || a - b)[0];
    if (best === undefined) break;
    const [left, right] = [Math.floor(best[0] / 65536), best[0] % 65536];
    merges.push([left, right]);
    lengths.push(lengths[left] + lengths[right]);
    for (const word of spelled) {
      const next: number[] = [];
      for (let i = 0; i < word.ids.length; i += 1) {
        const pair = word.ids[i] === left && word.ids[i + 1] === right;
        next.push(pair ? lengths.length - 1 : word.ids[i]);
        if (pair) i += 1;
      }
      word.ids = next;
    }
  }
  return merges;
}

describe('byte-pair training', () => {
  it('learns the same merges as recounting everything, whatever the order of the words', () => {
    const counted = fc.array(
      fc.tuple(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é'), maxLength: 9 }), fc.integer({ min: 1, max: 9 })),
      {
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(counted, (pairs) => {
        const options = { size: 280, longest: 6, leastCount: 2 };
        const words = new Map(pairs);
        const { merges, tokens } = learnBpe(words, options);
        assert.deepEqual(merges, learnSlowly(words, options.size, options.longest));
        assert.deepEqual(learnBpe(new Map([...words].reverse()), options).merges, merges);
        assert.ok(tokens.every(({ length }) => length <= options.longest));
      }),
      { numRuns: process.env.COLA_SLOW ? 2000 : 200 },
    );
  });
});

describe('the tokenizer of nano', () => {
  let tokenizer: Tokenizer;
  before(async () => {
    tokenizer = new Tokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'));
  });
  const ids = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;
  const pieces = (text: string): string[] =>
    ids(text).map((id) => tokenizer.decode([id], { skip_special_tokens: false }));

  it('has 4096 entries: the added tokens first, then the 256 bytes, then merges', async () => {
    const { model, added_tokens } = await read('tokenizer.json');
    const names: string[] = [];
    for (const [name, id] of Object.entries<number>(model.vocab)) names[id] = name;
    assert.equal(names.length, VOCABULARY);
    assert.equal(new Set(names).size, VOCABULARY);
    assert.deepEqual(names.slice(ADDED_TOKENS.length, ADDED_TOKENS.length + 256), byteAlphabet());
    assert.deepEqual(
      added_tokens.map(({ id, content, special }: { id: number; content: string; special: boolean }) => [
        id,
        content,
        special,
      ]),
      ADDED_TOKENS.map(({ content, special }, id) => [id, content, special]),
    );
    assert.deepEqual(await read('tokenizer_config.json'), tokenizerConfig());
  });

  it('gives any text back', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }),
      fc.string({
        unit: fc.constantFrom(' ', '\t', '\n', '\r', 'a', 'B', '1', '_', '{', '}'),
        minLength: 1,
        maxLength: 60,
      }),
    );
    fc.assert(
      fc.property(text, (original) => {
        assert.equal(tokenizer.decode(ids(original), { skip_special_tokens: false }), original);
      }),
      { numRuns: process.env.COLA_SLOW ? 5000 : 500 },
    );
  });

  it('splits every text without loss and keeps digits single', () => {
    const split = new RegExp(SPLIT, 'gu');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.equal((text.match(split) ?? []).join(''), text);
      }),
      { numRuns: process.env.COLA_SLOW ? 5000 : 500 },
    );
    assert.deepEqual(pieces('12+345'), ['1', '2', '+', '3', '4', '5']);
  });

  it('has one token for a line end with its indentation', () => {
    for (const indent of ['', '  ', '    ', '      ', '        ', '\t', '\t\t'])
      assert.equal(ids(`\n${indent}`).length, 1);
    assert.deepEqual(pieces('{\n    return x;\n  }\n').slice(0, 3), ['{', '\n    ', 'return']);
  });

  it('reads each added token as one id and hides only the special ones in decoded text', () => {
    ADDED_TOKENS.forEach(({ content }, id) => {
      assert.deepEqual(ids(content), [id]);
    });
    const text = '<|user|>\nx<|end|><think>y</think><answer>1</answer>';
    assert.equal(tokenizer.decode(ids(text), { skip_special_tokens: true }), '\nx<think>y</think><answer>1</answer>');
  });

  it('renders conversations', () => {
    const render = (messages: { role: string; content: string }[], add_generation_prompt = false): string =>
      new Template(CHAT_TEMPLATE).render({ messages, add_generation_prompt });
    const turns = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ];
    assert.equal(render(turns), '<|user|>\nq<|end|>\n<|assistant|>\na<|end|>\n');
    assert.equal(
      render(
        [
          { role: 'system', content: 's' },
          { role: 'user', content: 'q' },
        ],
        true,
      ),
      '<|user|>\ns\n\nq<|end|>\n<|assistant|>\n',
    );
  });
});
