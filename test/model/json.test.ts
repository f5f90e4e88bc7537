import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { exportModel } from '../../server/cola/export.ts';
import { SafetensorsFile } from '../../server/files/safetensors.ts';
import { loadModelConfig } from '../../server/model/config/config.ts';
import { parseModelJson, readModelText, withDtype } from '../../server/model/json.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const HF = join(import.meta.dirname, '../fixtures/hf');
const parse = (text: string) => parseModelJson(text, 'config.json');

describe('JSON of a model folder', () => {
  const scratch = scratchFolder();

  it('may hold the numbers that Python writes', () => {
    assert.deepEqual(parse('{"a": Infinity, "b": [-Infinity, NaN,1], "c":NaN}'), {
      a: Infinity,
      b: [-Infinity, Number.NaN, 1],
      c: Number.NaN,
    });
    const text = '{"a NaN \\" Infinity": "-Infinity, \\\\", "b": NaN}';
    assert.deepEqual(parse(text), { 'a NaN " Infinity': '-Infinity, \\', b: Number.NaN });
    for (const wrong of ['{"a": nan}', '{"a": Infinityy}', '{"a": NaN', '{"a": +Infinity}', 'Na']) {
      assert.throws(() => parse(wrong), errorOf('config.json', /config\.json/), wrong);
    }
  });

  it('is what JSON.parse makes of it otherwise, with a byte order mark or not', () => {
    fc.assert(
      fc.property(fc.json(), fc.boolean(), (text, mark) => {
        assert.deepEqual(parse((mark ? '\ufeff' : '') + text), JSON.parse(text));
      }),
    );
  });

  it('is refused with its comments named, with absurd nesting, and of absurd size', () => {
    for (const text of ['{"a": 1} // one', '{\n# two\n"a": 1}', '{/* three */"a": 1}'])
      assert.throws(() => parse(text), errorOf('config.comments', /comments/));
    assert.throws(() => parse('{"url": "http://a//b", "a": }'), errorOf('config.json'));
    assert.throws(() => parse('['.repeat(1e6)), errorOf('config.tooDeep'));
    assert.throws(() => parse(`${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`), errorOf('config.tooDeep', /64/));
    // In a string, and unclosed, brackets and quotes take no time.
    assert.equal(parse(JSON.stringify('[{"'.repeat(1e5))), '[{"'.repeat(1e5));
    assert.throws(() => parse(`"${'\\"'.repeat(1e6)}`), errorOf('config.json'));
    writeFileSync(scratch('config.json'), ' '.repeat(1000));
    assert.throws(() => readModelText(scratch('config.json'), 999), errorOf('config.tooLarge', /1000 bytes/));
    mkdirSync(scratch('folder'));
    assert.throws(() => readModelText(scratch('folder'), 999), errorOf('config.cannotRead', /regular file/));
    assert.throws(() => readModelText('/dev/zero', 999), errorOf('config.cannotRead', /regular file/));
    assert.equal(readModelText(scratch('nothing'), 999), undefined);
  });

  it('is a config that transformers reads', async () => {
    cpSync(join(HF, 'llama-gqa/config.json'), scratch('config.json'));
    const plain = await loadModelConfig(scratch());
    const text = readFileSync(scratch('config.json'), 'utf8');
    writeFileSync(scratch('config.json'), text.replace('{', '{"some_limit": Infinity, "other": NaN,'));
    assert.deepEqual(await loadModelConfig(scratch()), plain);
    writeFileSync(scratch('config.json'), text.replace(/"rms_norm_eps": [^,]*/, '"rms_norm_eps": NaN'));
    await assert.rejects(loadModelConfig(scratch()), errorOf('config.value', /rms_norm_eps/));
  });
});

describe('the number format in config.json', () => {
  const scratch = scratchFolder();

  it('is replaced where it stands, and nothing else', () => {
    const text =
      '{\n  "a": {"dtype": "x", "torch_dtype": [1]},\n  "torch_dtype" : "bfloat16" ,\n  "b": NaN, "c": "dtype"}\n';
    assert.equal(withDtype(text, 'float32'), text.replace('"bfloat16"', '"float32"'));
    assert.equal(withDtype('{"dtype":null}', 'float16'), '{"dtype":"float16"}');
    assert.equal(
      withDtype('{"dtype": "bfloat16", "torch_dtype": "bfloat16"}', 'float32'),
      '{"dtype": "float32", "torch_dtype": "float32"}',
    );
    assert.equal(withDtype('{"d\\u0074ype": "a,}\\""}', 'float32'), '{"d\\u0074ype": "float32"}');
  });

  it('is added where there is none', () => {
    assert.equal(withDtype('{\n  "a": 1\n}', 'float32'), '{\n  "torch_dtype": "float32",\n  "a": 1\n}');
    assert.equal(withDtype('{}', 'float32'), '{"torch_dtype": "float32"}');
  });

  it('is the one that is asked for in any object, whose other members stay', () => {
    const key = fc.constantFrom('dtype', 'torch_dtype', 'a', 'b"', 'text_config');
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), fc.constantFrom(undefined, 1, '\t'), (json, indent) => {
        const { dtype, torch_dtype, ...rest } = JSON.parse(withDtype(JSON.stringify(json, null, indent), 'bfloat16'));
        assert.ok([dtype, torch_dtype].every((value) => value === undefined || value === 'bfloat16'));
        assert.ok(dtype !== undefined || torch_dtype !== undefined);
        const { dtype: _, torch_dtype: __, ...others } = JSON.parse(JSON.stringify(json));
        assert.deepEqual(rest, others);
      }),
    );
  });

  it('is that of the weights beside it, after training and after an export', async () => {
    const base = await LanguageModel.load(join(HF, 'llama-tied-bf16'));
    const original = readFileSync(join(HF, 'llama-tied-bf16/config.json'), 'utf8');
    assert.match(original, /"dtype": "bfloat16"/);
    const formatIn = (folder: string) => {
      using file = SafetensorsFile.open(scratch(folder, 'model.safetensors'));
      return file.info('model.norm.weight').dtype;
    };
    const textIn = (folder: string) => readFileSync(scratch(folder, 'config.json'), 'utf8');
    await base.save(scratch('tuned'));
    assert.equal(formatIn('tuned'), 'F32');
    assert.equal(textIn('tuned'), original.replace('"bfloat16"', '"float32"'));
    for (const [folder, dtype, name] of [
      ['half', 'F16', 'float16'],
      ['brain', 'BF16', 'bfloat16'],
      ['full', 'F32', 'float32'],
    ] as const) {
      const { largest } = await exportModel(scratch('tuned'), scratch(folder), dtype);
      assert.equal(formatIn(folder), dtype);
      assert.equal(textIn(folder), original.replace('"bfloat16"', `"${name}"`));
      // The weights were bfloat16: they are that again without loss.
      if (dtype !== 'F16') assert.equal(largest, 0);
    }
  });
});
