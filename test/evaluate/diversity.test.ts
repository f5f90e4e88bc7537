import assert from 'node:assert/strict';
import { Decoder } from '../../server/cola/decoder.ts';
import { actionWalker, continueTexts, tokenWalker } from '../../server/evaluate/continuations.ts';
import { measureDiversity, readContinuations } from '../../server/evaluate/diversity.ts';
import { baseStepper } from '../../server/model/language-model.ts';
import { Random } from '../../server/random.ts';
import { meanState } from '../../server/train/measures/states.ts';
import { assertClose } from '../support/reference.ts';
import { colaOf, type Fixture, openFixture } from './fixture.ts';

const settings = { prefixes: 3, prefixTokens: 4, samples: 4, tokens: 6, temperatures: [] };

describe('continuations', () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await openFixture();
  });
  after(() => fixture.close());

  it('by greedy actions are those of the reference up to the end of its text', async () => {
    const { reference } = fixture;
    const decoder = new Decoder(fixture.device, colaOf(fixture));
    const [count, p] = reference.shape('in.gen.prompts');
    const prompts = reference.ints('in.gen.prompts');
    const prefixes = Array.from({ length: count }, (_, i) => prompts.subarray(i * p, (i + 1) * p));
    const steps = reference.shape('gen.greedy.tokens')[1];
    const expected = reference.ints('gen.greedy.tokens');
    // Two equal samples of each: the cache of a prefix is copied for them.
    const texts = await continueTexts(actionWalker(decoder, 'greedy', new Random(1)), prefixes, 2, steps);
    for (const [r, text] of texts.entries()) {
      const own = [...expected.subarray(Math.floor(r / 2) * steps, (Math.floor(r / 2) + 1) * steps)];
      const end = own.indexOf(-1) < 0 ? steps : own.indexOf(-1);
      assert.deepEqual([...text.subarray(0, end)], own.slice(0, end));
    }
    await decoder.dispose();
  });

  it('of prefixes with one token need nothing read before', async () => {
    const { subject, device } = fixture;
    const stepper = baseStepper(device, subject.base);
    const walker = tokenWalker(stepper, subject.base.config.vocabSize, 0, new Random(1));
    const [alone] = await continueTexts(walker, [Int32Array.of(5)], 1, 4);
    const [first, second] = await continueTexts(walker, [Int32Array.of(5)], 2, 4);
    assert.deepEqual(first, alone);
    assert.deepEqual(second, alone);
    await stepper.dispose();
  });

  it('have the base loss of their own tokens, and states of their own', async () => {
    const { subject, text, reference } = fixture;
    const [p, T] = [4, text.length];
    const row = (b: number) => text.ids.subarray(b * T, (b + 1) * T);
    // The text of the reference, cut into prefix and continuation.
    const prefixes = Array.from({ length: text.count }, (_, b) => row(b).subarray(0, p));
    const continuations = Array.from({ length: text.count }, (_, b) => row(b).subarray(p));
    const read = await readContinuations(subject, prefixes, continuations);
    const small = await readContinuations(subject, prefixes, continuations, T * subject.base.config.vocabSize);
    const logp = reference.floats('marginal.base_logp');
    const hidden = reference.floats('base.hidden');
    const { vocabSize: v, hiddenSize: d } = subject.base.config;
    for (let b = 0; b < text.count; b++) {
      let nats = 0;
      const mean = new Float64Array(d);
      for (let t = p; t < T; t++) {
        nats -= logp[(b * T + t - 1) * v + row(b)[t]];
        for (let i = 0; i < d; i++) mean[i] += hidden[(b * T + t) * d + i] / (T - p);
      }
      assertClose([read.quality[b]], [nats / (T - p)], 1e-5, 'quality');
      assertClose(read.pooled[b], mean, 1e-4, 'pooled');
      assertClose([small.quality[b]], [read.quality[b]], 1e-6, 'quality, one row a run');
      assertClose(small.pooled[b], read.pooled[b], 1e-5, 'pooled, one row a run');
    }
  });

  it('are compared around the mean state of the text', async () => {
    const { subject, text, reference } = fixture;
    const hidden = reference.floats('base.hidden');
    const d = subject.base.config.hiddenSize;
    const expected = new Float64Array(d);
    for (let i = 0; i < hidden.length; i++) expected[i % d] += (hidden[i] * d) / hidden.length;
    assertClose(await meanState(subject, text), expected, 1e-4);
  });
});

describe('diversity', () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await openFixture();
  });
  after(() => fixture.close());

  it('gives every way its quality, and a similarity where there are pairs', async () => {
    const found = await measureDiversity(fixture.subject, fixture.text, settings, 3);
    const ways = ['uniform_actions', 'policy_t1', 'policy_t2', 'sampled_tokens', 'random_tokens'];
    for (const way of ways) {
      assert(found[`${way}_quality`] > 0, way);
      assert(Math.abs(found[`${way}_similarity`]) <= 1, way);
    }
    for (const way of ['greedy_actions', 'greedy_tokens']) {
      assert(found[`${way}_quality`] > 0, way);
      assert(!(`${way}_similarity` in found), way);
    }
    // What the base finds likeliest has the lowest loss, tokens out of the blue the highest.
    assert(found.greedy_tokens_quality < found.sampled_tokens_quality);
    assert(found.sampled_tokens_quality < found.random_tokens_quality);
  });

  it('compares actions with tokens at equal quality over temperatures', async () => {
    const { subject, text } = fixture;
    const plain = await measureDiversity(subject, text, settings, 3);
    const temperatures = [0.5, 1, 2];
    const found = await measureDiversity(subject, text, { ...settings, temperatures }, 3);
    // What was there stays as it was.
    for (const [name, value] of Object.entries(plain)) assert.equal(found[name], value, name);
    for (const way of ['actions', 'tokens']) {
      for (const temperature of temperatures) {
        const figure = (name: string) => found[`${way}_at_${temperature}_${name}`];
        assert(figure('quality') > 0);
        assert(figure('distinct') > 0 && figure('distinct') <= 1);
        assert(figure('self_bleu') >= 0 && figure('self_bleu') <= 1);
      }
    }
    // Colder tokens are likelier ones.
    assert(found['tokens_at_0.5_quality'] < found.tokens_at_2_quality);
    if (found.gap_width !== undefined) assert(Math.abs(found.gap_distinct) <= 1);
  });

  it('is the same for the same seed, and another for another', async () => {
    const { subject, text } = fixture;
    const first = await measureDiversity(subject, text, settings, 11);
    assert.deepEqual(await measureDiversity(subject, text, settings, 11), first);
    const other = await measureDiversity(subject, text, settings, 12);
    for (const name of Object.keys(first)) {
      if (name.startsWith('greedy')) assert.equal(other[name], first[name]);
      else if (name.endsWith('quality')) assert.notEqual(other[name], first[name], name);
    }
  });
});
