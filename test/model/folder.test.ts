import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import { ColaError } from '../../server/errors.ts';
import { type TensorToWrite, writeSafetensors } from '../../server/files/safetensors-writer.ts';
import { loadChatTemplate } from '../../server/model/chat/chat.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const LLAMA = join(import.meta.dirname, '../fixtures/hf/llama-gqa');
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 123456\n`;
const GGUF = Buffer.concat([Buffer.from('GGUF'), Buffer.from([3, 0, 0, 0]), Buffer.alloc(40)]);
const ZIP = Buffer.from('PK\u0003\u0004 a pickle in a zip file');

describe('what people point at as a model', () => {
  const scratch = scratchFolder();
  const put = (path: string, content: string | Uint8Array = '') => {
    mkdirSync(dirname(scratch(path)), { recursive: true });
    writeFileSync(scratch(path), content);
  };
  /** A whole model. */
  const model = (folder = 'm') => {
    for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'])
      cpSync(join(LLAMA, name), scratch(folder, name));
  };
  const editConfig = (change: object, folder = 'm') => {
    const json = JSON.parse(readFileSync(scratch(folder, 'config.json'), 'utf8'));
    writeFileSync(scratch(folder, 'config.json'), JSON.stringify({ ...json, ...change }));
  };
  /** The weights with other names, and what `more` adds. */
  const rename = async (name: (name: string) => string, more: readonly TensorToWrite[] = []) => {
    const { tensors, weights } = await LanguageModel.load(LLAMA);
    const entries = tensors.map((tensor): TensorToWrite => {
      return { name: name(tensor.name), shape: tensor.shape, dtype: 'F32', data: weights.get(tensor.name)! };
    });
    await writeSafetensors(scratch('m/model.safetensors'), [...entries, ...more]);
  };
  const tensor = (name: string): TensorToWrite => ({ name, shape: [2], dtype: 'F32', data: Float32Array.of(1, 2) });

  /** Steps in their order, and their end. */
  const all = (...steps: readonly unknown[]) => Promise.all(steps);

  const refusals: readonly (readonly [what: string, make: () => unknown, id: string, says: RegExp, to?: string])[] = [
    [
      'weights that are a Git LFS pointer',
      () => all(model(), put('m/model.safetensors', POINTER)),
      'folder.lfsPointer',
      /model\.safetensors.*`git lfs pull`/s,
    ],
    [
      'a tokenizer that is a Git LFS pointer',
      () => all(model(), put('m/tokenizer.json', POINTER)),
      'folder.lfsPointer',
      /tokenizer\.json.*git lfs pull/s,
    ],
    [
      'an index that is a Git LFS pointer',
      () => all(model(), rmSync(scratch('m/model.safetensors')), put('m/model.safetensors.index.json', POINTER)),
      'folder.lfsPointer',
      /index\.json.*git lfs pull/s,
    ],
    [
      'a config that is a Git LFS pointer',
      () => all(model(), put('m/config.json', POINTER)),
      'folder.lfsPointer',
      /config\.json.*git lfs pull/s,
    ],
    [
      'weights that are the page of a login',
      () => all(model(), put('m/model.safetensors', '<!DOCTYPE html><html><head>')),
      'folder.webPage',
      /web page/,
    ],
    [
      'a config that is a page of an error',
      () => all(model(), put('m/config.json', '\n<html>not found</html>')),
      'folder.webPage',
      /Download the file again/,
    ],
    [
      'weights that are the words of an error',
      () => all(model(), put('m/model.safetensors', 'Access to model a/b is restricted. You must be authenticated.')),
      'folder.sentence',
      /model\.safetensors is a text, not weights/,
    ],
    [
      'weights that are the key of a file in git-annex',
      () => all(model(), put('m/model.safetensors', '/annex/objects/SHA256E-s1--abc.safetensors\n')),
      'folder.sentence',
      /may say .* where the file is/,
    ],
    ['a name of Hugging Face', () => 0, 'config.noModel', /`hf download OWNER\/NAME/, 'Qwen/Qwen2.5-0.5B'],
    ['an address', () => 0, 'config.noModel', /not read|Nothing is read from a network/, 'https:/huggingface.co/a/b'],
    ['a path from one’s home', () => 0, 'config.noModel', /~ is not taken for your home/, '~/models/a'],
    ['a path of Windows', () => 0, 'config.noModel', /told apart by \//, 'models\\a'],
    ['a variable', () => 0, 'config.noModel', /Variables are not filled in/, '$HOME/models/a'],
    ['a path in quotes of a text', () => 0, 'config.noModel', /quotes of a text/, '“models”'],
    ['an empty GGUF file', () => put('m.gguf', GGUF), 'gguf.value', /m\.gguf/, 'm.gguf'],
    ['an empty GGUF file under another name', () => put('model.dat', GGUF), 'gguf.value', /model\.dat/, 'model.dat'],
    ['a folder with an empty GGUF file', () => put('m/some-Q4_K_M.gguf', GGUF), 'gguf.value', /some-Q4_K_M\.gguf/],
    [
      'a folder with several GGUF files',
      () => all(put('m/a-Q4_0.gguf', GGUF), put('m/b-Q8_0.gguf', GGUF)),
      'gguf.several',
      /a-Q4_0\.gguf, b-Q8_0\.gguf.*Choose one/s,
    ],
    [
      'a folder with a config and a GGUF file',
      () => all(model(), rmSync(scratch('m/model.safetensors')), put('m/x.gguf', GGUF)),
      'folder.gguf',
      /x\.gguf/,
    ],
    ['a GGUF file called safetensors', () => all(model(), put('m/model.safetensors', GGUF)), 'folder.gguf', /GGUF/],
    [
      'PyTorch weights',
      () => all(model(), renameSync(scratch('m/model.safetensors'), scratch('m/pytorch_model.bin'))),
      'folder.pickle',
      /save_pretrained/,
    ],
    ['a file of PyTorch weights', () => put('w.pt', ZIP), 'folder.pickle', /w\.pt/, 'w.pt'],
    [
      'PyTorch weights called safetensors',
      () => all(model(), put('m/model.safetensors', ZIP)),
      'folder.pickle',
      /PyTorch/,
    ],
    ['a packed model', () => put('llama.zip', ZIP), 'folder.archive', /Unpack/, 'llama.zip'],
    ['a packed model of another kind', () => put('llama.tar.gz', 'x'), 'folder.archive', /Unpack/, 'llama.tar.gz'],
    ['an ONNX file', () => put('model.onnx', 'x'), 'folder.onnx', /ONNX/, 'model.onnx'],
    [
      'a folder of an ONNX export',
      () =>
        all(put('m/config.json', '{}'), model(), rmSync(scratch('m/model.safetensors')), put('m/onnx/model.onnx', 'x')),
      'folder.onnx',
      /ONNX/,
    ],
    [
      'an adapter',
      () =>
        all(
          put(
            'm/adapter_config.json',
            '{"peft_type": "LORA", "base_model_name_or_path": "Qwen/Qwen2.5-0.5B", "r": 8, "lora_alpha": 8}',
          ),
          put('m/adapter_model.safetensors'),
        ),
      'adapter.base',
      /Qwen\/Qwen2\.5-0\.5B.*no folder here.*base_model_name_or_path/s,
    ],
    ['an adapter whose configuration is broken', () => put('m/adapter_config.json', '{'), 'config.json', /adapter/],
    [
      'a model in the format of its makers',
      () => all(put('m/params.json', '{"dim": 4096}'), put('m/consolidated.safetensors')),
      'folder.original',
      /params\.json/,
    ],
    ['a pipeline for pictures', () => put('m/model_index.json', '{}'), 'folder.pipeline', /pictures/],
    [
      'a download that is not finished',
      () => all(model(), renameSync(scratch('m/model.safetensors'), scratch('m/model.safetensors.incomplete'))),
      'folder.incomplete',
      /model\.safetensors\.incomplete/,
    ],
    [
      'a download that huggingface_hub has not finished',
      () => all(model(), rmSync(scratch('m/model.safetensors')), put('m/.cache/huggingface/download/abc.incomplete')),
      'folder.incomplete',
      /abc\.incomplete/,
    ],
    [
      'a folder of the Hugging Face cache without a model',
      () => all(put('models--a--b/refs/main', 'abc'), mkdirSync(scratch('models--a--b/snapshots'))),
      'folder.emptyCache',
      /cache/,
      'models--a--b',
    ],
    [
      'a tokenizer alone',
      () => all(model(), rmSync(scratch('m/model.safetensors')), rmSync(scratch('m/config.json'))),
      'folder.tokenizerOnly',
      /tokenizer alone/,
    ],
    [
      'weights without a config',
      () => all(model(), rmSync(scratch('m/config.json'))),
      'folder.noConfig',
      /config\.json/,
    ],
    [
      'one file of weights without a config',
      () => all(model(), rmSync(scratch('m/config.json'))),
      'folder.noConfig',
      /config\.json/,
      'm/model.safetensors',
    ],
    [
      'a folder of checkpoints',
      () => all(model('m/checkpoint-500'), model('m/checkpoint-1500'), put('m/training_args.bin')),
      'folder.deeper',
      /checkpoint-1500/,
    ],
    [
      'weights of another name',
      () => all(model(), renameSync(scratch('m/model.safetensors'), scratch('m/weights.safetensors'))),
      'folder.strangeName',
      /weights\.safetensors/,
    ],
    [
      'parts without an index',
      () => all(model(), renameSync(scratch('m/model.safetensors'), scratch('m/model-00001-of-00003.safetensors'))),
      'folder.noIndex',
      /00001-of-00003/,
    ],
    ['a file of something else', () => put('thesis.txt', 'years of work'), 'folder.file', /thesis\.txt/, 'thesis.txt'],
    [
      'weights that are cut off',
      () => all(model(), truncateSync(scratch('m/model.safetensors'), 50_000)),
      'safetensors.truncated',
      /ends too early/,
    ],
    [
      'weights quantised by GPTQ',
      () => all(model(), editConfig({ quantization_config: { quant_method: 'gptq', bits: 4 } })),
      'config.quantised',
      /gptq, 4 bits.*quantised from/s,
    ],
    [
      'weights quantised by MLX',
      () => all(model(), editConfig({ quantization: { group_size: 64, bits: 4 } })),
      'config.quantised',
      /MLX, 4 bits/,
    ],
    [
      'quantised weights of which the config says nothing',
      () =>
        all(
          model(),
          rename((name) => name.replace('up_proj.weight', 'up_proj.qweight')),
        ),
      'weights.quantised',
      /GPTQ.*qweight/s,
    ],
    [
      'weights in 4 bits of which the config says nothing',
      () =>
        all(
          model(),
          rename((name) => name, [tensor('model.layers.0.mlp.up_proj.weight.absmax')]),
        ),
      'weights.quantised',
      /bitsandbytes/,
    ],
    [
      'an adapter that was not merged',
      () =>
        all(
          model(),
          rename(
            (name) => `base_model.model.${name}`,
            [tensor('base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight')],
          ),
        ),
      'weights.adapter',
      /merge_and_unload/,
    ],
    [
      'a head that is missing',
      () =>
        all(
          model(),
          rename((name) => (name === 'lm_head.weight' ? 'model.rotary_emb.inv_freq' : name)),
        ),
      'weights.headMissing',
      /"tie_word_embeddings": true/,
    ],
    [
      'an encoder',
      () => all(model(), editConfig({ model_type: 'bert', architectures: ['BertForMaskedLM'] })),
      'config.architecture',
      /bert.*an encoder/,
    ],
    [
      'a model of pictures and text',
      () => all(model(), editConfig({ model_type: 'qwen2_vl', architectures: ['Qwen2VLForConditionalGeneration'] })),
      'config.architecture',
      /qwen2_vl.*a model of pictures/,
    ],
    [
      'a model for embeddings',
      () => all(model(), editConfig({ architectures: ['Qwen3Model'], model_type: 'qwen3' })),
      'config.architecture',
      /Qwen3Model.*without an output head/,
    ],
  ];

  for (const [what, make, id, says, to = 'm'] of refusals) {
    it(`is said to be ${what}`, async () => {
      await make();
      await assert.rejects(LanguageModel.load(scratch(to)), (error) => {
        assert.ok(error instanceof ColaError, String(error));
        assert.equal(error.id, id);
        assert.match(error.describe(), says);
        return true;
      });
    });
  }

  it('is said of a chat template too', () => {
    model();
    put('m/chat_template.jinja', POINTER);
    assert.throws(() => loadChatTemplate(scratch('m')), errorOf('folder.lfsPointer'));
  });

  it('may have the numbers of Python in the files of its tokenizer', async () => {
    model();
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
      const text = readFileSync(scratch('m', name), 'utf8');
      put(`m/${name}`, text.replace('{', '{"model_max_length": Infinity, "scores": [-Infinity, NaN],'));
    }
    const { tokenizer } = await LanguageModel.load(scratch('m'));
    const whole = (await LanguageModel.load(LLAMA)).tokenizer!;
    assert.deepEqual(tokenizer!.encode('a NaN b'), whole.encode('a NaN b'));
  });

  it('is said by the models with latent actions too', async () => {
    put('m/x.gguf', GGUF);
    assert.equal(ColaModel.exists(scratch('m')), false);
    await assert.rejects(ColaModel.load(scratch('m')), { id: 'cola.noCola' });
    model('base');
    await assert.rejects(ColaModel.load(scratch('base')), { id: 'cola.noCola' });
  });

  it('may be a file of a model, or the checkpoint of a trainer', async () => {
    model('checkpoint-500');
    for (const name of ['optimizer.pt', 'scheduler.pt', 'trainer_state.json', 'training_args.bin'])
      put(`checkpoint-500/${name}`);
    for (const part of ['', 'model.safetensors', 'config.json']) {
      const { folder } = await LanguageModel.load(scratch('checkpoint-500', part));
      assert.equal(folder, scratch('checkpoint-500'));
    }
  });

  it('may be the folder of a model in the Hugging Face cache: the revision that main is', async () => {
    model('models--a--b/snapshots/old');
    model('models--a--b/snapshots/new');
    editConfig({ max_position_embeddings: 77 }, 'models--a--b/snapshots/old');
    put('models--a--b/refs/main', 'old\n');
    for (const folder of ['models--a--b', 'models--a--b/snapshots']) {
      const { config } = await LanguageModel.load(scratch(folder));
      assert.equal(config.maxPositionEmbeddings, 77);
    }
    rmSync(scratch('models--a--b/snapshots/old'), { recursive: true });
    assert.equal((await LanguageModel.load(scratch('models--a--b'))).folder, scratch('models--a--b/snapshots/new'));
  });

  for (const [what, wrapped] of [
    ['DataParallel', (name: string) => `module.${name}`],
    ['torch.compile', (name: string) => `_orig_mod.${name}`],
    ['torch.compile of every layer', (name: string) => name.replace(/^(model\.layers\.\d+)/, '$1._orig_mod')],
    ['PEFT', (name: string) => `base_model.model.${name}`],
    ['two wrappers', (name: string) => `module._orig_mod.${name}`],
    ['a model of pictures', (name: string) => name.replace(/^model\./, 'model.language_model.')],
    ['an older model of pictures', (name: string) => `language_model.${name}`],
    ['a model without its head', (name: string) => name.replace(/^model\./, '')],
  ] as const) {
    it(`may have the names that ${what} gives`, async () => {
      model();
      await rename(wrapped);
      const { weights } = await LanguageModel.load(LLAMA);
      assert.deepEqual((await LanguageModel.load(scratch('m'))).weights, weights);
    });
  }

  it('keeps names that would be the same without what stands before them', async () => {
    model();
    await rename((name) => `module.${name}`, [tensor('module.module.model.norm.weight')]);
    await assert.rejects(LanguageModel.load(scratch('m')), { id: 'weights.missing' });
  });

  it('is refused by the name of a tensor with an absurd value, before anything is computed', async () => {
    model();
    const { tensors, weights } = await LanguageModel.load(LLAMA);
    for (const value of [1e30, -3e38, 2e6]) {
      weights.get('model.layers.1.mlp.up_proj.weight')![5] = value;
      await writeSafetensors(
        scratch('m/model.safetensors'),
        tensors.map(({ name, shape }): TensorToWrite => ({ name, shape, dtype: 'F32', data: weights.get(name)! })),
      );
      await assert.rejects(LanguageModel.load(scratch('m')), (error) => {
        assert.ok(error instanceof ColaError && error.id === 'weights.tooLarge');
        assert.match(error.message, /layers\.1\.mlp\.up_proj.*index 5/);
        return true;
      });
    }
  });

  it('says which parts are missing', async () => {
    model();
    rmSync(scratch('m/model.safetensors'));
    const map = Object.fromEntries([1, 2, 3].map((i) => [`t${i}`, `model-0000${i}-of-00003.safetensors`]));
    put('m/model.safetensors.index.json', JSON.stringify({ weight_map: map }));
    put('m/model-00002-of-00003.safetensors');
    // In the cache a file that was not downloaded is a link to nothing.
    symlinkSync('../../blobs/none', scratch('m/model-00003-of-00003.safetensors'));
    await assert.rejects(LanguageModel.load(scratch('m')), {
      id: 'weights.shardMissing',
      message: /3 files, of which 2 are missing: "model-00001-of-00003\.safetensors", "model-00003-of-00003/,
    });
  });
});
