import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ColaModel } from '../../../server/cola/model.ts';
import { asBytes } from '../../../server/files/safetensors.ts';
import { loadChatTemplate } from '../../../server/model/chat/chat.ts';
import { loadModelConfig } from '../../../server/model/config/config.ts';
import { locateModel } from '../../../server/model/folder.ts';
import { GgufFile } from '../../../server/model/gguf/file.ts';
import { LanguageModel } from '../../../server/model/language-model.ts';
import { WeightShelf } from '../../../server/model/weights/shelf.ts';
import { cola } from '../../cli/cola.ts';
import { scratchFolder } from '../../store/scratch.ts';
import { header, type Pair } from './make.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures');
const gguf = (name: string) => join(FIXTURES, 'gguf', name);

const TEXTS = ["I'll say it: 12345 naïve\n\n  tabs\tand <|im_end|>, e\u0301 日本", '', ' a', 'x'.repeat(50)];

describe('GGUF files', () => {
  const scratch = scratchFolder();

  it('have the numbers that the gguf package makes of every format', () => {
    const whole = new Float32Array(new Uint8Array(readFileSync(gguf('expected.bin'))).buffer);
    using file = GgufFile.open(gguf('blocks.gguf'));
    const { metadata } = file;
    assert.equal(metadata.header.tensors.length, 10);
    let at = 0;
    for (const { name } of metadata.header.tensors) {
      const values = file.readFloat32(name);
      assert.equal(file.info(name).dtype, name);
      const part = whole.subarray(at, at + values.length);
      assert.deepEqual(Buffer.from(asBytes(values)), Buffer.from(asBytes(part)), name);
      at += values.length;
    }
    assert.equal(at, whole.length);
  });

  for (const [file, folder] of [
    ['llama.gguf', 'hf/llama-tied-bf16'],
    ['qwen2.gguf', 'hf/qwen2'],
  ] as const) {
    it(`${file} is the model that ${folder} is`, async () => {
      const here = await LanguageModel.load(gguf(file));
      const there = await LanguageModel.load(join(FIXTURES, folder));
      const { eosTokenIds, initializerRange: _, bosTokenId: __, ...config } = here.config;
      for (const [key, value] of Object.entries(config)) {
        assert.deepEqual(value, there.config[key as keyof typeof config], key);
      }
      for (const id of there.config.eosTokenIds) assert.ok(eosTokenIds.includes(id));
      assert.deepEqual([...here.weights.keys()], [...there.weights.keys()]);
      for (const [name, values] of there.weights) assert.deepEqual(here.weights.get(name), values, name);
      assert.ok(here.tokenizer !== undefined && there.tokenizer !== undefined);
      for (const text of TEXTS) {
        const ids = there.tokenizer.encode(text);
        assert.deepEqual(here.tokenizer.encode(text), ids, text);
        assert.equal(here.tokenizer.decode(ids), there.tokenizer.decode(ids));
      }
      assert.equal(here.tokenizer.eosId, there.tokenizer.eosId);
      assert.deepEqual([...here.tokenizer.specialIds], [...there.tokenizer.specialIds]);
    });
  }

  it('are saved as a folder that is the same model', async () => {
    const from = await LanguageModel.load(gguf('llama.gguf'), { shelf: new WeightShelf() });
    await from.save(scratch('saved'));
    const saved = await LanguageModel.load(scratch('saved'));
    assert.deepEqual(saved.config, from.config);
    for (const [name, values] of from.weights) assert.deepEqual(saved.weights.get(name), values, name);
    assert.equal(saved.tokenizer?.fingerprint, from.tokenizer?.fingerprint);
  });

  it('share their weights on a shelf until the file is another one', async () => {
    const shelf = new WeightShelf();
    cpSync(gguf('llama.gguf'), scratch('m.gguf'));
    const [a, b] = [
      await LanguageModel.load(scratch('m.gguf'), { shelf }),
      await LanguageModel.load(scratch('m.gguf'), { shelf }),
    ];
    const name = 'model.norm.weight';
    assert.equal(a.weights.get(name), b.weights.get(name));
    cpSync(gguf('llama.gguf'), scratch('other.gguf'));
    renameSync(scratch('other.gguf'), scratch('m.gguf'));
    const c = await LanguageModel.load(scratch('m.gguf'), { shelf });
    assert.notEqual(a.weights.get(name), c.weights.get(name));
  });

  it('are found by their folder, by a folder of the Hugging Face cache, and under a name without an ending', async () => {
    const snapshot = scratch('models--o--n/snapshots/abc');
    for (const folder of [scratch('one'), snapshot]) {
      mkdirSync(folder, { recursive: true });
      cpSync(gguf('llama.gguf'), join(folder, 'm-Q8_0.gguf'));
      writeFileSync(join(folder, 'mmproj-m.gguf'), 'pictures');
    }
    cpSync(gguf('llama.gguf'), scratch('sha256-0123'));
    assert.equal(locateModel(scratch('one')), scratch('one/m-Q8_0.gguf'));
    assert.equal(locateModel(scratch('models--o--n')), join(snapshot, 'm-Q8_0.gguf'));
    assert.equal(locateModel(scratch('sha256-0123')), scratch('sha256-0123'));
    for (const path of ['one', 'models--o--n', 'sha256-0123'])
      assert.equal((await loadModelConfig(scratch(path))).hiddenSize, 48);
    assert.equal(ColaModel.exists(scratch('one')), false);
    await assert.rejects(ColaModel.load(scratch('one')), { id: 'cola.noCola' });
    assert.ok(!existsSync(scratch('one/config.json')));
  });

  it('are what a run begins with, and its model is a folder', async () => {
    cpSync(gguf('llama.gguf'), scratch('m.gguf'));
    writeFileSync(scratch('t.txt'), 'a line of some text that is long enough to be learned from\n'.repeat(60));
    const control = '{ data: { text: [t.txt] }, steps: 2, batch: 2, length: 32, codes: 8 }';
    writeFileSync(scratch('s.cola.yaml'), `model: m.gguf\ndevice: cpu\nstages:\n  - control: ${control}\n`);
    const trained = await cola(['train', 's.cola.yaml'], { cwd: scratch() });
    assert.equal(trained.code, 0, trained.stderr);
    const model = await ColaModel.load(scratch('.cola/runs/s/model'));
    const before = await LanguageModel.load(gguf('llama.gguf'));
    for (const [name, values] of before.weights) assert.deepEqual(model.base.weights.get(name), values, name);
    assert.equal(model.base.tokenizer?.fingerprint, before.tokenizer?.fingerprint);
  });

  describe('are refused by name', () => {
    const base: Pair[] = [
      ['general.architecture', 'llama'],
      ['llama.context_length', 128],
      ['llama.embedding_length', 64],
      ['llama.block_count', 1],
      ['llama.feed_forward_length', 64],
      ['llama.attention.head_count', 2],
      ['llama.attention.layer_norm_rms_epsilon', 1e-5],
      ['tokenizer.ggml.tokens', ['a', 'b']],
    ];
    const without = (...keys: string[]) => base.filter(([key]) => !keys.includes(key));
    const cases: readonly (readonly [what: string, pairs: readonly Pair[], id: string, says: RegExp])[] = [
      ['another Gemma', [['general.architecture', 'gemma3n']], 'gguf.architecture', /gemma3n/],
      ['Gated DeltaNet', [['general.architecture', 'qwen35']], 'gguf.architecture', /qwen35.*Gated DeltaNet/],
      ['gpt-oss', [['general.architecture', 'gpt-oss']], 'gguf.architecture', /mixture of experts/],
      ['another Phi', [['general.architecture', 'phi2']], 'gguf.architecture', /phi2/],
      [
        'a list of too few layers',
        [...base, ['llama.attention.sliding_window', 9], ['llama.attention.sliding_window_pattern', [true, false]]],
        'gguf.value',
        /2 entries for 1 layers/,
      ],
      ['an adapter', [['general.type', 'adapter']], 'gguf.notModel', /adapter/],
      ['a part', [...base, ['split.count', 3]], 'gguf.split', /3 parts.*llama-gguf-split/s],
      ['a mixture of experts', [...base, ['llama.expert_count', 8]], 'gguf.feature', /experts/],
      ['RoPE on a part', [...base, ['llama.rope.dimension_count', 16]], 'gguf.feature', /16 of the 32/],
      ['another RoPE', [...base, ['llama.rope.scaling.type', 'longrope']], 'gguf.feature', /longrope/],
      ['a missing width', without('llama.embedding_length'), 'gguf.value', /embedding_length.*missing/],
      [
        'a width of text',
        [...without('llama.embedding_length'), ['llama.embedding_length', 'x']],
        'gguf.value',
        /number/,
      ],
      [
        'no whole number of layers',
        [...without('llama.block_count'), ['llama.block_count', -1]],
        'config.value',
        /num_hidden_layers/,
      ],
      ['WordPiece', [...base, ['tokenizer.ggml.model', 'bert']], 'gguf.tokenizer', /bert/],
      [
        'an unknown split',
        [...base, ['tokenizer.ggml.model', 'gpt2'], ['tokenizer.ggml.pre', 'kimi-k2']],
        'gguf.tokenizer',
        /kimi-k2/,
      ],
      ['SentencePiece without scores', [...base, ['tokenizer.ggml.model', 'llama']], 'gguf.value', /scores/],
    ];
    for (const [what, pairs, id, says] of cases) {
      it(what, async () => {
        writeFileSync(scratch('m.gguf'), header(pairs));
        await assert.rejects(
          LanguageModel.load(scratch('m.gguf')),
          (error: Error & { id?: string; describe?(): string }) => {
            assert.equal(error.id, id, error.stack);
            assert.match(error.describe?.() ?? '', says);
            return true;
          },
        );
      });
    }

    it('a format that is not read', async () => {
      writeFileSync(
        scratch('m.gguf'),
        header(base, [{ name: 'token_embd.weight', extents: [64, 2], type: 23, offset: 0 }]),
      );
      await assert.rejects(LanguageModel.load(scratch('m.gguf')), /IQ4_XS/);
    });
  });

  it('have the settings of Llama 3.1 that their factors of RoPE come from', async () => {
    const { llama3Factors } = await import('../../../server/model/gguf/rope.ts');
    const settings = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192 };
    const factors = llama3Factors(64, { type: 'llama3', theta: 500000, ...settings });
    const pairs: Pair[] = [
      ['general.architecture', 'llama'],
      ['llama.context_length', 131072],
      ['llama.embedding_length', 128],
      ['llama.block_count', 1],
      ['llama.feed_forward_length', 64],
      ['llama.attention.head_count', 2],
      ['llama.attention.layer_norm_rms_epsilon', 1e-5],
      ['llama.rope.freq_base', 500000],
      ['tokenizer.ggml.tokens', ['a']],
    ];
    const tensor = { name: 'rope_freqs.weight', extents: [32], type: 0, offset: 0 };
    writeFileSync(scratch('m.gguf'), Buffer.concat([header(pairs, [tensor]), asBytes(factors)]));
    const config = await loadModelConfig(scratch('m.gguf'));
    assert.deepEqual(config.rope, { type: 'llama3', theta: 500000, ...settings });
    factors[3] *= 1.5;
    writeFileSync(scratch('m.gguf'), Buffer.concat([header(pairs, [tensor]), asBytes(factors)]));
    await assert.rejects(loadModelConfig(scratch('m.gguf')), { id: 'gguf.feature' });
  });

  describe('of Gemma and Phi', () => {
    const shape = (architecture: string, layers: number, more: readonly Pair[] = []): Pair[] => [
      ['general.architecture', architecture],
      ...(
        [
          ['context_length', 8192],
          ['embedding_length', 64],
          ['block_count', layers],
          ['feed_forward_length', 64],
          ['attention.head_count', 4],
          ['attention.head_count_kv', 2],
          ['attention.layer_norm_rms_epsilon', 1e-6],
          ...more,
        ] satisfies Pair[]
      ).map(([key, value]): Pair => [`${architecture}.${key}`, value]),
      ['tokenizer.ggml.tokens', ['a', 'b']],
    ];
    async function config(...given: Parameters<typeof shape>) {
      writeFileSync(scratch('m.gguf'), header(shape(...given)));
      return loadModelConfig(scratch('m.gguf'));
    }

    it('have what llama.cpp takes where they are silent', async () => {
      const two = await config('gemma2', 3, [['attention.key_length', 32]]);
      assert.deepEqual(two.sliding, { window: 4096, layers: [0, 2] });
      const { scoreCap, logitCap, queryScale, normOffset, activation } = two;
      assert.deepEqual(
        { scoreCap, logitCap, queryScale, normOffset, activation },
        { scoreCap: 50, logitCap: 30, queryScale: 32, normOffset: 1, activation: 'gelu' },
      );
      const three = await config('gemma3', 8, [
        ['attention.sliding_window', 512],
        ['rope.freq_base', 1e6 + 0.5],
        ['rope.scaling.type', 'linear'],
        ['rope.scaling.factor', 8.5],
      ]);
      assert.deepEqual(three.sliding, {
        window: 512,
        layers: [0, 1, 2, 3, 4, 6, 7],
        rope: { type: 'default', theta: 10000 },
      });
      assert.deepEqual(three.rope, { type: 'linear', theta: 1000000.5, factor: 8.5 });
      assert.deepEqual([three.scoreCap, three.logitCap, three.qkNorm], [null, null, true]);
      assert.equal((await config('gemma3', 2)).sliding, null);
    });

    it('of 27B divide scores by the root of d / heads', async () => {
      assert.equal((await config('gemma2', 46, [['attention.key_length', 32]])).queryScale, 16);
      assert.equal((await config('gemma3', 62, [['attention.key_length', 32]])).queryScale, 16);
      assert.equal((await config('gemma3', 48, [['attention.key_length', 32]])).queryScale, 32);
    });

    it('say which layers see a window by a period or by a list, and by names of Ollama how these turn', async () => {
      const window: Pair = ['attention.sliding_window', 16];
      const by = (pattern: Pair[1]) => config('gemma3', 4, [window, ['attention.sliding_window_pattern', pattern]]);
      assert.deepEqual((await by(2)).sliding?.layers, [0, 2]);
      assert.deepEqual((await by(0)).sliding?.layers, [0, 1, 2, 3]);
      assert.deepEqual((await by([true, false, false, true])).sliding?.layers, [0, 3]);
      const named = await config('gemma3', 1, [
        window,
        ['rope.local.freq_base', 700.5],
        ['rope.global.freq_base', 9e5],
      ]);
      assert.deepEqual([named.sliding?.rope, named.rope.theta], [{ type: 'default', theta: 700.5 }, 9e5]);
      const phi = await config('phi3', 2, [['attention.sliding_window', 0]]);
      assert.deepEqual([phi.sliding, phi.joined], [null, true]);
      assert.deepEqual((await config('phi3', 2, [window])).sliding, { window: 16, layers: [0, 1] });
      await assert.rejects(
        config('phi3', 2, [window, ['attention.sliding_window_pattern', 2]]),
        /window in some layers/,
      );
    });

    it('are refused where they hold parts for pictures', async () => {
      const picture = { name: 'v.patch_embd.weight', extents: [4], type: 0, offset: 0 };
      const bytes = Buffer.concat([header(shape('gemma3', 1), [picture]), Buffer.alloc(16)]);
      writeFileSync(scratch('m.gguf'), bytes);
      await assert.rejects(loadModelConfig(scratch('m.gguf')), { id: 'gguf.feature', message: /pictures/ });
    });

    it('end a turn at a token that the file calls one of the user, but not at a mark of HTML', async () => {
      const tokens = ['<unk>', '<bos>', '<eos>', '<end_of_turn>', '</s>', 'a'];
      const pairs: Pair[] = [
        ...shape('gemma3', 1).slice(0, -1),
        ['tokenizer.ggml.model', 'llama'],
        ['tokenizer.ggml.tokens', tokens],
        ['tokenizer.ggml.scores', new Float32Array(6)],
        ['tokenizer.ggml.token_type', Int32Array.from([2, 3, 3, 4, 4, 1])],
        ['tokenizer.ggml.eos_token_id', 2],
      ];
      writeFileSync(scratch('m.gguf'), header(pairs));
      assert.deepEqual((await loadModelConfig(scratch('m.gguf'))).eosTokenIds, [2, 3]);
      const { loadTokenizer } = await import('../../../server/model/tokenizer/tokenizer.ts');
      assert.deepEqual([...loadTokenizer(scratch('m.gguf')).specialIds], [0, 1, 2, 3]);
    });
  });

  it('have a tokenizer of SentencePiece, that joins by score and falls back on bytes', async () => {
    const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
    const pieces = ['\u2581', 'a', 'b', 'c', 'bc', 'ab', '\u2581a', 'abc', '\u2581abc'];
    const tokens = ['<unk>', '<s>', '</s>', ...bytes, ...pieces];
    const pairs: Pair[] = [
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.scores', Float32Array.from([0, 0, 0, ...bytes.map(() => 0), ...pieces.map((_, i) => -i)])],
      ['tokenizer.ggml.token_type', Int32Array.from([2, 3, 3, ...bytes.map(() => 6), ...pieces.map(() => 1)])],
      ['tokenizer.ggml.bos_token_id', 1],
      ['tokenizer.ggml.eos_token_id', 2],
      ['tokenizer.chat_template', "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}"],
    ];
    writeFileSync(scratch('m.gguf'), header(pairs));
    const { loadTokenizer } = await import('../../../server/model/tokenizer/tokenizer.ts');
    const tokenizer = loadTokenizer(scratch('m.gguf'));
    const read = (text: string) => [...tokenizer.encode(text)].map((id) => tokenizer.tokenOf(id));
    // bc has a higher score than ab, and that one than what begins with a space.
    assert.deepEqual(read('abc'), ['<s>', '\u2581abc']);
    assert.deepEqual(read('abbc é'), ['<s>', '\u2581', 'ab', 'bc', '\u2581', '<0xC3>', '<0xA9>']);
    assert.equal(tokenizer.decode(tokenizer.encode('abc é </s>x'), { skipSpecialTokens: true }), 'abc é  x');
    assert.equal(tokenizer.eosId, 2);
    const template = loadChatTemplate(scratch('m.gguf'));
    assert.equal(template.render([{ role: 'user', content: 'hi' }]), '<s>hi');
  });
});
