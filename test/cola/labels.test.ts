import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { readActions, readLabels } from '../../server/cola/actions-file.ts';
import { isRude } from '../../server/cola/rude.ts';
import { shownLabel } from '../../server/cola/shown-label.ts';
import { nameWords } from '../../server/cola/token-names.ts';
import { labelActions } from '../../server/evaluate/actions/labels.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { readSpec } from '../../server/spec/document.ts';
import { startRun } from '../../server/train/run/job.ts';
import { codes, makeModel } from '../engine/tiny-model.ts';

const box = resolve('assets/nano');
/** Of other makers, as far as they are at hand. */
const vocabularies = [box, ...['llama-gqa', 'qwen2', 'qwen3'].map((name) => resolve('test/fixtures/hf', name))];

describe('labels of latent actions', () => {
  it('are no rude words, though tokens may be', () => {
    for (const text of ['digit 9 / ass', 'part Fuck', 'word fucking']) assert.ok(isRude(text), text);
    for (const text of ['word class', 'part assistant', 'word pass', 'capital Scunthorpe'])
      assert.ok(!isRude(text), text);
    const token = (text: string, share: number) => ({ text, special: false, share });
    const [label] = labelActions([{ code: 3, usage: 0.1, tokens: [token('ass', 0.3), token('ets', 0.2)] }]);
    assert.ok(!isRude(label), label);
    assert.ok(readLabels(box, 64).every((each) => each === null || !isRude(each)));
  });

  it('are shown only where they can be read: of the box, and of any other vocabulary', () => {
    const pieces = /\bpart\b|(?:^|\s)[\p{L}]$|\/ \d/u;
    const box64 = readLabels(box, 64);
    for (const label of box64) assert.ok(label === null || !pieces.test(label), String(label));
    for (const label of ['open paren', 'end statement', 'new line', 'digit 0', 'close brace', 'next item'])
      assert.ok(box64.includes(label), label);
    for (const path of vocabularies) {
      const tokenizer = loadTokenizer(path);
      const some = fc.array(fc.nat(tokenizer.vocabSize - 1), { minLength: 1, maxLength: 4 });
      fc.assert(
        fc.property(some, fc.double({ min: 0.1, max: 1, noNaN: true }), (ids, share) => {
          const texts = ids.map((id) => tokenizer.decode([id])).filter((text) => text !== '');
          const tokens = texts.map((text, i) => ({ text, special: false, share: i === 0 ? share : (1 - share) / 4 }));
          const [label] = labelActions([{ code: 3, usage: 0.1, tokens }]);
          // Inside a word, where none of them is a word.
          const inside = texts.map((token) => ({ before: 'ab', token: token.trim(), after: 'cd' }));
          const shown = shownLabel({ code: 3, label, examples: inside });
          assert.ok(shown === null || (!pieces.test(shown) && !isRude(shown)), `${label} of ${JSON.stringify(texts)}`);
          // A label may name two kinds, with a stroke between.
          const quoted = /^(?:word|capital) (.+?)(?: \/ .+)?$/.exec(shown ?? '')?.[1];
          if (quoted !== undefined) assert.ok(['whole', 'name'].includes(quoted) || nameWords.has(quoted), `${shown}`);
        }),
        { numRuns: process.env.COLA_SLOW === '1' ? 300 : 75 },
      );
    }
  });

  it('name a word where it stands alone, and not where it is a piece of one', () => {
    const at = (before: string, token: string, after: string) => ({ before, token, after });
    const shown = (label: string, ...examples: ReturnType<typeof at>[]) => shownLabel({ code: 7, label, examples });
    assert.equal(shown('word with', at('work', ' with', ' it')), 'word with');
    assert.equal(shown('word de', at('const', ' de', 'ps = 1')), null);
    assert.equal(shown('capital Map', at('new ', 'Map', '()')), 'capital Map');
    assert.equal(shown('capital Map', at('new ', 'Map', 'ping')), null);
    assert.equal(shown('property length', at('items', '.length', ' > 0')), 'property length');
    // Nothing attests it.
    assert.equal(shown('word with'), null);
    // The number that makes it one of its own stands beside it.
    assert.equal(shown('new line 7'), 'new line');
    assert.equal(shown('new line indent 7'), 'new line indent 7');
    assert.equal(shown('code 7'), null);
    // What somebody wrote into the file.
    assert.equal(shown('greet the user'), 'greet the user');
    assert.equal(shown('x y'), null);
  });

  it('go with the model that is tuned from one that has them', async function () {
    this.timeout(120_000);
    const root = mkdtempSync(join(tmpdir(), 'cola-test-'));
    try {
      const specFile = join(root, 'short.cola.yaml');
      const settings =
        '{ prompts: { task: countdown, format: compact }, reward: { countdown: { form: compact } }, steps: 1, batch: 1, group: 2, max_new: 4, evaluate_rows: 1, evaluate_samples: 1 }';
      const labelled = await makeModel(join(root, 'labelled'));
      writeFileSync(specFile, `model: labelled\ndevice: cpu\nthreads: 1\nstages:\n  - reinforce: ${settings}\n`);
      const { signal } = new AbortController();
      const spec = readSpec(specFile);
      const { model } = await startRun({ root, runId: 'short', spec, specFile, signal, measure: async () => {} });
      const found = readActions(model, codes);
      assert.ok((found?.actions.length ?? 0) > 0);
      assert.deepEqual(found, readActions(labelled, codes));
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
