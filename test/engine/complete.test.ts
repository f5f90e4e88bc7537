import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Decoder } from '../../server/cola/decoder.ts';
import { complete, previewActions } from '../../server/completion/complete.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { ColaError } from '../../server/errors.ts';
import { probabilities } from '../../server/model/sampling.ts';
import type { complete as completeRequest } from '../../server/protocol/completion.ts';
import { type Alternative, completionParams, previewParams } from '../../server/protocol/completion.ts';
import type { ParamsOf } from '../../server/protocol/request.ts';
import { Scheduler } from '../../server/schedule/scheduler.ts';
import { codes, makeModel, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('completion by latent actions', () => {
  let folder = '';
  let model: LoadedModel;
  const scheduler = new Scheduler();
  before(async () => {
    folder = await temporaryFolder();
    model = await LoadedModel.load({ folder: await makeModel(join(folder, 'model')), device: 'cpu', threads: 1 });
  });
  after(async () => {
    await model.release();
    assert.deepEqual({ ...model.device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
    await removeFolder(folder);
  });

  const ask = (params: ParamsOf<typeof completeRequest>) => {
    const parsed = completionParams.parse({ maxTokens: 6, fill: false, ...params });
    return scheduler.submit('interactive', (signal) => complete(model, parsed, signal)).done;
  };

  /**
   * Decodes without a kept prefix and without lockstep: `first` is forced, then the policy chooses among all but `banned`.
   *
   * @param begun the token that the first action led to, where that was not free
   */
  async function plainly(
    prompt: ArrayLike<number>,
    begun: number | undefined,
    first: readonly number[],
    steps: number,
    banned: readonly number[],
  ) {
    const decoder = new Decoder(model.device, model.cola);
    const cache = await decoder.cache(1, 500);
    const taken: { action: number; token: number; probability: number }[] = [];
    let next: ArrayLike<number> = prompt;
    for (let i = 0; i < steps; i++) {
      const bias = new Float32Array(codes);
      for (const code of banned) bias[code] = -1e6;
      if (i < first.length) bias[first[i]] = 1e6;
      const { action, token, policyLogits } = await decoder.step(cache, [next], bias);
      const probability = probabilities(policyLogits, 0, codes)[action[0]];
      const own = i === 0 ? (begun ?? token[0]) : token[0];
      taken.push({ action: action[0], token: own, probability });
      next = [own];
    }
    cache.dispose();
    await decoder.dispose();
    return taken;
  }

  const textOf = (ids: ArrayLike<number>) =>
    model.tokenizer.decode(ids, { skipSpecialTokens: true, continuation: true });

  /** The prompt that a first token stands behind, and what was typed of it: its text says it, beside what is offered. */
  function promptBefore(prefix: string, { id, text }: { id: number; text: string }) {
    const ids = model.tokenizer.encode(prefix);
    const whole = textOf([id]);
    const typed = whole.slice(0, whole.length - text.length);
    if (typed === '' || !whole.endsWith(text)) return { prompt: ids, typed: '' };
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
    for (const { tokens, text } of alternatives) {
      const begun = [...first, tokens[first.length]?.action ?? 0].slice(0, tokens.length);
      const { prompt, typed } = promptBefore(params.prefix, tokens[0]);
      const plain = await plainly(prompt, typed === '' ? undefined : tokens[0].id, begun, tokens.length, banned);
      assert.deepEqual(
        tokens.map(({ action }) => action),
        plain.map(({ action }) => action),
      );
      for (const [i, { probability }] of tokens.entries()) {
        // Given what was typed, the first is another one.
        if (i > 0 || typed === '') assert.ok(Math.abs(probability - plain[i].probability) < 1e-4);
      }
      assert.ok(textOf(plain.map(({ token }) => token)).startsWith(typed + text));
      assert.equal(tokens.map((token) => token.text).join(''), text);
    }
    return alternatives;
  }

  it('gives what decoding one text alone, from the start, gives', async () => {
    const alternatives = await sameAsPlain({ prefix: 'const total = ' }, []);
    const probability = alternatives.map(({ tokens }) => tokens[0].probability);
    assert.deepEqual(
      probability,
      [...probability].sort((a, b) => b - a),
    );
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

  it('offers different texts with different first actions', async () => {
    const { alternatives } = await ask({ prefix: 'return ', alternatives: codes });
    const texts = alternatives.map(({ text }) => text);
    assert.equal(new Set(texts).size, texts.length);
    const actions = alternatives.map(({ tokens }) => tokens[0].action);
    assert.equal(new Set(actions).size, actions.length);
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
    for (const { action, text } of previews) {
      const pinned = await ask({ prefix: params.prefix, maxTokens: 5, control: { mode: 'pinned', action } });
      assert.equal(pinned.alternatives[0]?.text ?? text, text);
    }
  });
});
