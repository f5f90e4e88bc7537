import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import { Decoder } from '../../server/cola/decoder.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { locate, placesOf } from '../../server/completion/locate.ts';
import { profilesOf } from '../../server/engine/profiles.ts';
import { baseStepper } from '../../server/model/language-model.ts';
import { argmaxOf, probabilities } from '../../server/model/sampling.ts';
import { locateParams } from '../../server/protocol/pages/actions.ts';
import { errorOf } from '../store/scratch.ts';
import { codes, makeModel, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('where actions fire', () => {
  let folder = '';
  let model: LoadedModel;

  before(async () => {
    folder = await temporaryFolder();
    model = await LoadedModel.load({ folder: await makeModel(join(folder, 'model')), device: 'cpu', threads: 1 });
  });
  after(async () => {
    await model.release();
    await removeFolder(folder);
  });

  async function ask(params: object, signal = new AbortController().signal) {
    const job = locate(model, locateParams.parse(params), signal);
    for (;;) {
      const { done, value } = await job.next();
      if (done) return value;
    }
  }

  it('is said for every token by the policy that decodes', async () => {
    const text = 'const total = items.map((x) => x + 1);\n';
    const { tokens, labels, inverse } = await ask({ text });
    const ids = [...model.tokenizer.encode(text, { addSpecialTokens: false })];
    const start = [...model.tokenizer.encode('')];
    assert.equal(tokens.length, ids.length + Math.min(0, start.length - 1));
    assert.equal(tokens.map(({ start, end }) => text.slice(start, end)).join(''), text.slice(tokens[0].start));
    assert.deepEqual([labels[3], inverse], ['declare const', true]);
    // The step that decodes says the same, token by token.
    const decoder = new Decoder(model.device, model.cola);
    const cache = await decoder.cache(1, 64);
    const all = [...start, ...ids];
    for (const [i, token] of tokens.entries()) {
      const at = all.length - tokens.length + i;
      const { policyLogits } = await decoder.step(cache, [i === 0 ? all.slice(0, at) : [all[at - 1]]]);
      assert.equal(token.action, argmaxOf(policyLogits, 0, codes), `token ${i}`);
      assert.ok(Math.abs(token.probability - probabilities(policyLogits, 0, codes)[token.action]) < 1e-4);
    }
    cache.dispose();
    await decoder.dispose();
  });

  it('comes with what the base finds likelier than what was written, and by how much', async () => {
    const text = 'const total = items.map((x) => x + 1);\n';
    const { tokens } = await ask({ text, source: 'better' });
    const plain = await ask({ text });
    assert.deepEqual(
      tokens.map(({ instead: _, ...token }) => token),
      plain.tokens,
    );
    const ids = [...model.tokenizer.encode('')].concat([...model.tokenizer.encode(text, { addSpecialTokens: false })]);
    const stepper = baseStepper(model.device, model.cola.base);
    const cache = await stepper.cache(1, 64);
    const { vocabSize } = model.cola.base.config;
    for (const [i, token] of tokens.entries()) {
      const at = ids.length - tokens.length + i;
      const { logits } = await stepper.advance(cache, [i === 0 ? ids.slice(0, at) : [ids[at - 1]]]);
      const values = await logits.readFloats();
      logits.release();
      const best = argmaxOf(values, 0, vocabSize);
      assert.equal(token.instead?.text, best === ids[at] ? undefined : model.tokenizer.decode([best]), `token ${i}`);
      if (token.instead !== undefined)
        assert.ok(Math.abs(token.instead.nats - (values[best] - values[ids[at]])) < 1e-3);
    }
    assert.ok(tokens.some(({ instead }) => instead !== undefined));
    cache.dispose();
    await stepper.dispose();
  });

  it('does not depend on how much is asked at once', async () => {
    for (const lines of [20, 120]) {
      const text = Array.from({ length: lines }, (_, i) => `let value${i} = ${i};\n`).join('');
      const { tokens } = await ask({ text });
      const from = Math.floor(text.length / 2);
      const part = (await ask({ text, from, to: from + 150 })).tokens;
      assert.ok(part.length > 20);
      assert.ok(part.every(({ start, end }) => end > from && start < from + 150));
      const known = new Map(tokens.map((token) => [token.start, token]));
      const same = part.filter(({ start, action }) => known.get(start)?.action === action).length;
      // A long text is read in windows, which begin elsewhere: what lies far back may be cut differently.
      assert.ok(same >= (lines === 20 ? 1 : 0.6) * part.length, `${same} of ${part.length}, ${lines} lines`);
    }
  });

  it('can be asked of the inverse dynamics, which sees the token', async () => {
    const text = 'return a;\n';
    const [policy, inverse] = [await ask({ text }), await ask({ text, source: 'inverse' })];
    assert.deepEqual(
      inverse.tokens.map(({ start }) => start),
      policy.tokens.map(({ start }) => start),
    );
    assert.ok(inverse.tokens.every(({ action, probability }) => action < codes && probability > 1 / codes));
  });

  it('is nothing for no text, and can be broken off', async () => {
    assert.deepEqual((await ask({ text: '' })).tokens, []);
    const reason = new Error('enough');
    await assert.rejects(ask({ text: 'const a = 1;' }, AbortSignal.abort(reason)), reason);
  });

  it('is found again in a text that the tokenizer changed', () => {
    assert.deepEqual(placesOf('ab  cd', ['ab', ' ', ' cd']), [
      { start: 0, end: 2 },
      { start: 2, end: 3 },
      { start: 3, end: 6 },
    ]);
    assert.deepEqual(placesOf('a\u00e9b', ['a', 'e\u0301', 'b']), [
      { start: 0, end: 1 },
      { start: 1, end: 1 },
      { start: 2, end: 3 },
    ]);
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (pieces) => {
        const places = placesOf(pieces.join(''), pieces);
        assert.equal(places.map(({ start, end }) => pieces.join('').slice(start, end)).join(''), pieces.join(''));
      }),
    );
  });

  it('has profiles beside the model, or says why not', async () => {
    const found = profilesOf(join(folder, 'model'));
    assert.equal(found.codes, codes);
    assert.equal(found.file?.actions[0].label, 'declare const');
    assert.throws(() => profilesOf(folder), errorOf('cola.noCola'));
  });
});
