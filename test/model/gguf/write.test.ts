import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { openDevice } from '../../../server/device/device.ts';
import { loadModelConfig, parseModelConfig } from '../../../server/model/config/config.ts';
import { generate } from '../../../server/model/generate.ts';
import { GgufFile, summariseGguf } from '../../../server/model/gguf/file.ts';
import { Metadata } from '../../../server/model/gguf/metadata.ts';
import { quantise } from '../../../server/model/gguf/quantise.ts';
import { tokenizerConfigOf, tokenizerOf } from '../../../server/model/gguf/tokenizer.ts';
import { tensorTypeNamed } from '../../../server/model/gguf/types.ts';
import { ggufTypes, writeGguf } from '../../../server/model/gguf/write.ts';
import { baseStepper, LanguageModel } from '../../../server/model/language-model.ts';
import { tokenizerFrom } from '../../../server/model/tokenizer/tokenizer.ts';
import { cola } from '../../cli/cola.ts';
import { makeModel } from '../../engine/tiny-model.ts';
import { scratchFolder } from '../../store/scratch.ts';
import { PIECES, pieceTexts, withPieces } from './pieces.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FIXTURES = join(ROOT, 'test/fixtures');
const NANO = join(ROOT, 'assets/nano');
const MODELS = [
  'hf/llama-gqa',
  'hf/llama-tied-bf16',
  'hf/qwen2',
  'hf/qwen3',
  'families/qwen3-yarn',
  'families/smollm3',
  'families/gemma2',
  'families/gemma3',
  'families/phi3',
  'families/mistral-window',
  'families/qwen3-window',
];

/**
 * A folder as it can be written: llama.cpp divides scores of Gemma by what the published models do. It makes room for 256 tokens at
 * the least, and turns Phi by the factors of long texts where there is room for more than those that it was made from.
 */
async function writable(folder: string): Promise<LanguageModel> {
  const { config, tokenizer, weights } = await LanguageModel.load(folder);
  const { rope } = config;
  const gemma = config.family.startsWith('gemma');
  const changed = {
    ...config,
    ...(gemma ? { queryScale: config.headDim } : {}),
    ...(rope.type === 'longrope' && rope.long !== undefined
      ? {
          rope: {
            ...rope,
            attentionFactor: 1.25,
            originalMaxPositionEmbeddings: 256,
            long: { ...rope.long, positions: 512 },
          },
          maxPositionEmbeddings: 256,
        }
      : {}),
  };
  return new LanguageModel(folder, changed, tokenizer, weights);
}
const floats = (name: string) => new Float32Array(new Uint8Array(readFileSync(join(FIXTURES, 'gguf', name))).buffer);

describe('writing GGUF', () => {
  const scratch = scratchFolder();

  it('rounds to Q8_0 and Q4_0 as the gguf package does, to the last bit', () => {
    const numbers = floats('numbers.bin');
    const rounded = readFileSync(join(FIXTURES, 'gguf/rounded.bin'));
    const mine = Buffer.concat([
      quantise(tensorTypeNamed('Q8_0'), numbers),
      quantise(tensorTypeNamed('Q4_0'), numbers),
    ]);
    assert.deepEqual(mine, rounded);
  });

  for (const name of MODELS) {
    it(`${name} comes back as it was`, async () => {
      const before = await writable(join(FIXTURES, name));
      // Norms of Gemma stand in a file as 1 + w.
      const most = name.includes('gemma') ? 2 ** -24 : 0;
      const { largest, parameters } = await writeGguf(scratch('m.gguf'), before, 'f32');
      assert.ok(largest <= most, `${largest}`);
      const after = await LanguageModel.load(scratch('m.gguf'));
      assert.equal(parseModelConfig(summariseGguf(scratch('m.gguf')).config, 'm.gguf').layers, before.config.layers);
      assert.equal(
        parameters,
        [...after.weights.values()].reduce((n, { length }) => n + length, 0),
      );
      // What a GGUF file has no place for.
      const { initializerRange: _, bosTokenId: __, eosTokenIds, padTokenId: ___, ...config } = after.config;
      for (const [key, value] of Object.entries(config))
        assert.deepEqual(value, before.config[key as keyof typeof config], key);
      assert.deepEqual([...after.weights.keys()], [...before.weights.keys()]);
      for (const [key, values] of before.weights) {
        const found = after.weights.get(key);
        assert.ok(found?.length === values.length && found.every((x, i) => Math.abs(x - values[i]) <= most), key);
      }
      assert.equal(after.tokenizer === undefined, before.tokenizer === undefined);
      if (after.tokenizer === undefined || before.tokenizer === undefined) return;
      for (const id of before.endIds) assert.ok(eosTokenIds.includes(id) || after.endIds.has(id), `end ${id}`);
      for (const text of ['Hello, 1234 worlds', '  a\n\tb <|im_end|> é'])
        assert.deepEqual(after.tokenizer.encode(text), before.tokenizer.encode(text));
    });
  }

  it('narrows matrices alone, and reads back what it wrote', async () => {
    const model = await LanguageModel.load(NANO);
    for (const [type, matrix, most] of [
      ['f16', 'F16', 1e-6],
      ['q8_0', 'Q8_0', 0.01],
      ['q4_0', 'Q4_0', 0.2],
    ] as const) {
      const { bytes, largest } = await writeGguf(scratch('m.gguf'), model, type);
      assert.ok(largest <= most, `${type}: ${largest}`);
      assert.ok(bytes < 16e6);
      using file = GgufFile.open(scratch('m.gguf'));
      assert.equal(file.info('model.layers.0.self_attn.q_proj.weight').dtype, matrix);
      assert.equal(file.info('model.norm.weight').dtype, 'F32');
      assert.equal(file.info('model.embed_tokens.weight').dtype, type === 'q4_0' ? 'Q8_0' : matrix);
      // Reading and writing once more changes nothing: in the short form that is tried of blocks of eight bits alone.
      if (type !== 'q8_0' && process.env.COLA_SLOW !== '1') continue;
      const again = await LanguageModel.load(scratch('m.gguf'));
      const second = await writeGguf(scratch('again.gguf'), again, type);
      if (type !== 'q4_0') assert.equal(second.largest, 0);
    }
  });

  for (const [what, added, prefix] of PIECES) {
    it(`says of pieces as ${what} has them how they are joined`, async () => {
      const model = await withPieces(scratch(what), added, prefix);
      const { exact, split } = await writeGguf(scratch('m.gguf'), model, 'f32');
      assert.deepEqual({ exact, split }, { exact: true, split: 'default' });
      using file = GgufFile.open(scratch('m.gguf'));
      // Read by what llama.cpp reads.
      const { header } = file.metadata;
      const pairs = [...header.metadata].filter(([key]) => key !== 'tokenizer.huggingface.json');
      const metadata = new Metadata({ ...header, metadata: new Map(pairs) }, file.path);
      const config = tokenizerConfigOf(metadata);
      const again = tokenizerFrom(JSON.parse(tokenizerOf(metadata) ?? ''), config);
      for (const text of pieceTexts) {
        const ids = model.tokenizer!.encode(text);
        assert.deepEqual(again.encode(text), ids, text);
        assert.equal(again.decode(ids), model.tokenizer!.decode(ids), text);
      }
      assert.equal(again.eosId, model.tokenizer!.eosId);
      const { eosTokenIds } = await loadModelConfig(scratch('m.gguf'));
      assert.deepEqual([...eosTokenIds].sort(), prefix ? [2, 4, 5] : [2, 4]);
    });
  }

  it('calls no model Phi-3 that llama.cpp would then not open', async () => {
    const model = await withPieces(scratch('my-phi-3'), [], false);
    await writeGguf(scratch('m.gguf'), model, 'f32');
    using file = GgufFile.open(scratch('m.gguf'));
    assert.equal(file.metadata.text('general.name'), 'my-Phi 3');
  });

  it('says that pieces are joined otherwise where no scores join them alike', async () => {
    const model = await withPieces(scratch('other'), [], false);
    const file = join(model.folder, 'tokenizer.json');
    const json = JSON.parse(readFileSync(file, 'utf8'));
    // h + e is no longer a merge, but its letters still lie side by side.
    json.model.merges = json.model.merges.filter((pair: string[]) => pair.join('') !== 'he');
    writeFileSync(file, JSON.stringify(json));
    assert.equal((await writeGguf(scratch('m.gguf'), await LanguageModel.load(model.folder), 'f32')).exact, false);
  });

  it('is a command, which says what is left out', async () => {
    const model = await makeModel(scratch('model'));
    const { code, stderr, stdout } = await cola(['export', model, scratch('m.gguf'), '--format', 'gguf', '--json']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the base alone/);
    assert.equal(JSON.parse(stdout).type, 'f16');
    const { weights } = await LanguageModel.load(scratch('m.gguf'));
    assert.ok(weights.size > 0);
    const generated = await cola(['generate', '--model', scratch('m.gguf'), '--prompt', 'a', '--max-new', '3']);
    assert.equal(generated.code, 0, generated.stderr);
    const window = join(FIXTURES, 'families/mistral-window');
    assert.match((await cola(['export', window, scratch('w.gguf'), '--format', 'gguf'])).stderr, /window of 9 tokens/);
    // A GGUF file may be replaced, anything else may not.
    const again = ['export', model, scratch('m.gguf'), '--format', 'gguf', '--type', 'f32'];
    const refused = await cola(again);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /would lose what it holds: [\d.]+ MB\.[\s\S]*\[cola\.modelThere\]/);
    assert.equal((await cola([...again, '--force'])).code, 0);
    writeFileSync(scratch('thesis.txt'), 'years of work');
    const kept = await cola(['export', model, scratch('thesis.txt'), '--format', 'gguf']);
    assert.equal(kept.code, 2);
    assert.match(kept.stderr, /cola\.noModelThere/);
    assert.equal(readFileSync(scratch('thesis.txt'), 'utf8'), 'years of work');
    assert.match((await cola(['export', model, scratch('x'), '--type', 'f16'])).stderr, /cli\.usage/);
  });

  it('refuses what it does not write', async () => {
    const model = await LanguageModel.load(join(FIXTURES, 'hf/qwen3'));
    const other = (change: object) =>
      new LanguageModel(model.folder, { ...model.config, ...change }, model.tokenizer, model.weights);
    await assert.rejects(writeGguf(scratch('m.gguf'), other({ family: 'seed_oss' }), 'f16'), { id: 'gguf.notWritten' });
    await assert.rejects(writeGguf(scratch('m.gguf'), other({ attentionBias: true }), 'f16'), {
      id: 'gguf.notWritten',
    });
    const refused = async (folder: string, change: object, what: RegExp) => {
      const { folder: from, config, tokenizer, weights } = await writable(join(FIXTURES, folder));
      const changed = new LanguageModel(from, { ...config, ...change }, tokenizer, weights);
      await assert.rejects(writeGguf(scratch('m.gguf'), changed, 'f32'), (error: Error & { id?: string }) => {
        assert.equal(error.id, 'gguf.notWritten');
        assert.match(error.message, what);
        return true;
      });
    };
    await refused('families/gemma2', { queryScale: 6 }, /root of 6 instead of 8/);
    await refused('families/gemma2', { scoreCap: null }, /caps/);
    await refused('families/gemma3', { logitCap: 30 }, /caps/);
    await refused('families/gemma3', { sliding: { window: 4, layers: [0, 3] } }, /no period/);
    await refused('families/phi3', { headDim: 4 }, /width/);
    const weights = new Map(model.weights);
    const name = 'model.embed_tokens.weight';
    weights.set(
      name,
      Float32Array.from(weights.get(name)!, (x, i) => (i === 5 ? 1e5 : x)),
    );
    const large = new LanguageModel(model.folder, model.config, model.tokenizer, weights);
    await assert.rejects(writeGguf(scratch('m.gguf'), large, 'f16'), { id: 'gguf.tooLarge' });
    assert.ok(!existsSync(scratch('m.gguf')));
  });
});

const answerSchema = z.object({
  ids: z.array(z.array(z.number())),
  tokens: z.array(z.array(z.number())),
  written: z.array(z.string()),
});

/**
 * The folder of the package node-llama-cpp, whose binaries are too large to be a dependency of ours. Install it anywhere
 * (`npm install --ignore-scripts node-llama-cpp@3.22.1`) and name it: COLA_NODE_LLAMA_CPP=…/node_modules/node-llama-cpp
 */
const PACKAGE = process.env.COLA_NODE_LLAMA_CPP;

describe('llama.cpp and a GGUF file from here', function () {
  this.timeout(300_000);
  const scratch = scratchFolder();

  before(function () {
    if (PACKAGE !== undefined) return;
    console.log('    COLA_NODE_LLAMA_CPP does not name the package node-llama-cpp: llama.cpp is not asked');
    this.skip();
  });

  function ask(question: { model: string; prompts: number[][]; texts: string[]; count: number; length: number }) {
    const input = JSON.stringify({ package: PACKAGE, ...question });
    const script = join(import.meta.dirname, 'llama.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
      input,
      encoding: 'utf8',
      timeout: 200_000,
    });
    assert.equal(status, 0, stderr);
    return answerSchema.parse(JSON.parse(stdout));
  }

  /** The greedy continuations here. */
  async function own(model: LanguageModel, prompts: number[][], maxNewTokens: number) {
    const { device } = await openDevice('cpu', { threads: 1 });
    try {
      const stepper = baseStepper(device, model);
      try {
        return await generate(stepper, model, prompts, { maxNewTokens });
      } finally {
        stepper.dispose();
      }
    } finally {
      await device.dispose();
    }
  }

  for (const type of ggufTypes) {
    it(`nano in ${type} gives the same greedy text`, async () => {
      await writeGguf(scratch('nano.gguf'), await LanguageModel.load(NANO), type);
      // Both read the file, so that what it was rounded to is the same.
      const model = await LanguageModel.load(scratch('nano.gguf'));
      const { tokenizer } = model;
      assert.ok(tokenizer !== undefined);
      const prompts = TEXTS.map((text) => [...tokenizer.encode(text)]);
      const theirs = ask({ model: scratch('nano.gguf'), prompts, texts: TEXTS, count: 32, length: 128 });
      const mine = await own(model, prompts, 32);
      const same = mine.filter(({ ids }, i) => String([...ids]) === String(theirs.ids[i])).length;
      const sameTokens = prompts.filter((ids, i) => String(ids) === String(theirs.tokens[i])).length;
      console.log(`      same text for ${same} of ${TEXTS.length} prompts; same tokens of a prompt for ${sameTokens}`);
      if (type === 'f32' || type === 'f16') {
        for (const [i, { ids, text }] of mine.entries()) {
          assert.deepEqual([...ids], theirs.ids[i], TEXTS[i]);
          assert.equal(tokenizer.decode(theirs.ids[i]!, { skipSpecialTokens: true }), text, TEXTS[i]);
        }
      }
      // In blocks llama.cpp rounds what comes in too, and may choose another token where two are near.
      assert.ok(same >= TEXTS.length / 2, `${same}`);
    });
  }

  for (const [what, added, prefix] of PIECES) {
    it(`reads texts in pieces as ${what} has them alike`, async () => {
      const model = await withPieces(scratch(what), added, prefix);
      await writeGguf(scratch('m.gguf'), model, 'f32');
      const mine = pieceTexts.map((text) => [...model.tokenizer!.encode(text, { addSpecialTokens: false })]);
      const question = { model: scratch('m.gguf'), prompts: [], texts: pieceTexts, count: 1, length: 128 };
      assert.deepEqual(ask(question).tokens, mine);
    });
  }

  for (const name of MODELS) {
    it(`${name} gives the same greedy tokens`, async () => {
      const folder = scratch('model');
      cpSync(join(FIXTURES, name), folder, { recursive: true });
      // node-llama-cpp opens no model without words.
      if (!existsSync(join(folder, 'tokenizer.json'))) writeFileSync(join(folder, 'tokenizer.json'), letters(48));
      const { unseenWindow } = await writeGguf(scratch('m.gguf'), await writable(folder), 'f32');
      const read = await LanguageModel.load(scratch('m.gguf'));
      assert.equal(unseenWindow !== null, /window|phi/.test(name));
      const seen = unseenWindow === null ? read.config : { ...read.config, sliding: null };
      const model = new LanguageModel(read.folder, seen, read.tokenizer, read.weights);
      const prompts = Array.from({ length: 8 }, (_, row) =>
        Array.from({ length: 5 + 7 * row }, (_, i) => (row * 37 + i * i * 11 + 5) % model.config.vocabSize),
      );
      const theirs = ask({ model: scratch('m.gguf'), prompts, texts: [], count: 12, length: 128 });
      const mine = await own(model, prompts, 12);
      for (const [i, { ids }] of mine.entries()) assert.deepEqual([...ids], theirs.ids[i], `prompt ${i}`);
    });
  }
});

/** A tokenizer of so many letters. */
function letters(count: number): string {
  const vocab = Object.fromEntries(Array.from({ length: count }, (_, id) => [String.fromCharCode(0x21 + id), id]));
  return JSON.stringify({
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges: ['! "'].slice(1) },
  });
}

const TEXTS = [
  'const x =',
  'function add(a, b) {',
  'The capital of France is',
  'Once upon a time',
  'import { readFile } from',
  'def main():',
  'for (let i = 0; i <',
  'if (error) throw',
  'return new Map(',
  '# Installation',
  'How many are 12 and 30?',
  'export default',
  'The function takes a',
  'class Node:',
  'while True:',
  'npm install',
  'Numbers: 03 09 12 Target: 24 Answer:',
  'A list of the',
  'const { a, b } =',
  'print(f"',
  'async function load(path) {\n  const text = await',
  'export interface Options {\n  readonly',
  'def f(x):\n    return',
  'x',
];
