import assert from 'node:assert/strict';
import { tokenRow } from '../../../server/data/token-row.ts';
import { Device } from '../../../server/device/device.ts';
import { Graph } from '../../../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../../../server/model/base.ts';
import { causalContext } from '../../../server/model/block.ts';
import { LanguageModel } from '../../../server/model/language-model.ts';
import { errorOf } from '../../store/scratch.ts';
import { type Preference, preferences } from '../../support/preferences.ts';
import { assertClose } from '../../support/reference.ts';
import { Bench, linesOf } from '../../support/runs.ts';

const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** log p of an answer, token by token from the logits, in float64. */
async function logpOf(device: Device, model: LanguageModel, prompt: string, response: string): Promise<number> {
  assert(model.tokenizer !== undefined);
  const [endId] = model.endIds;
  const row = tokenRow({ kind: 'prompt', prompt, response, columns: {} }, model.tokenizer, undefined, endId);
  const ids = Int32Array.from([...Array.from(row.prompt), ...Array.from(row.response)]);
  const { config } = model;
  const graph = new Graph();
  const tokens = graph.input('ids', 'int32', [1, ids.length]);
  const { h } = hiddenStates(graph, config, tokens, causalContext(graph, config, 1, ids.length));
  const program = await device.compile({ logits: languageHead(graph, config, h) }, { frozen: model.weights });
  const out = await program.run({ ids });
  const logits = await out.logits.readFloats();
  let sum = 0;
  for (let t = row.prompt.length; t < ids.length; t++) {
    const own = Array.from(logits.subarray((t - 1) * config.vocabSize, t * config.vocabSize));
    const most = Math.max(...own);
    sum += own[ids[t]] - most - Math.log(own.reduce((n, x) => n + Math.exp(x - most), 0));
  }
  out.logits.release();
  await program.dispose();
  return sum;
}

describe('the stage dpo', function () {
  this.timeout(120_000);
  const bench = Bench.forTests();
  let device: Device;
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
  });
  after(() => device.dispose());
  const settings = { batch: 8, max_length: 64, learning_rate: 3e-3, warmup: 0, checkpoint_every: 100 };

  it('makes chosen answers likelier than rejected ones, as far as beta says, by the definition', async () => {
    const heldOut = preferences(60, 4, 0);
    bench.write('kind.jsonl', lines(preferences(300, 3, 0)));
    bench.write('kind-held-out.jsonl', lines(heldOut));
    const id = bench.fresh();
    const beta = 0.2;
    const data = { data: 'kind.jsonl', held_out: 'kind-held-out.jsonl' };
    const model = await bench.run(
      [{ dpo: { ...data, ...settings, beta, steps: 30, evaluate_every: 30 } }],
      bench.cola,
      id,
    );
    const measured = linesOf(bench.root, id, 'metrics').filter(({ evaluation }) => evaluation === true);
    const [first, last] = [measured[0], measured.at(-1) ?? {}];
    // Before the first step it is the model of the start: no pair says anything.
    assertClose([Number(first.held_out_loss)], [Math.log(2)], 1e-5, 'loss');
    assert.equal(last.held_out_pairs, 60);
    assert(Number(last.held_out_accuracy_low) > 0.6, `${last.held_out_accuracy_low}`);
    const [before, after] = [await LanguageModel.load(bench.cola), await LanguageModel.load(model)];
    let [margin, loss] = [0, 0];
    for (const { prompt, chosen, rejected } of heldOut) {
      const gain = async (answer: Preference['chosen']) =>
        (await logpOf(device, after, prompt, answer)) - (await logpOf(device, before, prompt, answer));
      const difference = beta * ((await gain(chosen)) - (await gain(rejected)));
      margin += difference / heldOut.length;
      loss += Math.log1p(Math.exp(-difference)) / heldOut.length;
    }
    assertClose([Number(last.held_out_margin), Number(last.held_out_loss)], [margin, loss], 1e-3, 'by hand');
  });

  it('trains the last blocks alone where it is told to, and refuses data without pairs', async () => {
    const before = await LanguageModel.load(bench.cola);
    const few = { data: 'pairs.jsonl', ...settings, steps: 2 };
    const after = await LanguageModel.load(await bench.run([{ dpo: { ...few, blocks: 1 } }]));
    const changed = [...after.weights].filter(([name, values]) =>
      values.some((x, i) => x !== before.weights.get(name)?.[i]),
    );
    assert(changed.some(([name]) => name.startsWith('model.layers.0.')));
    await assert.rejects(
      bench.run([{ dpo: { ...few, data: 'rows.jsonl' } }]),
      errorOf('train.noPairs', /24 without two answers/),
    );
    await assert.rejects(
      bench.run([{ dpo: { ...few, blocks: 9 } }]),
      errorOf('train.setting', /blocks: the model has 1/),
    );
  });
});
