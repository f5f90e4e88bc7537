import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { complete } from '../../server/completion/complete.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { firstWord } from '../../server/evaluate/choice/agreement.ts';
import { completionParams } from '../../server/protocol/completion.ts';
import { Scheduler } from '../../server/schedule/scheduler.ts';
import { resolveModel } from '../../server/spec/document.ts';

/** The example that the walkthrough opens, up to its cursor. */
function walkthrough(): string {
  const [, example] = /const example = `([^`]*)`/.exec(readFileSync('src/walkthrough.ts', 'utf8')) ?? [];
  assert(example !== undefined);
  return example;
}

describe('the model in the box, where somebody tries it first', function () {
  this.timeout(120_000);
  let model: LoadedModel;
  const scheduler = new Scheduler();
  before(async () => {
    model = await LoadedModel.load({
      folder: resolveModel('builtin:nano', resolve('from')),
      device: 'cpu',
      threads: 1,
    });
  });
  after(() => model.release());

  const ask = async (prefix: string, alternatives: number) => {
    const params = completionParams.parse({ prefix, fill: false, alternatives, maxTokens: 16 });
    const { done } = scheduler.submit('interactive', (signal) => complete(model, params, signal));
    return (await done).alternatives.map(({ text }) => text);
  };

  it('goes on with what the walkthrough’s example is about', async () => {
    const [first] = await ask(walkthrough(), 1);
    assert.match(first, /^sum\b.*\bitems?\b.*;$/);
  });

  const places = [
    walkthrough(),
    'export function isEmpty(list: string[]): boolean {\n  return ',
    'function clamp(value: number, low: number, high: number) {\n  if (value < low) {\n    ',
    'export async function load(path: string): Promise<string> {\n  const text = await ',
    'switch (kind) {\n  case ',
    'for (const ',
  ];
  for (const prefix of places) {
    it(`offers eight beginnings behind ${JSON.stringify(prefix.slice(-24))}, and shows the first where it shows one`, async () => {
      const texts = await ask(prefix, 8);
      assert.equal(new Set(texts).size, texts.length);
      assert.ok(new Set(texts.map(firstWord)).size >= 6, texts.join('\n'));
      assert.equal((await ask(prefix, 1))[0], texts[0]);
    });
  }
});
