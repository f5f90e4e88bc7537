import assert from 'node:assert/strict';
import { join } from 'node:path';
import { worldModelAll } from '../../server/cola/modules.ts';
import { complete } from '../../server/completion/complete.ts';
import { givenTyped, Vocabulary } from '../../server/completion/healing.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { probabilities } from '../../server/model/sampling.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { completionParams } from '../../server/protocol/completion.ts';
import { Scheduler } from '../../server/schedule/scheduler.ts';
import { resolvePath } from '../../server/spec/paths.ts';
import { codes, makeModel, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('the word at the cursor', () => {
  const tokenizer = loadTokenizer(resolvePath('builtin:nano', ''));
  const vocabulary = new Vocabulary(tokenizer, 4096);
  const tail = (text: string) => vocabulary.tailOf([...tokenizer.encode(text, { addSpecialTokens: false })]);

  it('is taken back as far as tokens go on from it', () => {
    assert.equal(tail('const ')?.text, ' ');
    assert.equal(tail('const retu')?.text, ' retu');
    assert.equal(tail('const ')?.count, 1);
    assert.ok((tail('const retu')?.count ?? 0) > 1, 'several tokens, of which one would have been');
    assert.equal(tail('a <')?.text, ' <');
  });

  it('stays where no token goes on, over a line break, and where nothing would be left', () => {
    assert.equal(tail('a\n    '), undefined);
    assert.equal(tail('zqzqzqzq')?.text.includes('zqzqzqzq') ?? false, false);
    assert.equal(tail('x'), undefined);
  });

  it('goes on behind a blank with anything but another blank', () => {
    for (const typed of [' ', '  ', '\t']) {
      const bias = vocabulary.biasFor(typed, -1);
      for (const [id, forbidden] of bias.entries()) {
        const text = tokenizer.decode([id], { skipSpecialTokens: true, continuation: true });
        const goesOn = text.startsWith(typed) && text.length > typed.length && !/\s/.test(text[typed.length]!);
        assert.equal(forbidden === 0, goesOn, JSON.stringify(text));
      }
    }
    const idOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: false })[0]!;
    assert.ok(vocabulary.blankAgain('const ', idOf(' ')));
    assert.ok(vocabulary.blankAgain('const ', idOf(' name')));
    assert.ok(!vocabulary.blankAgain('const ', idOf('name')));
    assert.ok(!vocabulary.blankAgain('const', idOf(' name')));
    assert.ok(!vocabulary.blankAgain('{\n  ', idOf(' name')), 'a line may be indented further');
  });

  it('goes on if that is more likely than that it has ended, by all actions together', () => {
    const policy = Float32Array.of(0, 0, Math.log(2));
    const log = (...p: number[]) => Float32Array.from(p, Math.log);
    const outlook = (on: Float32Array, ended: Float32Array) => ({
      tokens: new Int32Array(3),
      goesOn: on,
      asTyped: ended,
    });
    const on = outlook(log(0.8, 0.1, 0.4), log(0.1, 0.4, 0.3));
    const logits = givenTyped(policy, on, () => true);
    assert.ok(logits !== undefined);
    const p = probabilities(logits, 0, 3);
    // pi = 1/4, 1/4, 1/2: joint 0.2, 0.025, 0.2.
    for (const [i, want] of [0.2, 0.025, 0.2].entries()) assert.ok(Math.abs(p[i] - want / 0.425) < 1e-6);
    const pinned = givenTyped(policy, on, (action) => action === 1);
    assert.deepEqual(pinned && [...probabilities(pinned, 0, 3)], [0, 1, 0]);
    assert.equal(
      givenTyped(policy, outlook(log(0.1, 0.1, 0.1), log(0.2, 0.2, 0.2)), () => true),
      undefined,
    );
  });

  describe('in completion', () => {
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

    it('is looked up under every code, as the world model has it', async () => {
      const { reader } = model.prefix;
      const { base, config } = model.cola;
      const { state } = await reader.read([5, 900, 17], 0);
      const bias = vocabulary.biasFor(' re', -1e6);
      const typed = tokenizer.encode(' re', { addSpecialTokens: false })[0];
      const found = await reader.nextWord(state, bias, typed);
      const graph = new Graph();
      const logits = worldModelAll(graph, base.config, config, graph.input('state', 'float32', [1, state.length]));
      const program = await model.device.compile({ logits }, { frozen: model.cola.allWeights });
      const out = await program.run({ state });
      const all = await out.logits.readFloats();
      for (let code = 0; code < codes; code++) {
        const p = probabilities(all.slice(code * 4096, (code + 1) * 4096), 0, 4096);
        let [on, best] = [0, -1];
        for (const [id, x] of p.entries()) {
          if (bias[id] !== 0) continue;
          on += x;
          if (best < 0 || x > p[best]) best = id;
        }
        assert.equal(found.tokens[code], best);
        assert.ok(Math.abs(Math.exp(found.goesOn[code]) - on) < 1e-5 * on + 1e-9);
        assert.ok(Math.abs(Math.exp(found.asTyped[code]) - p[typed]) < 1e-5 * p[typed] + 1e-9);
      }
      out.logits.release();
      await program.dispose();
    });

    it('is never a blank that is answered with more blanks', async () => {
      const scheduler = new Scheduler();
      for (const alternatives of [1, 8]) {
        for (const prefix of ['const ', 'return ', 'x = ', 'let a, ', 'if (a <  ', 'a\t']) {
          const params = completionParams.parse({ prefix, fill: false, alternatives, maxTokens: 3 });
          const { done } = scheduler.submit('interactive', (signal) => complete(model, params, signal));
          for (const { text } of (await done).alternatives) assert.doesNotMatch(text, /^[ \t]/, prefix);
        }
      }
    });

    it('is gone on with by every alternative, and is no part of what is inserted', async () => {
      const scheduler = new Scheduler();
      let healed = 0;
      for (const prefix of ['let x = a.le', 'const re', 'for (const i', 'return ', 'if (a <']) {
        const params = completionParams.parse({ prefix, fill: false, alternatives: 4, maxTokens: 5 });
        const { done } = scheduler.submit('interactive', (signal) => complete(model, params, signal));
        const { alternatives, record } = await done;
        const before = tokenizer.decode(record?.prompt ?? []);
        assert.equal(record?.before, prefix);
        assert.ok(prefix.startsWith(before));
        if (before !== prefix) healed++;
        for (const { text, tokens, typed = [] } of alternatives) {
          const ids = [...typed, ...tokens].map(({ id }) => id);
          assert.ok((before + tokenizer.decode(ids, { continuation: true })).startsWith(prefix + text));
          assert.equal(tokens.map((token) => token.text).join(''), text);
        }
      }
      assert.ok(healed > 0, 'not one word went on');
    });
  });
});
