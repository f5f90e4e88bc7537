import assert from 'node:assert/strict';
import { join } from 'node:path';
import { complete } from '../../server/completion/complete.ts';
import { DraftLength, Drafts } from '../../server/completion/drafts.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { completionParams } from '../../server/protocol/completion.ts';
import { Scheduler } from '../../server/schedule/scheduler.ts';
import { makeModel, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('guesses of how a text goes on', () => {
  it('are what followed where the longest end of the text stood, the latest of these', () => {
    const drafts = new Drafts();
    assert.deepEqual(drafts.propose([1, 2, 3, 9, 1, 2, 4, 2], 3), [4, 2]);
    assert.deepEqual(drafts.propose([1, 2, 3, 9, 8, 2, 4, 1, 2], 3), [3, 9, 8]);
    assert.deepEqual(drafts.propose([5, 6, 7], 3), []);
  });

  it('come from completions too, and from those first', () => {
    const drafts = new Drafts();
    drafts.remember([7, 1, 2], [3, 4, 5]);
    assert.deepEqual(drafts.propose([1, 2, 9, 9, 1, 2], 2), [3, 4]);
    assert.deepEqual(drafts.propose([0, 0, 7, 1, 2, 3], 5), [4, 5]);
  });

  it('come from a text that was offered, as far as what was typed since agrees with it', () => {
    const drafts = new Drafts();
    const encode = (text: string) => [...text].map((c) => c.charCodeAt(0));
    drafts.offered('let a', ['bc', 'xy']);
    drafts.follow('let ab', encode('let ab'), encode);
    assert.deepEqual(drafts.propose(encode('let ab'), 9), encode('c'));
    drafts.follow('let ax', encode('let ax'), encode);
    assert.deepEqual(drafts.propose(encode('let ax'), 9), encode('y'));
    drafts.follow('other', encode('other'), encode);
    assert.deepEqual(drafts.propose(encode('other'), 9), []);
  });

  it('are as long as they have been right, and come back after they were not', () => {
    const lengths = new DraftLength();
    const alone = () => lengths.choose([40]);
    for (let i = 0; i < 20; i++) lengths.learn(0, true);
    assert.equal(alone(), 0);
    assert.equal(lengths.choose([40, 40, 40]), 1, 'places in a run that costs the same anyway are used');
    for (let i = 0; i < 60; i++) lengths.learn(7, false);
    assert.equal(alone(), 31);
    assert.equal(lengths.choose([0]), 0, 'there is nothing to guess with');
  });

  describe('in completion', () => {
    let folder = '';
    before(async () => {
      folder = await temporaryFolder();
      await makeModel(join(folder, 'model'));
    });
    after(() => removeFolder(folder));

    /** Texts while somebody types, and the runs they took. */
    async function type(remembering: boolean): Promise<{ texts: string[][]; runs: number }> {
      const model = await LoadedModel.load({ folder: join(folder, 'model'), device: 'cpu', threads: 1 });
      const { reader } = model.prefix;
      const step = reader.step.bind(reader);
      let runs = 0;
      reader.step = (...given) => {
        runs++;
        return step(...given);
      };
      if (!remembering) model.drafts.propose = () => [];
      const scheduler = new Scheduler();
      const document = 'const items = [1, 2, 3];\nconst total = items.reduce(';
      const texts: string[][] = [];
      for (let end = document.length - 8; end <= document.length; end++) {
        for (const alternatives of [1, 5]) {
          const params = completionParams.parse({ prefix: document.slice(0, end), fill: false, alternatives });
          const { done } = scheduler.submit('interactive', (signal) => complete(model, params, signal));
          texts.push((await done).alternatives.map(({ text }) => text));
        }
      }
      await model.release();
      return { texts, runs };
    }

    it('change no text, and save runs', async () => {
      const [plain, guessed] = [await type(false), await type(true)];
      assert.deepEqual(guessed.texts, plain.texts);
      assert.ok(guessed.runs < 0.9 * plain.runs, `${guessed.runs} runs in place of ${plain.runs}`);
    });
  });
});
