import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Decoder } from '../../server/cola/decoder.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { worldModelAll } from '../../server/cola/modules.ts';
import { complete, previewActions } from '../../server/completion/complete.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import type { Program } from '../../server/device/program.ts';
import { ColaError } from '../../server/errors.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { baseStepper } from '../../server/model/language-model.ts';
import { probabilities } from '../../server/model/sampling.ts';
import type { ParamsOf } from '../../server/protocol/channel/request.ts';
import type { complete as completeRequest } from '../../server/protocol/completion.ts';
import { type Alternative, completionParams, previewParams } from '../../server/protocol/completion.ts';
import { Scheduler } from '../../server/schedule/scheduler.ts';
import { codes, makeModel, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('completion by latent actions', () => {
  let folder = '';
  let model: LoadedModel;
  /** The world model under every code. */
  let worlds: Program;
  const scheduler = new Scheduler();
  before(async () => {
    folder = await temporaryFolder();
    model = await LoadedModel.load({ folder: await makeModel(join(folder, 'model')), device: 'cpu', threads: 1 });
    const { base, config, allWeights } = model.cola;
    const graph = new Graph();
    const state = graph.input('state', 'float32', [1, base.config.hiddenSize]);
    const world = worldModelAll(graph, base.config, config, state);
    worlds = await model.device.compile({ world }, { frozen: allWeights });
  });
  after(async () => {
    await worlds.dispose();
    await model.release();
    assert.deepEqual({ ...model.device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
    await removeFolder(folder);
  });

  const ask = (params: ParamsOf<typeof completeRequest>) => {
    const parsed = completionParams.parse({ maxTokens: 6, fill: false, ...params });
    return scheduler.submit('interactive', (signal) => complete(model, parsed, signal)).done;
  };

  /**
   * Decodes without a kept prefix and without lockstep: `first` is forced, then the policy and the base vote, or the policy
   * chooses among all but `banned`.
   *
   * @param begun the first token, where no action is forced or part of it is typed
   */
  async function plainly(
    prompt: ArrayLike<number>,
    begun: number | undefined,
    first: readonly number[],
    steps: number,
    banned: readonly number[],
  ) {
    const decoder = new Decoder(model.device, model.cola, { parts: { preview: true, hidden: true } });
    const base = baseStepper(model.device, model.cola.base);
    const [cache, own] = [await decoder.cache(1, 500), await base.cache(1, 500)];
    const taken: { action: number; token: number; probability: number }[] = [];
    const { hiddenSize, vocabSize } = model.cola.base.config;
    let next: ArrayLike<number> = prompt;
    for (let i = 0; i < steps; i++) {
      const bias = new Float32Array(codes);
      for (const code of banned) bias[code] = -1e6;
      let state = new Float32Array();
      const keep = (_: number, h: Float32Array) => {
        state = h.slice(-hiddenSize);
      };
      const { action, token, policyLogits, nextTokens } = await decoder.step(cache, [next], bias, undefined, keep);
      const { logits } = await base.advance(own, [next]);
      const p = probabilities(await logits.readFloats(), 0, vocabSize);
      logits.release();
      const pi = probabilities(policyLogits, 0, codes);
      assert.ok(nextTokens !== undefined);
      let chosen = { action: action[0], token: token[0] };
      if (banned.length === 0) {
        const two = [...pi.keys()].sort((x, y) => pi[y] - pi[x]).slice(0, 2);
        const out = await worlds.run({ state });
        const all = await out.world.readFloats();
        out.world.release();
        const under = two.map((code) => probabilities(all, code * vocabSize, vocabSize).map((x) => x * pi[code]));
        const worth = (id: number) => p[id] + Math.max(0.5, pi[two[0]]) * (under[0][id] + under[1][id]);
        const likely = [...two.map((code) => nextTokens[code]), p.indexOf(Math.max(...p))];
        const best = likely.reduce((x, y) => (worth(y) > worth(x) ? y : x));
        chosen = { action: two[under[1][best] > under[0][best] ? 1 : 0], token: best };
      }
      if (i < first.length) chosen = { action: first[i], token: nextTokens[first[i]] };
      if (i === 0 && begun !== undefined) chosen = { action: first[0], token: begun };
      taken.push({ ...chosen, probability: pi[chosen.action] });
      next = [chosen.token];
    }
    for (const each of [cache, own]) each.dispose();
    await decoder.dispose();
    await base.dispose();
    return taken;
  }

  const textOf = (ids: ArrayLike<number>) =>
    model.tokenizer.decode(ids, { skipSpecialTokens: true, continuation: true });

  /** The prompt that an alternative stands behind, and what was typed of its first token: its text says it, beside what is offered. */
  function promptBefore(prefix: string, { tokens }: Alternative) {
    const ids = model.tokenizer.encode(prefix);
    const whole = textOf([tokens[0].id]);
    const typed = whole.slice(0, whole.length - tokens[0].text.length);
    if (typed === '' || !whole.endsWith(tokens[0].text)) return { prompt: ids, typed: '' };
    for (let end = ids.length - 1; end > 0; end--)
      if (textOf(ids.slice(end)) === typed) return { prompt: ids.slice(0, end), typed };
    throw new Error(`${prefix} does not end with ${typed}`);
  }

  async function sameAsPlain(
    params: ParamsOf<typeof completeRequest>,
    first: readonly number[],
    banned: number[] = [],
  ) {
    const { alternatives } = await ask({ alternatives: 4, ...params });
    assert.ok(alternatives.length > 0);
    for (const alternative of alternatives) {
      const { tokens, text } = alternative;
      const { prompt, typed } = promptBefore(params.prefix, alternative);
      // Behind forced actions each alternative has a token of its own.
      const forked = first.length === 0 ? [] : [tokens[first.length]?.id];
      const begun = first.length === 0 || typed !== '' ? tokens[0].id : undefined;
      const own = await plainly(prompt, begun, first, tokens.length, banned);
      const plain = forked[0] === undefined || own[first.length]?.token === forked[0] ? own : undefined;
      if (plain === undefined) continue;
      for (const [i, { action, probability, id }] of tokens.entries()) {
        assert.equal(id, plain[i].token);
        // Where alternatives part, the action is the likeliest of all and not of two.
        if (i === first.length) continue;
        assert.equal(action, plain[i].action);
        // Given what was typed, the first is another one.
        if (i > 0 || typed === '') assert.ok(Math.abs(probability - plain[i].probability) < 1e-4);
      }
      assert.ok(textOf(plain.map(({ token }) => token)).startsWith(typed + text));
      assert.equal(tokens.map((token) => token.text).join(''), text);
    }
    return alternatives;
  }

  it('gives what decoding one text alone, from the start, gives', async () => {
    await sameAsPlain({ prefix: 'const total = ' }, []);
    await sameAsPlain({ prefix: 'const total =\n' }, []);
  });

  it('begins with the likeliest tokens under base and actions together, each with the action behind it', async () => {
    const prefix = 'const total =\n';
    const { alternatives } = await ask({ prefix, alternatives: 4 });
    const { base } = model.cola;
    const decoder = new Decoder(model.device, model.cola, { parts: { state: true } });
    const cache = await decoder.cache(1, 100);
    const stepper = baseStepper(model.device, base);
    const own = await stepper.cache(1, 100);
    const ids = model.tokenizer.encode(prefix);
    const { policyLogits } = await decoder.step(cache, [ids]);
    const { logits } = await stepper.advance(own, [ids]);
    const p = probabilities(await logits.readFloats(), 0, base.config.vocabSize);
    logits.release();
    const pi = probabilities(policyLogits, 0, codes);
    const { state } = await model.prefix.reader.read([...ids], 0);
    model.forget();
    const out = await worlds.run({ state });
    const all = await out.world.readFloats();
    const v = base.config.vocabSize;
    const joint = Array.from(pi, (share, code) => probabilities(all, code * v, v).map((x) => x * share));
    const mixed = Array.from(p, (x, id) => 0.5 * x + 0.5 * joint.reduce((sum, row) => sum + row[id], 0));
    const order = [...mixed.keys()].filter((id) => !model.endIds.has(id)).sort((x, y) => mixed[y] - mixed[x]);
    assert.deepEqual(
      alternatives.map(({ tokens }) => tokens[0].id),
      order.slice(0, 4),
    );
    for (const { tokens } of alternatives) {
      const behind = joint.map((row) => row[tokens[0].id]);
      assert.equal(tokens[0].action, behind.indexOf(Math.max(...behind)));
    }
    out.world.release();
    for (const each of [cache, own]) each.dispose();
    await decoder.dispose();
    await stepper.dispose();
  });

  it('reads between keystrokes only what is new, with the same result', async () => {
    const document = 'const items = [1, 2, 3];\nconst total = items.red';
    for (let end = document.length - 12; end <= document.length; end++) {
      const prefix = document.slice(0, end);
      const { reusedTokens, promptTokens } = await ask({ prefix });
      if (end > document.length - 12) assert.ok(promptTokens - reusedTokens <= 3, `${promptTokens - reusedTokens} new`);
      await sameAsPlain({ prefix }, []);
    }
    const again = await ask({ prefix: document });
    assert.equal(again.reusedTokens, again.promptTokens);
    const other = await ask({ prefix: `let ${document}` });
    assert.ok(other.reusedTokens < other.promptTokens / 2);
  });

  it('offers different texts', async () => {
    const { alternatives } = await ask({ prefix: 'return ', alternatives: codes });
    const texts = alternatives.map(({ text }) => text);
    assert.equal(new Set(texts).size, texts.length);
    assert.equal(texts.length, codes);
    for (const { tokens } of alternatives) {
      for (const { action, runnerUp } of tokens) assert.ok(runnerUp !== null && runnerUp.action !== action);
    }
  });

  it('takes the action that is pinned, and a sequence in its order', async () => {
    for (let action = 0; action < codes; action++) {
      await sameAsPlain({ prefix: 'let x', control: { mode: 'pinned', action } }, [action]);
    }
    const alternatives = await sameAsPlain(
      { prefix: 'let x', control: { mode: 'sequence', actions: [5, 0, 3] } },
      [5, 0, 3],
    );
    assert.equal(alternatives[0].tokens[2]?.label ?? 'declare const', 'declare const');
  });

  it('never takes a banned action', async () => {
    const free = await ask({ prefix: 'let y', alternatives: 1 });
    const banned = [...new Set(free.alternatives[0].tokens.map(({ action }) => action))].slice(0, codes - 2);
    const alternatives = await sameAsPlain(
      { prefix: 'let y', control: { mode: 'banned', actions: banned } },
      [],
      banned,
    );
    for (const { tokens } of alternatives) for (const { action } of tokens) assert.ok(!banned.includes(action));
  });

  it('refuses an action that is not there, and a completion that does not fit', async () => {
    const refused = async (params: ParamsOf<typeof completeRequest>, id: string) =>
      assert.rejects(ask(params), (error) => error instanceof ColaError && error.id === id);
    await refused({ prefix: 'a', control: { mode: 'pinned', action: codes } }, 'cola.action');
    const narrow = Object.create(model, { context: { value: 7 } }) as LoadedModel;
    const params = completionParams.parse({ prefix: 'a', maxTokens: 6 });
    const { done } = scheduler.submit('interactive', (signal) => complete(narrow, params, signal));
    await assert.rejects(done, (error) => error instanceof ColaError && error.id === 'engine.tooNarrow');
  });

  it('reads a document that is longer than the context, and an empty one', async () => {
    const long = 'const value = compute(value);\n'.repeat(600);
    const { promptTokens, alternatives } = await ask({ prefix: long });
    assert.ok(promptTokens <= model.context - 6 && promptTokens > model.context / 2);
    assert.equal(alternatives.length, 1);
    assert.equal((await ask({ prefix: '' })).promptTokens, 1);
  });

  it('ends between two runs when it is cancelled, and leaves the prefix to the next', async () => {
    const why = new Error('the person typed on');
    for (let after = 1; after < 8; after++) {
      const params = completionParams.parse({ prefix: `const a${after} = `, maxTokens: 40, alternatives: 4 });
      const handle = scheduler.submit('interactive', (signal) => complete(model, params, signal));
      for (let i = 0; i < after; i++) await new Promise((resolve) => setImmediate(resolve));
      handle.cancel(why);
      await handle.done.catch((error: unknown) => assert.equal(error, why));
      await sameAsPlain({ prefix: `const a${after} =` }, []);
    }
  });

  it('keeps requests at the same time apart', async () => {
    const prefixes = ['const a = ', 'for (', 'class B ', 'if (x'];
    const alone: Alternative[][] = [];
    for (const prefix of prefixes) alone.push((await ask({ prefix, alternatives: 4 })).alternatives);
    const together = await Promise.all(prefixes.map((prefix) => ask({ prefix, alternatives: 4 })));
    const actions = (found: readonly Alternative[]) => found.map(({ tokens }) => tokens.map(({ action }) => action));
    assert.deepEqual(
      together.map(({ alternatives }) => actions(alternatives)),
      alone.map(actions),
    );
  });

  it('reads what stands behind the cursor where the model is not said to be worse for it', async () => {
    assert.equal(model.info.fillsIn, true);
    const place = { prefix: 'function total(items) {\n  ', suffix: '\n}\n' };
    const plain = await ask(place);
    assert.ok((await ask({ ...place, fill: true })).promptTokens > plain.promptTokens);
    const cola = await ColaModel.load(model.cola.folder);
    await cola.save(join(folder, 'plain'), { notes: { fill_in: false } });
    const other = await LoadedModel.load({ folder: join(folder, 'plain'), device: 'cpu', threads: 1 });
    try {
      assert.equal(other.info.fillsIn, false);
      const params = completionParams.parse({ ...place, maxTokens: 6 });
      const { promptTokens, alternatives } = await scheduler.submit('interactive', (signal) =>
        complete(other, params, signal),
      ).done;
      assert.equal(promptTokens, plain.promptTokens);
      assert.equal(alternatives[0]?.text, plain.alternatives[0]?.text);
      // The marks still end an answer.
      for (const mark of ['prefix', 'suffix', 'middle'])
        assert.ok(other.endIds.has(model.tokenizer.idOf(`<|fim_${mark}|>`) ?? -1));
    } finally {
      await other.release();
    }
  });

  it('previews every action with what it would start', async () => {
    const params = previewParams.parse({ prefix: 'const total = ', fill: false, tokens: 5, extended: codes });
    const { codes: previews } = await scheduler.submit('interactive', (signal) => previewActions(model, params, signal))
      .done;
    assert.deepEqual(
      previews.map(({ action }) => action).sort((a, b) => a - b),
      Array.from({ length: codes }, (_, i) => i),
    );
    const sum = previews.reduce((total, { probability }) => total + probability, 0);
    assert.ok(Math.abs(sum - 1) < 1e-6);
    const different = (of: (preview: (typeof previews)[number]) => unknown) => new Set(previews.map(of)).size;
    assert.equal(
      different(({ like }) => like),
      different(({ text }) => text),
    );
    // Most probable first, so what is like another stands behind it, and writes the same.
    for (const [i, { like, text }] of previews.entries()) {
      const first = previews.findIndex(({ action }) => action === like);
      assert.ok(first <= i && previews[first].like === like);
      assert.equal(previews[first].text, text);
    }
    for (const { action, text } of previews) {
      const pinned = await ask({ prefix: params.prefix, maxTokens: 5, control: { mode: 'pinned', action } });
      assert.equal(pinned.alternatives[0]?.text ?? text, text);
    }
  });
});
