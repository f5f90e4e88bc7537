import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeModel } from '../../server/found/describe.ts';
import { findStored } from '../../server/found/find.ts';
import { findModels } from '../../server/found/list.ts';
import { Budget } from '../../server/found/store.ts';
import { cola } from '../cli/cola.ts';
import { scratchFolder } from '../store/scratch.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const LLAMA = join(FIXTURES, 'gguf/llama.gguf');
const FOLDER = join(FIXTURES, 'hf/qwen3');
const digest = 'ab'.repeat(32);

describe('models of other programs', () => {
  const scratch = scratchFolder();
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(scratch(path)), { recursive: true });
    writeFileSync(scratch(path), content);
  };
  const home = () => scratch('home');
  const find = (env = {}, more = {}) => findStored({ home: home(), env, ...more });
  const gguf = readFileSync(LLAMA);

  /** A repository in the cache as huggingface_hub makes it. */
  function cached(name: string, hub = 'home/.cache/huggingface/hub') {
    const repository = `${hub}/models--${name}`;
    const snapshot = `${repository}/snapshots/abc`;
    mkdirSync(scratch(snapshot), { recursive: true });
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
      put(`${repository}/blobs/${file}-blob`, readFileSync(join(FOLDER, file)));
      symlinkSync(`../../blobs/${file}-blob`, scratch(`${snapshot}/${file}`));
    }
    put(`${repository}/refs/main`, 'abc');
    return scratch(snapshot);
  }

  /** A tag in Ollama's store. */
  function pulled(place: string, model: string, blob: Uint8Array | null = gguf) {
    const layers = [
      { mediaType: 'application/vnd.ollama.image.template', digest: `sha256:${'0'.repeat(64)}`, size: 1 },
      { mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${digest}`, size: gguf.length },
    ];
    put(`${place}/manifests/registry.ollama.ai/${model}`, JSON.stringify({ schemaVersion: 2, layers }));
    if (blob !== null) put(`${place}/blobs/sha256-${digest}`, blob);
    return scratch(`${place}/blobs/sha256-${digest}`);
  }

  it('are found in the cache of Hugging Face, with size, parameters and family', async () => {
    const snapshot = cached('Qwen--Qwen3-0.6B');
    const { models, more } = await find();
    assert.equal(more, false);
    const [model] = models;
    assert.ok(model !== undefined && 'bytes' in model);
    assert.deepEqual([model.name, model.path, model.store], ['Qwen/Qwen3-0.6B', snapshot, 'huggingface']);
    assert.deepEqual([model.family, model.fits], ['qwen3', 'yes']);
    assert.equal(model.bytes, 4 * model.parameters);
  });

  it('are found where HF_HOME, HF_HUB_CACHE and OLLAMA_MODELS say', async () => {
    cached('a--one', 'own/hub');
    cached('b--two', 'direct');
    const blob = pulled('models', 'library/qwen3/0.6b');
    const names = async (env: Record<string, string>) => (await find(env)).models.map(({ name }) => name);
    assert.deepEqual(await names({ HF_HOME: scratch('own') }), ['a/one']);
    assert.deepEqual(await names({ HF_HOME: scratch('own'), HF_HUB_CACHE: scratch('direct') }), ['b/two']);
    assert.deepEqual(await names({ OLLAMA_MODELS: scratch('models') }), ['qwen3:0.6b']);
    assert.equal((await find({ OLLAMA_MODELS: scratch('models') })).models[0]?.path, blob);
  });

  it('are found by the manifests of Ollama, one for each blob', async () => {
    const blob = pulled('home/.ollama/models', 'library/llama3.2/1b');
    pulled('home/.ollama/models', 'library/llama3.2/latest');
    pulled('home/.ollama/models', 'someone/own/v1');
    const { models } = await find();
    assert.deepEqual(
      models.map(({ name, path }) => [name, path]),
      [['llama3.2:1b', blob]],
    );
    assert.ok(models[0] !== undefined && 'family' in models[0]);
    assert.deepEqual([models[0].family, models[0].bytes], ['llama', gguf.length]);
  });

  it('are passed over where a manifest is none, or names what is not there or not a file', async () => {
    const place = 'home/.ollama/models';
    put(`${place}/manifests/registry.ollama.ai/library/a/1`, '{');
    put(
      `${place}/manifests/registry.ollama.ai/library/b/1`,
      JSON.stringify({ layers: [{ mediaType: 'x', digest: '../../x' }] }),
    );
    put(`${place}/manifests/registry.ollama.ai/library/c/1`, ' '.repeat(1 << 19));
    pulled(place, 'library/d/1', null);
    assert.deepEqual((await find()).models, []);
    mkdirSync(scratch(`${place}/blobs`), { recursive: true });
    put('secret', gguf);
    symlinkSync(scratch('secret'), scratch(`${place}/blobs/sha256-${digest}`));
    assert.deepEqual((await find()).models, []);
  });

  it('are found in the folders of LM Studio, wherever these were put', async () => {
    put('home/.lmstudio/models/lmstudio-community/Qwen3-GGUF/Qwen3-Q8_0.gguf', gguf);
    put('home/.lmstudio/models/lmstudio-community/Qwen3-GGUF/mmproj-Qwen3.gguf', gguf);
    put('moved/models/p/big/big-00001-of-00002.gguf', gguf);
    put('moved/models/p/big/big-00002-of-00002.gguf', gguf);
    cpSync(FOLDER, scratch('moved/models/mlx/whole'), { recursive: true });
    assert.deepEqual(
      (await find()).models.map(({ name }) => name),
      ['lmstudio-community/Qwen3-GGUF/Qwen3-Q8_0.gguf'],
    );
    put('home/.lmstudio-home-pointer', `${scratch('moved')}\n`);
    assert.deepEqual(
      (await find()).models.map(({ name }) => name),
      ['mlx/whole', 'p/big/big-00001-of-00002.gguf', 'lmstudio-community/Qwen3-GGUF/Qwen3-Q8_0.gguf'],
    );
  });

  it('are not followed out of a store', async () => {
    const snapshot = cached('o--leads-out');
    put('elsewhere/config.json', readFileSync(join(FOLDER, 'config.json')));
    rmSync(join(snapshot, 'config.json'));
    symlinkSync(scratch('elsewhere/config.json'), join(snapshot, 'config.json'));
    symlinkSync(scratch('elsewhere'), scratch('home/.cache/huggingface/hub/models--o--link'));
    put('elsewhere/m.gguf', gguf);
    mkdirSync(scratch('home/.lmstudio/models/p/q'), { recursive: true });
    symlinkSync(scratch('elsewhere/m.gguf'), scratch('home/.lmstudio/models/p/q/m.gguf'));
    symlinkSync(scratch('elsewhere'), scratch('home/.lmstudio/models/p/r'));
    assert.deepEqual((await find()).models, []);
  });

  it('say why they are not read', async () => {
    pulled('home/.ollama/models', 'library/broken/1', gguf.subarray(0, 3000));
    const config = JSON.parse(readFileSync(join(FOLDER, 'config.json'), 'utf8'));
    const snapshot = cached('g--gemma');
    writeFileSync(
      join(snapshot, 'config.json'),
      JSON.stringify({ ...config, model_type: 'gemma3', architectures: ['Gemma3ForConditionalGeneration'] }),
    );
    const { models } = await find();
    const problems = models.map((model) => ('problem' in model ? model.problem : ''));
    assert.match(problems[0]!, /Gemma3ForConditionalGeneration|gemma3/);
    assert.match(problems[1]!, /ends too early/);
  });

  it('are looked at within a number of files and a time', async () => {
    for (let i = 0; i < 30; i++) put(`home/.lmstudio/models/p/m${i}/m.gguf`, gguf);
    const few = await find({}, { most: 20 });
    assert.equal(few.more, true);
    assert.ok(few.models.length < 20);
    const none = await find({}, { patience: -1 });
    assert.deepEqual([none.models.length, none.more], [0, true]);
    let now = 0;
    const budget = new Budget(5, 10, () => now);
    assert.deepEqual([budget.take(), budget.take()], [true, true]);
    now = 11;
    assert.deepEqual([budget.take(), budget.spent], [false, true]);
  });

  it('say whether the machine can hold them', async () => {
    const said = await describeModel(LLAMA, 1e9);
    assert.ok('parameters' in said);
    const { parameters } = said;
    for (const [memory, fits] of [
      [parameters * 8 * 1.3, 'yes'],
      [parameters * 2, 'in 4 bits'],
      [parameters * 1.5, 'no'],
    ] as const) {
      const at = await describeModel(LLAMA, memory);
      assert.equal('fits' in at ? at.fits : at.problem, fits);
    }
  });

  it('stand in one list with those of the workspace, of which nothing is read without trust', async () => {
    cached('a--one');
    put('work/m.gguf', gguf);
    put('work/deep/er/config.json', '{}');
    put('work/deep/er/model.safetensors', 'no tensors');
    const list = (trusted: boolean) => findModels([scratch('work')], { trusted, home: home(), env: {} });
    const trusted = (await list(true)).models;
    assert.deepEqual(
      trusted.map(({ source }) => source),
      ['builtin', 'workspace', 'workspace', 'huggingface'],
    );
    assert.deepEqual([trusted[0]!.family, trusted[0]!.latent], ['llama', true]);
    const [file, folder] = trusted.slice(1);
    assert.deepEqual([file!.family, file!.folder], ['llama', scratch('work/m.gguf')]);
    assert.ok(folder!.problem !== undefined);
    for (const model of (await list(false)).models.filter(({ source }) => source === 'workspace')) {
      assert.deepEqual(
        [model.family, model.bytes, model.problem, model.fits],
        [undefined, undefined, undefined, undefined],
      );
    }
  });

  it('are a command, whose paths are models', async () => {
    const before = { HF_HUB_CACHE: process.env.HF_HUB_CACHE, OLLAMA_MODELS: process.env.OLLAMA_MODELS };
    try {
      process.env.HF_HUB_CACHE = scratch('hub');
      process.env.OLLAMA_MODELS = scratch('ollama');
      cached('Qwen--Qwen3-0.6B', 'hub');
      pulled('ollama', 'library/llama3.2/1b');
      mkdirSync(scratch('work'));
      const { code, stdout, stderr } = await cola(['models'], { cwd: scratch('work') });
      assert.equal(code, 0, stderr);
      assert.match(stdout, /Qwen\/Qwen3-0\.6B +Hugging Face/);
      assert.match(stdout, /llama3\.2:1b +Ollama/);
      assert.match(stderr, /hf download OWNER\/NAME/);
      const { models } = JSON.parse((await cola(['models', '--json'], { cwd: scratch('work') })).stdout);
      const { name } = models.find(({ source }: { source: string }) => source === 'ollama');
      const generated = await cola(['generate', '--model', name, '--prompt', 'a', '--max-new', '2']);
      assert.equal(generated.code, 0, generated.stderr);
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
});
