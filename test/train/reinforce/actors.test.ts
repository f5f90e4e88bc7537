import assert from 'node:assert/strict';
import { ColaModel } from '../../../server/cola/model.ts';
import { codebook, headOn, headTrunk, stateValue, worldModel } from '../../../server/cola/modules.ts';
import type { Device } from '../../../server/device/device.ts';
import type { Program } from '../../../server/device/program.ts';
import * as ops from '../../../server/graph/ops.ts';
import { Graph } from '../../../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../../../server/model/base.ts';
import { causalContext } from '../../../server/model/block.ts';
import { LanguageModel } from '../../../server/model/language-model.ts';
import { argmaxOf } from '../../../server/model/sampling.ts';
import { Random } from '../../../server/random.ts';
import type { Actor } from '../../../server/train/reinforce/actor.ts';
import type { Episode, Judged } from '../../../server/train/reinforce/episode.ts';
import { LatentActor } from '../../../server/train/reinforce/latent-actor.ts';
import {
  layOut,
  layOutUpdate,
  type PolicyGradientSettings,
  policyFeeds,
  policyObjective,
  ReferencePolicy,
} from '../../../server/train/reinforce/policy-gradient.ts';
import { numbered, startsOf } from '../../../server/train/reinforce/starts.ts';
import { TokenActor, trainedOf } from '../../../server/train/reinforce/token-actor.ts';
import type { StageContext } from '../../../server/train/stage.ts';
import { itMainly, itOnce, onEachDevice } from '../../support/devices.ts';
import { assertClose } from '../../support/reference.ts';
import { contextOf, promptOf, toyModel } from '../../support/toy-world.ts';

const { signal } = new AbortController();
const random = new Random(3);
/** One token, a few, and more than one chunk of a prompt has. */
const prompts = [1, 4, 40].map((length) => promptOf(Array.from({ length }, () => 3 + random.integer(90))));
const maxNew = 5;
const greedy = { maxNew, temperature: 0, topK: 0 };

const judged = (rows: readonly Episode[]): Judged[] =>
  rows.map((row) => ({ ...row, completion: '', result: { value: 1, parts: {} } }));

const objectiveOf = (algorithm: 'grpo' | 'remax', temperature: number): PolicyGradientSettings => ({
  algorithm,
  temperature,
  kl: 0,
  gamma: 1,
  lambda: 1,
  advantage: 'std',
  loss: 'sequence',
  kl_loss: 0,
  entropy_weight: 0.1,
  clip_ratio: 0.2,
  whiten: false,
  value_clip: 0.2,
  value_weight: 0.5,
});

/** Tokens of the longest prompt with its answer. */
const longest = 40 + maxNew;

/**
 * The pass over whole sequences without a cache. It is compiled once, for the longest: no token sees what stands behind it, and
 * compiling is most of what a pass costs.
 */
function wholePass({ device }: StageContext, cola: ColaModel): Promise<Program> {
  const { config } = cola.base;
  const graph = new Graph();
  const input = graph.input('ids', 'int32', [1, longest]);
  const attention = causalContext(graph, config, 1, longest);
  const { h } = hiddenStates(graph, config, input, attention);
  const policy = headOn(graph, config, cola.config, 'policy', h, attention);
  const { trunk } = headTrunk(graph, config, cola.config, 'policy', h, attention);
  const world = worldModel(
    graph,
    config,
    cola.config,
    h,
    ops.gather(codebook(graph, config, cola.config), ops.argmax(policy)),
  );
  const outputs = { h, policy, world, base: languageHead(graph, config, h), value: stateValue(graph, trunk) };
  return device.compile(outputs);
}

/** Everything a state says about itself, from whole sequences without a cache. */
async function fresh(whole: Program, context: StageContext, cola: ColaModel, ids: readonly number[]) {
  const { config } = cola.base;
  const padded = Int32Array.from({ length: longest }, (_, t) => ids[t] ?? 0);
  const results = await whole.run({ ids: padded }, { states: [context.weights.state] });
  const values: Record<string, Float32Array> = {};
  for (const [name, buffer] of Object.entries(results)) {
    values[name] = (await buffer.readFloats()).slice();
    buffer.release();
  }
  const last = (name: string, width: number) => argmaxOf(values[name], (ids.length - 1) * width, width);
  return {
    hidden: values.h.subarray(0, ids.length * config.hiddenSize),
    value: values.value[ids.length - 1],
    action: last('policy', cola.config.numCodes),
    token: last('world', config.vocabSize),
    baseToken: last('base', config.vocabSize),
  };
}

onEachDevice((device: () => Device, name) => {
  describe('actors', function () {
    this.timeout(120_000);
    let cola: ColaModel;
    let context: StageContext;
    let whole: Program;
    const actors: Actor[] = [];

    before(async () => {
      cola = await toyModel();
      const own = new Random(8);
      // Peaked enough that no two choices are nearly as good, and values that differ.
      cola.weights.set(
        'policy.head.weight',
        cola.weight('policy.head.weight').map((x) => 10 * x),
      );
      cola.weights.set(
        'value.head.weight',
        cola.weight('value.head.weight').map(() => own.normal()),
      );
      context = await contextOf(device(), cola, 1);
      whole = await wholePass(context, cola);
    });
    afterEach(async () => {
      for (const actor of actors.splice(0)) await actor.dispose();
    });
    after(async () => {
      await whole.dispose();
      context.weights.dispose();
    });

    const kept = <T extends Actor>(actor: T): T => {
      actors.push(actor);
      return actor;
    };
    const latent = (topK = 0) => kept(new LatentActor(context, cola, true, topK));
    const tokens = () => kept(new TokenActor(context, trainedOf(cola.base, 1), false));

    itMainly(
      name,
      'answer greedily as fresh passes over the whole sequence do, with the same states and values',
      async () => {
        const rows = await latent().sample(startsOf(numbered(prompts), 1, 1, 0), greedy, signal);
        for (const [i, row] of rows.entries()) {
          const ids = [...prompts[i].ids];
          let states = new Float32Array(0);
          for (let t = 0; t < row.tokens.length; t++) {
            const expected = await fresh(whole, context, cola, ids);
            assert.equal(row.choices[t], expected.action);
            assert.equal(row.tokens[t], expected.token);
            assertClose([row.values[t]], [expected.value], 1e-4);
            states = Float32Array.from(expected.hidden);
            ids.push(row.tokens[t]);
          }
          assert.equal(
            row.hidden.length,
            (prompts[i].ids.length - 1 + row.tokens.length) * cola.base.config.hiddenSize,
          );
          assertClose(row.hidden, states, 1e-4);
        }
      },
    );

    const slow = process.env.COLA_SLOW === '1';
    // Over tokens, on a WebGPU in software, the log-probabilities of rollouts and updates below are enough in the short form.
    const overTokens = name === 'cpu' || slow;
    const greedyOverTokens = async () => {
      const rows = await tokens().sample(startsOf(numbered(prompts), 1, 1, 0), greedy, signal);
      for (const [i, row] of rows.entries()) {
        const ids = [...prompts[i].ids];
        for (const token of row.tokens) {
          assert.equal(token, (await fresh(whole, context, cola, ids)).baseToken);
          ids.push(token);
        }
      }
    };
    if (overTokens) it('over tokens answer greedily as fresh passes do', greedyOverTokens);

    itMainly(name, 'read a prompt once for its whole group, as if each sample had read it alone', async () => {
      for (const actor of [latent(), ...(overTokens ? [tokens()] : [])]) {
        const grouped = await actor.sample(startsOf(numbered(prompts), 3, 1, 0), greedy, signal);
        const alone: Episode[] = [];
        for (const prompt of prompts)
          alone.push(...(await actor.sample(startsOf(numbered([prompt]), 1, 1, 0), greedy, signal)));
        assert.deepEqual(
          grouped.map(({ group }) => group),
          [0, 0, 0, 1, 1, 1, 2, 2, 2],
        );
        for (const [i, row] of grouped.entries()) {
          const single = alone[row.group];
          assert.equal(row.prompt, prompts[Math.floor(i / 3)]);
          assert.deepEqual([row.tokens, row.choices], [single.tokens, single.choices]);
          assertClose(row.hidden, single.hidden, 1e-4);
          assertClose(row.logp, single.logp, 1e-4);
        }
      }
    });

    // With a temperature and with bans: what one without either computes is a part of it, and tried on the CPU.
    const sampling = [
      [0.6, 3],
      [1, 0],
      [1.7, 0],
    ];
    for (const [temperature, topK] of name === 'cpu' ? sampling : sampling.slice(0, 1)) {
      it(`log-probabilities of rollouts are those of updates, at temperature ${temperature} and top-k ${topK}`, async () => {
        for (const actor of [latent(topK), tokens()]) {
          const settings = { maxNew, temperature, topK };
          const rows = judged(await actor.sample(startsOf(numbered(prompts), 2, 7, 0), settings, signal));
          assert(new Set(rows.map(({ choices }) => choices.join())).size > 3, 'samples differ');
          const batch = layOut(rows);
          const hasBans = topK > 0;
          assert.equal(
            rows.every(({ banned, choices }) => banned.length === (hasBans ? choices.length : 0)),
            true,
          );
          const reference = await ReferencePolicy.create(context, actor, temperature, new Map());
          assertClose(await reference.logProbabilities(batch, hasBans), batch.logpOld, 1e-4);
          await reference.dispose();
          // With advantages of 1 the loss of ReMax is the mean of -log pi, that of GRPO the mean of -ratio.
          const ones = {
            logpRef: batch.logpOld,
            advantages: new Float64Array(batch.mask.length).fill(1),
            returns: new Float64Array(batch.mask.length),
          };
          const all = rows.map((_, i) => i);
          const rowMean = ({ logp }: Judged) => logp.reduce((a, b) => a + b, 0) / logp.length;
          const expected = { remax: -rows.reduce((n, row) => n + rowMean(row) / rows.length, 0), grpo: -1 };
          for (const algorithm of ['remax', 'grpo'] as const) {
            const layout = layOutUpdate(batch, all, actor);
            const objective = policyObjective(
              device().graph(),
              actor,
              layout.shape,
              objectiveOf(algorithm, temperature),
              hasBans,
            );
            const program = await device().compile({ loss: objective.loss });
            const { loss } = await program.run(policyFeeds(actor, batch, ones, all, layout, hasBans), {
              states: [context.weights.state],
            });
            assertClose(await loss.readFloats(), [expected[algorithm]], 1e-4, algorithm);
            loss.release();
            await program.dispose();
          }
        }
      });
    }

    itOnce(name, 'draw of a sample what its seed says, whatever is sampled beside it', async () => {
      const settings = { maxNew, temperature: 1.5, topK: 0 };
      for (const actor of [latent(), tokens()]) {
        const all = startsOf(numbered(prompts), 4, 11, 2);
        const together = await actor.sample(all, settings, signal);
        assert(new Set(together.map(({ tokens }) => tokens.join())).size > 6, 'samples differ');
        // The last prompt first and without the second, and of each prompt two samples in another order.
        const some = [all[2], all[0]].map(({ prompt, seeds }) => ({ prompt, seeds: [seeds[3], seeds[1]] }));
        const apart = await actor.sample(some, settings, signal);
        for (const row of apart) {
          const same = together.find(({ seed }) => seed === row.seed)!;
          assert.deepEqual(
            [row.prompt, row.tokens, row.choices, row.finished],
            [same.prompt, same.tokens, same.choices, same.finished],
          );
          assertClose(row.logp, same.logp, 1e-4);
          assertClose(row.hidden, same.hidden, 1e-4);
        }
      }
    });

    itMainly(name, 'draw actions as often as their probabilities say, and none that top-k left out', async () => {
      // On a WebGPU in software every sample costs; how far the shares may be off follows from their number.
      const [topK, temperature, samples] = [3, 2, name === 'cpu' ? 800 : 100];
      for (const actor of [latent(topK), tokens()]) {
        const settings = { maxNew: 1, temperature, topK };
        const rows = await actor.sample(startsOf(numbered([prompts[1]]), samples, 5, 0), settings, signal);
        const counts = new Map<number, { count: number; p: number }>();
        for (const { choices, logp, banned } of rows) {
          const entry = counts.get(choices[0]) ?? { count: 0, p: Math.exp(logp[0]) };
          counts.set(choices[0], { ...entry, count: entry.count + 1 });
          assert.equal(banned[0][choices[0]], 0);
          assert.equal(
            banned[0].reduce((n, flag) => n + 1 - flag, 0),
            topK,
          );
        }
        assert(Math.abs([...counts.values()].reduce((n, { p }) => n + p, 0) - 1) < 1e-4);
        for (const { count, p } of counts.values()) {
          const deviation = Math.sqrt((p * (1 - p)) / samples);
          assert(Math.abs(count / samples - p) < 4.5 * deviation, `${count / samples} for ${p}`);
        }
      }
    });

    itOnce(name, 'stop at the end token and leave the other rows alone', async () => {
      const plain = await latent().sample(startsOf(numbered(prompts), 1, 1, 0), greedy, signal);
      const end = plain[0].tokens[1];
      const { base } = cola;
      const config = { ...base.config, eosTokenIds: [end] };
      const ending = new ColaModel(
        cola.folder,
        new LanguageModel(base.folder, config, base.tokenizer, base.weights),
        cola.config,
        cola.weights,
        {},
      );
      const actor = kept(new LatentActor({ ...context, base: ending.base, cola: ending }, ending, true, 0));
      const rows = await actor.sample(startsOf(numbered(prompts), 1, 1, 0), greedy, signal);
      for (const [i, row] of rows.entries()) {
        const at = plain[i].tokens.indexOf(end);
        const expected = at < 0 ? plain[i].tokens : plain[i].tokens.slice(0, at + 1);
        assert.deepEqual(row.tokens, expected);
        assert.equal(row.finished, at >= 0);
        assert.equal(row.choices.length, row.tokens.length);
        assert.equal(row.hidden.length, (prompts[i].ids.length - 1 + row.tokens.length) * config.hiddenSize);
      }
      assert(rows[0].finished);
    });

    itOnce(name, 'give the caches back when they are broken off', async () => {
      const before = { ...device().ledger };
      const stop = new AbortController();
      stop.abort();
      for (const make of [() => latent(), () => tokens()]) {
        const actor = make();
        await assert.rejects(actor.sample(startsOf(numbered(prompts), 2, 1, 0), greedy, stop.signal), {
          name: 'AbortError',
        });
        actors.pop();
        await actor.dispose();
      }
      assert.equal(device().ledger.buffers, before.buffers);
    });
  });
});
