import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LanguageModel } from '../../server/model/language-model.ts';

const source = fileURLToPath(new URL('../fixtures/hf/llama-gqa/', import.meta.url));

describe('end tokens', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cola-ends-'));
    cpSync(source, folder, { recursive: true });
    rmSync(join(folder, 'generation_config.json'), { force: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const change = (name: string, values: object) => {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...values }));
  };
  const ends = async () => [...(await LanguageModel.load(folder)).endIds].sort((a, b) => a - b);

  it('are those of all three files', async () => {
    change('config.json', { eos_token_id: 315 });
    change('tokenizer_config.json', { eos_token: '<|begin_of_text|>' });
    assert.deepEqual(await ends(), [314, 315]);
    writeFileSync(join(folder, 'generation_config.json'), '{"eos_token_id": [7, 315]}');
    assert.deepEqual(await ends(), [7, 314, 315]);
  });

  it('are those of the tokenizer where no other file names one', async () => {
    change('config.json', { eos_token_id: null });
    change('tokenizer_config.json', { eos_token: '<|end_of_text|>' });
    assert.deepEqual(await ends(), [315]);
    change('tokenizer_config.json', { eos_token: null });
    assert.deepEqual(await ends(), []);
  });
});
