import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { ColaError } from '../../server/errors.ts';
import { loadTokenizer, tokenizerFrom } from '../../server/model/tokenizer/tokenizer.ts';

const folder = fileURLToPath(new URL('../fixtures/hf/llama-gqa/', import.meta.url));
const readJson = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const slow = process.env.COLA_SLOW !== undefined && process.env.COLA_SLOW !== '';

describe('broken tokenizer files', () => {
  const file = readJson('tokenizer.json');
  const config = readJson('tokenizer_config.json');
  const broken = (change: (f: typeof file) => void) => {
    const copy = structuredClone(file);
    change(copy);
    return () => tokenizerFrom(copy, config);
  };

  it('are refused with a reason', () => {
    assert.throws(
      broken((f) => f.model.merges.push(['th', 'QQ'])),
      { id: 'tokenizer.broken' },
    );
    assert.throws(
      broken((f) => delete f.model),
      { id: 'tokenizer.broken' },
    );
    assert.throws(
      broken((f) => (f.model.vocab.a = -1)),
      { id: 'tokenizer.broken' },
    );
    assert.throws(
      broken((f) => (f.pre_tokenizer.pretokenizers[0].pattern.Regex = '(')),
      { id: 'tokenizer.broken' },
    );
    assert.throws(
      broken((f) => (f.post_processor.processors[1].single = [])),
      { id: 'tokenizer.broken' },
    );
    assert.throws(() => tokenizerFrom(null, {}), { id: 'tokenizer.broken' });
    assert.throws(() => tokenizerFrom(file, { chat_template: 3 }), { id: 'tokenizer.broken' });
  });

  it('name what is not supported', () => {
    assert.throws(
      broken((f) => (f.model.type = 'Unigram')),
      { id: 'tokenizer.unsupported', message: /Unigram/ },
    );
    assert.throws(
      broken((f) => (f.decoder = { type: 'WordPiece', prefix: '##', cleanup: true })),
      { id: 'tokenizer.unsupported' },
    );
    assert.throws(
      broken((f) => (f.model.end_of_word_suffix = '</w>')),
      { id: 'tokenizer.unsupported', message: /end_of_word_suffix/ },
    );
    assert.throws(
      broken((f) => (f.pre_tokenizer = { type: 'Metaspace', add_prefix_space: false })),
      { id: 'tokenizer.broken', message: /prepend_scheme/ },
    );
    assert.throws(
      broken((f) => (f.decoder = null)),
      { id: 'tokenizer.unsupported' },
    );
    assert.throws(
      broken((f) => f.pre_tokenizer.pretokenizers.push({ type: 'ByteLevel' })),
      { id: 'tokenizer.unsupported', message: /twice/ },
    );
  });

  it('that cannot be read are named', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cola-tokenizer-'));
    try {
      assert.throws(() => loadTokenizer(folder), { id: 'tokenizer.missingFile' });
      writeFileSync(join(folder, 'tokenizer.json'), '{"model": ');
      assert.throws(() => loadTokenizer(folder), { id: 'tokenizer.broken' });
      writeFileSync(join(folder, 'tokenizer.json'), '['.repeat(100_000));
      assert.throws(() => loadTokenizer(folder), { id: 'tokenizer.broken' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('say so when a character has no token', () => {
    const small = broken((f) => {
      delete f.model.vocab['!'];
      f.model.merges = [];
    })();
    assert.throws(() => small.encode('a!'), { id: 'tokenizer.unencodable' });
  });

  it('may begin with the mark that editors of Windows write', () => {
    const marked = mkdtempSync(join(tmpdir(), 'cola-marked-'));
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      writeFileSync(join(marked, name), `\ufeff${readFileSync(join(folder, name), 'utf8')}`);
    const text = 'const x = 1;';
    assert.deepEqual(loadTokenizer(marked).encode(text), loadTokenizer(folder).encode(text));
    rmSync(marked, { recursive: true });
  });

  it('never cause any other error, however they are broken', function () {
    this.timeout(600_000);
    // A handful of merges keeps a case cheap; every key of the file is still there to be changed.
    const little = structuredClone(file);
    little.model.merges = little.model.merges.slice(0, 3);
    const junk = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(
        null,
        -1,
        0,
        1e9,
        '',
        '(',
        '[^',
        '\\p{Xx}',
        'Sequence',
        'Split',
        'ByteLevel',
        [],
        {},
        { type: 'Sequence' },
      ),
    );
    const mutate = (root: unknown, steps: readonly number[], how: number, value: unknown): unknown => {
      const copy = structuredClone(root);
      let node = copy as Record<string, unknown>;
      for (let i = 0; ; i++) {
        const keys = Object.keys(node);
        if (keys.length === 0) return copy;
        const key = keys[steps[i % steps.length] % keys.length];
        const child = node[key];
        if (typeof child !== 'object' || child === null || i === steps.length - 1) {
          if (how === 0) delete node[key];
          else if (how === 1) node[`${key}x`] = value;
          else node[key] = value;
          return copy;
        }
        node = child as Record<string, unknown>;
      }
    };
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 }),
        fc.nat(3),
        junk,
        fc.boolean(),
        fc.string({ unit: 'binary', maxLength: 40 }),
        (steps, how, value, inConfig, t) => {
          try {
            const tokenizer = tokenizerFrom(
              inConfig ? little : mutate(little, steps, how, value),
              inConfig ? mutate(config, steps, how, value) : config,
            );
            const ids = tokenizer.encode(t);
            assert.ok(ids.every((id) => id >= 0 && id < tokenizer.vocabSize));
            assert.equal(typeof tokenizer.decode(ids), 'string');
            accepted++;
          } catch (error) {
            if (!(error instanceof ColaError)) throw error;
            assert.ok(error.message.length > 0 && error.remedy.length > 0);
          }
        },
      ),
      { numRuns: slow ? 20_000 : 150 },
    );
    assert.ok(accepted > 0);
  });
});
