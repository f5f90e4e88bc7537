/** Stages of a tokenizer that meet: values of the reference (tokenizers 0.23.2), on a vocabulary of six tokens. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tokenizerFrom } from '../../server/model/tokenizer/tokenizer.ts';

const vocab: Record<string, number> = { '<unk>': 0, a: 1, b: 2, ' ': 3, '▁': 4, "'": 5 };
const fallback = { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] };
const made = (parts: { model?: object; added_tokens?: object[]; normalizer?: object; pre_tokenizer?: object }) =>
  tokenizerFrom(
    { decoder: fallback, ...parts, model: { type: 'BPE', vocab, merges: [], unk_token: '<unk>', ...parts.model } },
    {},
  );
const stages = (...pretokenizers: object[]) => ({ pre_tokenizer: { type: 'Sequence', pretokenizers } });
const ids = (tokenizer: ReturnType<typeof made>, ...texts: string[]) =>
  texts.map((text) => [...tokenizer.encode(text)]);

describe('stages of a tokenizer', () => {
  it('may be equal ones behind each other', () => {
    const white = { type: 'WhitespaceSplit' };
    const signs = { type: 'Punctuation', behavior: 'Isolated' };
    const tokenizer = made(stages(white, white, { type: 'BertPreTokenizer' }, signs, signs));
    assert.deepEqual(ids(tokenizer, "a'b''a  b"), [[1, 5, 2, 5, 5, 1, 2]]);
  });

  it('mark the first word only where nothing was removed in front of it', () => {
    const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true };
    const tokenizer = made(stages({ type: 'WhitespaceSplit' }, metaspace));
    assert.deepEqual(ids(tokenizer, 'a b', ' a b', 'b'), [
      [4, 1, 2],
      [1, 2],
      [4, 2],
    ]);
  });

  it('take letters of two units and joiners for parts of a word', () => {
    const tokenizer = made({ added_tokens: [{ id: 6, content: 'ab', single_word: true }] });
    assert.deepEqual(ids(tokenizer, 'ab', '𝒳ab', 'ab𝒳', '\u200dab', 'ab\u200d', '😀ab😀', 'ab b'), [
      [6],
      [0, 1, 2],
      [1, 2, 0],
      [0, 1, 2],
      [1, 2, 0],
      [0, 6, 0],
      [6, 3, 2],
    ]);
  });

  it('find a token that begins in the white space of the one before', () => {
    const tokenizer = made({
      added_tokens: [
        { id: 6, content: 'é', rstrip: true },
        { id: 7, content: ' b' },
        { id: 8, content: '  ', lstrip: true },
      ],
    });
    assert.deepEqual(ids(tokenizer, 'é ba', 'é  a', 'é bé b'), [
      [6, 7, 1],
      [6, 1],
      [6, 7, 6, 7],
    ]);
    // White space that many tokens could take is gone through once.
    const greedy = made({ added_tokens: [{ id: 6, content: '  ', rstrip: true }] });
    assert.equal(greedy.encode(' '.repeat(2_000_000)).length, 1_000_000);
  });

  it('decode a token as what it is found by', () => {
    const added_tokens = [
      { id: 6, content: "I'M", normalized: true },
      { id: 7, content: 'Q', normalized: false },
    ];
    const tokenizer = made({ normalizer: { type: 'Lowercase' }, added_tokens });
    assert.deepEqual(ids(tokenizer, "aI'mb"), [[1, 6, 2]]);
    assert.equal(tokenizer.decode([1, 6, 2, 7]), "ai'mbQ");
  });

  it('change the text in front of Metaspace, and added tokens are there twice, as in the reference', () => {
    const path = new URL('../fixtures/text/first-words.json', import.meta.url);
    const { vocab: tokens, merges, cases } = JSON.parse(readFileSync(path, 'utf8'));
    const model = { vocab: Object.fromEntries(tokens.map((token: string, at: number) => [token, at])), merges };
    assert.ok(cases.length > 80);
    for (const [normalizer, pre_tokenizer, added_tokens, encoded] of cases) {
      const tokenizer = made({ normalizer, pre_tokenizer, added_tokens, model });
      for (const [text, expected] of encoded)
        assert.deepEqual(
          ids(tokenizer, text),
          [expected],
          JSON.stringify({ normalizer, pre_tokenizer, added_tokens, text }),
        );
    }
  });

  it('make added tokens equal: a special one is found, else the first', () => {
    const normalizer = { type: 'Lowercase' };
    const found = (...added_tokens: object[]) => ids(made({ normalizer, added_tokens }), 'Q');
    const [lower, upper] = ['q', 'Q'].map((content, at) => ({ id: 6 + at, content, normalized: true }));
    assert.deepEqual(found(lower, upper), [[6]]);
    assert.deepEqual(found(lower, { ...upper, special: true }), [[7]]);
  });

  it('take a sigma at the end of a word for no other one', () => {
    assert.deepEqual(
      ids(made({ normalizer: { type: 'Lowercase' }, model: { vocab: { σ: 0, ς: 1, a: 2 }, unk_token: 'a' } }), 'AΣ'),
      [[2, 0]],
    );
  });

  it('fall back to bytes of letters that stand for bytes', () => {
    const bytes = Object.fromEntries(
      Array.from({ length: 256 }, (_, byte) => [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 10 + byte]),
    );
    const tokenizer = made({
      model: { vocab: { ...vocab, ...bytes }, byte_fallback: true },
      ...stages({ type: 'ByteLevel', add_prefix_space: false }),
    });
    assert.deepEqual(ids(tokenizer, 'a b', 'é'), [
      [1, 206, 170, 2],
      [205, 141, 204, 179],
    ]);
  });

  for (const [type, model] of Object.entries({
    Unigram: { vocab: [['<unk>', 0]], unk_id: 0 },
    WordPiece: { vocab: { '[UNK]': 0 }, unk_token: '[UNK]', continuing_subword_prefix: '##' },
    WordLevel: { vocab: { '[UNK]': 0 }, unk_token: '[UNK]' },
  })) {
    it(`refuse a model of the kind ${type} by its name`, () => {
      assert.throws(
        () => tokenizerFrom({ model: { type, ...model }, decoder: fallback }, {}),
        (error: { id?: string; message?: string }) =>
          error.id === 'tokenizer.unsupported' && error.message?.includes(type) === true,
      );
    });
  }
});
