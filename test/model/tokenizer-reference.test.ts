import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ColaError } from '../../server/errors.ts';
import type { NormalizerSpec, PreTokenizerSpec, SplitBehavior } from '../../server/model/tokenizer/file.ts';
import { createNormalizer, createSplitter } from '../../server/model/tokenizer/split.ts';
import { tokenizerFrom } from '../../server/model/tokenizer/tokenizer.ts';

/** Values of the reference implementation; `made_with` says which version. */
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/text/${name}.json`, import.meta.url), 'utf8'));

interface Splits {
  texts: string[];
  /** One list of pieces for each text, or why the reference does not take the expression. */
  splits: { pattern: string; error?: string; isolated?: string[][] }[];
  behaviours: [pattern: string, behavior: string, invert: boolean, text: string, pieces: string[]][];
  strings: [from: string, text: string, pieces: string[], replaced: string][];
  replace: [pattern: string, content: string, text: string, normalised: string][];
}
const splits: Splits = read('splits');

const pieces = (spec: PreTokenizerSpec, text: string): string[] => {
  const found: string[] = [];
  createSplitter(spec, 'tokenizer.json').split(text, 1, (piece) => found.push(piece));
  return found;
};
const isolated = (Regex: string, text: string) =>
  pieces({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }, text);

/** Expressions that the reference takes and we do not: refused by name, never taken for others. */
const REFUSED = ['(?i)SS', '(?i)ß', '(?i)st', '(?i)[ß]', '\\X', '(?W:\\w+)', '(?D)\\d', '(?P:\\w+)', '\\yé'];

describe('split expressions', () => {
  for (const { pattern, error, isolated: expected } of splits.splits) {
    if (expected === undefined || REFUSED.includes(pattern)) {
      it(`refuses ${pattern}`, () => {
        assert.throws(
          () => isolated(pattern, 'a'),
          (e) =>
            e instanceof ColaError &&
            (e.id === 'tokenizer.unsupported' || (error !== undefined && e.id === 'tokenizer.broken')),
        );
      });
      continue;
    }
    it(`splits by ${pattern === '' ? 'nothing' : pattern} as the reference`, () => {
      assert.deepEqual(
        splits.texts.map((text) => isolated(pattern, text)),
        expected.map((list) => list.filter((piece) => piece !== '')),
      );
    });
  }

  it('takes what is between the matches, or not, as the reference', () => {
    assert.ok(splits.behaviours.length > 400);
    for (const [Regex, name, invert, text, expected] of splits.behaviours) {
      const behavior = name.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase()) as SplitBehavior;
      const found = pieces({ type: 'Split', pattern: { Regex }, behavior, invert }, text);
      assert.deepEqual(found, expected, `${Regex} ${name} ${invert} ${text}`);
    }
  });

  it('splits and replaces by plain strings, even the empty one', () => {
    for (const [from, text, expected, replaced] of splits.strings) {
      const pattern = { String: from };
      assert.deepEqual(pieces({ type: 'Split', pattern, behavior: 'Isolated', invert: false }, text), expected);
      assert.equal(createNormalizer({ type: 'Replace', pattern, content: '#' }, 'f')(text).text, replaced);
    }
  });

  it('replaces by expressions, empty matches too, and takes the content as it is', () => {
    for (const [Regex, content, text, normalised] of splits.replace) {
      assert.equal(createNormalizer({ type: 'Replace', pattern: { Regex }, content }, 'f')(text).text, normalised);
    }
  });
});

interface Stages {
  texts: string[];
  stages: [spec: PreTokenizerSpec, pieces: string[][]][];
  normalizers: [spec: NormalizerSpec, normalised: string[]][];
}

describe('stages of tokenizers', () => {
  const { texts, stages, normalizers }: Stages = read('stages');
  const nameOf = (spec: object) => JSON.stringify(spec).slice(0, 90);
  for (const [spec, expected] of stages) {
    it(`cut as the reference: ${nameOf(spec)}`, () => {
      assert.deepEqual(
        texts.map((text) => pieces(spec, text)),
        expected,
      );
    });
  }
  for (const [spec, expected] of normalizers) {
    it(`normalise as the reference: ${nameOf(spec)}`, () => {
      assert.deepEqual(
        texts.map((text) => createNormalizer(spec, 'f')(text).text),
        expected,
      );
    });
  }

  it('behind ByteLevel see its alphabet, and the tokens are those of its characters', () => {
    const file = structuredClone(read('tokenizers').cases['zero-width split'].tokenizer);
    [file.pre_tokenizer] = stages.flatMap(([spec]) => (JSON.stringify(spec).includes('[0-9][0-9]') ? [spec] : []));
    // Values of the reference: `²` is the bytes c2 b2, of which the second is a digit in the alphabet.
    assert.deepEqual([...tokenizerFrom(file, {}).encode('b² 1234')], [98, 194, 178, 32, 379, 52]);
  });
});

interface Case {
  tokenizer: unknown;
  encoded: [text: string, ids: number[], decoded: string][];
  decoded: [ids: number[], text: string][];
}

describe('whole tokenizers', () => {
  for (const [name, { tokenizer, encoded, decoded }] of Object.entries<Case>(read('tokenizers').cases)) {
    it(`agree with the reference: ${name}`, () => {
      const ours = tokenizerFrom(tokenizer, {});
      for (const [text, ids, back] of encoded) {
        assert.deepEqual([...ours.encode(text, { addSpecialTokens: false })], ids, JSON.stringify(text));
        assert.equal(ours.decode(ids), back);
      }
      for (const [ids, text] of decoded) assert.equal(ours.decode(ids), text);
    });
  }
});

describe('expressions that take forever', () => {
  const tokenizer = read('tokenizers').cases['zero-width split'].tokenizer;
  /** Each takes the whole limit: one in the short form. */
  const hostile = ['(\\w+\\s?)+#', ...(process.env.COLA_SLOW === '1' ? ['(a|a)*b', '(.*a){12}c'] : [])];
  const text = `${'a'.repeat(40)}!`;
  const takesLong = (file: unknown) => {
    const started = process.cpuUsage();
    assert.throws(() => tokenizerFrom(file, {}).encode(text), { id: 'tokenizer.refused' });
    const { user, system } = process.cpuUsage(started);
    return (user + system) / 1000;
  };

  it('are stopped in a split', () => {
    for (const Regex of hostile) {
      const file = structuredClone(tokenizer);
      file.pre_tokenizer.pretokenizers[0].pattern = { Regex };
      assert.ok(takesLong(file) < 20_000, Regex);
    }
  }).timeout(300_000);

  it('are stopped in a normaliser', () => {
    const normalizer = { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: '' };
    assert.ok(takesLong({ ...tokenizer, normalizer }) < 20_000);
  }).timeout(300_000);

  it('are stopped in a decoder', () => {
    const file = structuredClone(read('tokenizers').cases['a decoder with an expression'].tokenizer);
    file.decoder.decoders[0].pattern = { Regex: '(a+)+$' };
    file.added_tokens.push({ id: 400, content: text });
    const ours = tokenizerFrom(file, {});
    const id = ours.idOf(text) ?? -1;
    assert.equal(ours.decode([260]), '_');
    assert.throws(() => ours.decode([id]), { id: 'tokenizer.refused' });
  }).timeout(300_000);

  it('leave the others alone', () => {
    const file = structuredClone(tokenizer);
    file.pre_tokenizer.pretokenizers[0].pattern = { Regex: '(a+)+$' };
    assert.deepEqual([...tokenizerFrom(file, {}).encode('ab')], [97, 98]);
  });
});
