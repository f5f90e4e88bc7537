import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import { Device } from '../../server/device/device.ts';
import { agreement, firstWord } from '../../server/evaluate/choice/agreement.ts';
import { BaseWriter } from '../../server/evaluate/choice/base-writer.ts';
import { measureChoice } from '../../server/evaluate/choice/choice.ts';
import { choicePlaces, placesIn } from '../../server/evaluate/choice/places.ts';
import { choiceReport, choiceWays } from '../../server/evaluate/choice/report.ts';
import { clusteredMean } from '../../server/evaluate/choice/statistics.ts';
import { Subject } from '../../server/evaluate/subject.ts';
import { generate } from '../../server/model/generate.ts';
import { baseStepper } from '../../server/model/language-model.ts';
import { Random } from '../../server/random.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { assertClose } from '../support/reference.ts';

const code = Array.from({ length: 40 }, (_, i) => `  const value${i} = call(${i}, [other, { name }]);`).join('\n');

describe('places of a choice', () => {
  const text = `${'x'.repeat(130)}\n  return call(first, second);\n\n}\n`;
  const rests = (kind: 'line' | 'word' | 'bracket') => placesIn(text, kind).map(({ rest }) => rest);

  it('are line beginnings, word beginnings and what follows a bracket, with enough on either side', () => {
    assert.deepEqual(rests('line'), ['return call(first, second);']);
    assert.deepEqual(rests('word'), ['call(first, second);', 'first, second);', 'second);']);
    assert.deepEqual(rests('bracket'), ['first, second);']);
    for (const { prefix, rest } of placesIn(text, 'word')) assert(text.startsWith(`${prefix}${rest}\n`));
  });

  it('never go over the end of a document', () => {
    const tokenizer = { decode: (ids: ArrayLike<number>) => Array.from(ids, (id) => String.fromCharCode(id)).join('') };
    const whole = `${'short\n'.repeat(3)}\0${'// a long part of a text\n'.repeat(10)}\0`;
    const ids = Int32Array.from(whole, (c) => c.charCodeAt(0));
    const found = choicePlaces(
      { ids, count: 1, length: ids.length },
      new Set([0]),
      tokenizer as never,
      9,
      new Random(1),
    );
    assert.deepEqual([...new Set(found.map(({ kind }) => kind))], ['line', 'word']);
    for (const { prefix } of found) assert(!prefix.includes('\0') && !prefix.includes('short'));
  });

  it('agree with what the author wrote in whole words only', () => {
    assert.equal(agreement('call(first, other)', 'call(first, second);'), 'call(first,'.length);
    assert.equal(agreement('cal', 'call(first'), 0);
    assert.equal(firstWord('  call(first)'), 'call');
  });

  it('count together where they are of one piece', () => {
    // Two pieces with means 1 and 0: the standard error is that of two values, sqrt(2 * (2*.25)*... )
    const apart = clusteredMean([1, 0, 1, 0], [0, 1, 2, 3]);
    assert.equal(apart.mean, 0.5);
    // Sums over clusters are the deviations .5, so the error is sqrt(4 * .25 * 4/3) / 4.
    assertClose([apart.high - apart.mean], [1.96 * (Math.sqrt((4 * 0.25 * 4) / 3) / 4)], 1e-12);
    const together = clusteredMean([1, 1, 0, 0], [0, 0, 1, 1]);
    // Sums are 1 and -1: sqrt(2 * 2/1) / 4.
    assertClose([together.high - together.mean], [1.96 * 0.5], 1e-12);
  });
});

describe('the measure choice', () => {
  let folder = '';
  let model = '';
  let device: Device;
  before(async () => {
    folder = await temporaryFolder();
    model = await makeModel(join(folder, 'model'));
    device = await Device.open('cpu', { threads: 1 });
  });
  after(async () => {
    await device.dispose();
    await removeFolder(folder);
  });

  it('has the base continue its likeliest first tokens greedily, as generation does', async () => {
    const { base } = await ColaModel.load(model);
    const { tokenizer } = base;
    assert(tokenizer !== undefined);
    const writer = new BaseWriter(device, base, tokenizer, 200, 4, 6);
    const stepper = baseStepper(device, base);
    const prefix = 'const a = 1;\n';
    const place = await writer.read(prefix);
    const { firstTokens: offers } = await writer.alone(place, [], new Random(1), AbortSignal.timeout(60_000));
    const ids = [...tokenizer.encode('', {}), ...tokenizer.encode(prefix, { addSpecialTokens: false })];
    const [plain] = await generate(stepper, base, [ids], { maxNewTokens: 6 });
    assert.equal(place.typed, '');
    assert(offers[0].text !== '' && (plain.text ?? '').startsWith(offers[0].text));
    // What it says of a text is what the text is read to be.
    const again = await writer.scored(place, [[...plain.ids]], AbortSignal.timeout(60_000));
    assertClose([again[0].nats], [offers[0].nats], 1e-5);
    const beam = await writer.beam(place, AbortSignal.timeout(60_000));
    assert(beam.length > 0 && new Set(beam.map(({ text }) => text)).size === beam.length);
    assert(beam[0].nats <= offers[0].nats + 1e-6);
    place.cache.dispose();
    await writer.dispose();
    await stepper.dispose();
  });

  it('reports every way at the same places, and the same for the same seed', async () => {
    const subject = await Subject.load(device, model);
    const cola = subject.with('world', 'policy');
    const { tokenizer } = subject.base;
    assert(cola !== undefined && tokenizer !== undefined);
    const ids = tokenizer.encode(code, { addSpecialTokens: false }).slice(0, 400);
    const text = { ids, count: 2, length: 200 };
    const settings = { places: 6, length: 200, alternatives: 3, tokens: 4 };
    const { figures, report } = await measureChoice(subject.context, cola, text, settings, 3);
    assert.deepEqual(choiceReport.parse(report), report);
    assert.deepEqual(report.places, { all: 6, line: 2, word: 2, bracket: 2 });
    for (const way of choiceWays) {
      assert(figures[`${way}_texts_3`] >= figures[`${way}_texts_1`], way);
      assert(figures[`${way}_texts_3`] <= 3 && figures[`${way}_word_3`] >= figures[`${way}_word_1`] - 1e-9, way);
    }
    assert(figures.first_tokens_nats_1 < figures.sampled_1_nats_1);
    const again = await measureChoice(subject.context, cola, text, settings, 3);
    for (const way of choiceWays.filter((each) => each !== 'actions'))
      assert.equal(again.figures[`${way}_nats_3`], figures[`${way}_nats_3`]);
    subject.dispose();
  });
});
