import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { endOfLine } from '../../server/completion/stop.ts';
import { agreement } from '../../server/evaluate/choice/agreement.ts';
import { historyOf } from '../../server/feedback/history.ts';
import { generate } from '../../server/model/generate.ts';
import { baseStepper } from '../../server/model/language-model.ts';
import { Random } from '../../server/random.ts';
import { feedbackSettings } from '../../server/spec/settings/feedback.ts';
import { tryBase } from '../../server/tuning/base-writer.ts';
import { experimentTable, shuffled, simulate, textsLines } from '../../server/tuning/experiment.ts';
import { placesOf, SimulatedPerson } from '../../server/tuning/simulated-person.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';

const folder = join(import.meta.dirname, '../../server/train');
const texts = [
  'optimizer/adamw.ts',
  'optimizer/schedule.ts',
  'reinforce/rollout.ts',
  'reinforce/advantages.ts',
  'optimizer/weights.ts',
  'data.ts',
].map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

describe('a simulated person', () => {
  let root = '';
  let model = '';
  before(async () => {
    root = await temporaryFolder();
    model = await makeModel(join(root, 'model'));
  });
  after(() => removeFolder(root));

  it('takes what the author wrote, in whole words', () => {
    assert.equal(agreement('total = sum(items);', 'total = sum(items);'), 19);
    assert.equal(agreement('total = count(items);', 'total = sum(items);'), 7);
    assert.equal(agreement('tot', 'total = 1'), 0);
    assert.equal(agreement('total = sum', 'total = sums(x)'), 7);
    assert.equal(agreement('', 'total'), 0);
    assert.equal(agreement('x', ''), 0);
  });

  it('looks at places where words begin, and knows what was written there', () => {
    const places = placesOf(texts, 40, new Random(3));
    assert.equal(places.length, 40);
    for (const { name, prefix, rest } of places) {
      const whole = texts.find((text) => text.name === name)?.text ?? '';
      assert.ok(whole.includes(prefix + rest));
      assert.ok(/^[\p{L}\p{N}_$]/u.test(rest) && !/[\p{L}\p{N}_$]$/u.test(prefix), JSON.stringify(rest));
    }
    assert.deepEqual(placesOf(texts, 40, new Random(3)), places);
  });

  it('leaves a log that says what they did', async () => {
    const loaded = await LoadedModel.load({ folder: model, device: 'cpu', threads: 1 });
    try {
      const person = new SimulatedPerson(loaded, 4, 4);
      const places = placesOf(texts, 40, new Random(5));
      let written = 0;
      for (const [i, place] of places.entries()) {
        const other = await person.sit(place, `a${i}`, 1);
        // An author who writes just what the second alternative says, and the first does not.
        const text = other.alternatives[1]?.text ?? '';
        const rest = `${text.trimEnd()} // `;
        if (agreement(text, rest) === 0 || agreement(other.alternatives[0].text, rest) > 0) continue;
        const sitting = await person.sit({ ...place, rest }, `b${i}`, 2);
        const [moment] = historyOf(sitting.lines);
        assert.equal(sitting.taken, 1);
        assert.ok(moment.outcomes[0].passed && moment.outcomes[1].accepted === sitting.characters);
        const moved = historyOf(shuffled(sitting.lines, new Random(1)))[0];
        assert.equal(moved.outcomes.filter(({ accepted }) => accepted > 0).length, 1);
        written++;
        break;
      }
      assert.equal(written, 1, 'no place where the alternatives differ');
      const [place] = places;
      const refused = historyOf((await person.sit({ ...place, rest: '\u0001' }, 'c', 3)).lines)[0];
      assert.equal(refused.outcomes.at(-1)?.rejected, 'typed');
    } finally {
      await loaded.release();
    }
  });

  it('has the base alone beside it, which is taken where it writes what the author did', async () => {
    const loaded = await LoadedModel.load({ folder: model, device: 'cpu', threads: 1 });
    const { signal } = new AbortController();
    const stepper = baseStepper(loaded.device, loaded.cola.base);
    try {
      const { tokenizer } = loaded;
      const places = [];
      let [taken, saved] = [0, 0];
      for (const prefix of ['let a = b;\n', 'function f(', 'return a.']) {
        const [written] = await generate(stepper, loaded.cola.base, [tokenizer.encode(prefix)], { maxNewTokens: 4 });
        const text = written?.text ?? '';
        const line = text.slice(0, endOfLine(text)?.length);
        // An author who wrote the same, and one who wrote something else.
        places.push({ name: 'a.ts', prefix, rest: `${line} // ` }, { name: 'a.ts', prefix, rest: '\u0001' });
        const agreed = agreement(line, `${line} // `);
        if (agreed > 0) taken++;
        saved += agreed;
      }
      assert.ok(taken > 0);
      const trial = await tryBase(loaded, places, 'greedy', 4, signal);
      assert.deepEqual(trial, { first: taken / places.length, savedFirst: saved / places.length });
      const drawn = await tryBase(loaded, places, 'sampled', 4, signal);
      assert.deepEqual(await tryBase(loaded, places, 'sampled', 4, signal), drawn);
    } finally {
      await stepper.dispose();
      await loaded.release();
    }
  });

  it('makes an experiment that can be repeated to the last digit', async () => {
    const run = () =>
      simulate({
        folder: model,
        device: 'cpu',
        threads: 1,
        texts,
        seeds: [1],
        events: 6,
        places: 3,
        settings: feedbackSettings.parse({}),
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
    const still = ({ before, tuned, shuffled: control }: Awaited<ReturnType<typeof run>>) =>
      [before, ...tuned, ...control].map((trial) => ({ ...trial, milliseconds: 0, seconds: 0 }));
    const [one, two] = [await run(), await run()];
    assert.deepEqual(still(one), still(two));
    assert.equal(one.tuned.length, 1);
    assert.deepEqual(one.base, two.base);
    const table = experimentTable(one);
    assert.deepEqual(table[0]?.slice(-2), ['base, greedy', 'base, sampled']);
    assert.ok(table.every((row) => row.length === 8));
    const files = ({ texts: [outcome] }: typeof one) => {
      const still = ({ given, shuffled: mixed, ...more }: typeof outcome) =>
        [given, mixed].map((each) => ({ ...each, ...more, milliseconds: 0 }));
      return still(outcome);
    };
    assert.deepEqual(files(one), files(two));
    assert.ok(one.texts[0].files > 0);
    assert.equal(textsLines(one).length, 1);
    assert.ok(Number.isFinite(one.before.loss) && one.before.first <= one.before.any);
  });
});
