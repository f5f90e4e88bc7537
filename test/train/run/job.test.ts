import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ColaModel } from '../../../server/cola/model.ts';
import type { RunSpec } from '../../../server/spec/schema.ts';
import { RunView, runFolder } from '../../../server/store/run.ts';
import { errorOf } from '../../store/scratch.ts';
import { testDevices } from '../../support/devices.ts';
import { assertClose } from '../../support/reference.ts';
import { Bench, linesOf, makeCola, resume, settingsOf, specOf, stages, start, tinyBase } from '../../support/runs.ts';

const steps = 4;
const packed = { data: 'text.jsonl', batch: 4, length: 16, checkpoint_every: 2, evaluate_every: 2 };
const bench = Bench.forTests();

describe('a run', function () {
  this.timeout(180_000);

  it('from a new base to latent actions makes a folder that loads', async () => {
    const model = await ColaModel.load(bench.cola);
    assert.equal(model.config.numCodes, 8);
    for (const module of ['idm', 'world', 'policy'] as const) assert(model.has(module), module);
    for (const module of ['value', 'q'] as const) assert(!model.has(module), module);
    assert.equal(model.base.config.layers, tinyBase.layers);
    assert(existsSync(join(bench.cola, 'tokenizer.json')));
  });

  it('gives the same held-out figures when its model is loaded again', async () => {
    for (const [stage, figure] of [
      ['pretrain', 'held_out_loss'],
      ['control', 'held_out_prediction'],
      ['clone', 'held_out_accuracy'],
      ['tokens', 'sampled_reward'],
      ['q', 'held_out_loss'],
    ] as const) {
      const [first, second] = [bench.fresh(), bench.fresh()];
      const model = await bench.run([stages(2)[stage]], bench.cola, first);
      // It measures before its first step.
      await bench.run([stages(stage === 'tokens' ? 2 : 1)[stage]], model, second);
      const last = linesOf(bench.root, first, 'metrics').findLast(({ evaluation }) => evaluation === true);
      assert.equal(linesOf(bench.root, second, 'metrics')[0][figure], last?.[figure], stage);
    }
  });

  for (const device of testDevices) {
    it(`takes into each stage what the stages before it have trained, on ${device}`, async () => {
      // Rollouts compile what their stage does not train: with weights from before the run they would answer otherwise.
      // On a WebGPU in software every kind of stage costs seconds: there, the base of a model is trained on, and then its policy.
      // What `actors` tries of it on every device, top-k and the policy that is held on to, is left out.
      const few = { ...settingsOf('grpo', 1), group: 2, max_new: 3, kl: 0, top_k: 0 };
      const grpo = device === 'cpu' ? stages(2).grpo : { reinforce: few };
      const before = device === 'cpu' ? makeCola : [{ pretrain: settingsOf('pretrain', 2) }];
      const [first, again] = [bench.fresh(), bench.fresh()];
      const on = (id: string, spec: RunSpec) => start({ root: bench.root, id }, { ...spec, device });
      const model = await on(first, specOf(device === 'cpu' ? tinyBase : bench.cola, [...before, grpo]));
      const figures = (id: string) =>
        linesOf(bench.root, id, 'metrics').filter(({ evaluation }) => evaluation === true);
      await on(again, specOf(model, [grpo]));
      const [measured] = figures(again);
      const last = figures(first).at(-1);
      for (const name of ['greedy_reward', 'sampled_reward', 'different_answers'])
        assertClose([Number(measured[name])], [Number(last?.[name])], 1e-6, name);
      assert(Number(measured.sampled_reward) > 0);
    });
  }

  it('keeps the two newest checkpoints and the best, and saves the best as a model of its own', async () => {
    // A learning rate that undoes what the first steps learn.
    const id = bench.fresh();
    const pretrain = { ...packed, steps: 12, learning_rate: 2, warmup: 10, floor: 1 };
    const model = await bench.run([{ pretrain }], tinyBase, id);
    const evaluations = linesOf(bench.root, id, 'metrics').filter(
      ({ evaluation, step }) => evaluation === true && step !== 0,
    );
    const losses = evaluations.map(({ held_out_loss }) => Number(held_out_loss));
    const bestStep = Number(evaluations[losses.indexOf(Math.min(...losses))].step);
    assert(bestStep < 10, losses.join(' '));
    const view = RunView.view(runFolder(bench.root, id));
    assert.deepEqual(
      view.checkpoints().map(({ step }) => step),
      [bestStep, 10, 12],
    );
    assert.equal(view.bestCheckpoint()?.step, bestStep);
    const best = join(runFolder(bench.root, id), 'best');
    const measured = async (folder: string) => {
      const again = bench.fresh();
      await bench.run([{ pretrain: { ...packed, steps: 1 } }], folder, again);
      return Number(linesOf(bench.root, again, 'metrics')[0].held_out_loss);
    };
    assert.equal(await measured(best), Math.min(...losses));
    assert.equal(await measured(model), losses.at(-1));
  });

  it('does not take the best of the first part of a stage for the best of the second', async () => {
    const id = bench.fresh();
    await bench.run([stages(8)['guide inverse']], bench.cola, id);
    const best = RunView.view(runFolder(bench.root, id)).bestCheckpoint();
    assert((best?.step ?? 0) > 4, `best at ${best?.step}`);
  });

  it('makes modules anew where a control stage asks for other sizes', async () => {
    const control = { ...settingsOf('control', steps), codes: 4 };
    const id = bench.fresh();
    const model = await ColaModel.load(
      await bench.run([stages(steps).ppo, { control }, stages(steps).clone, stages(steps).ppo], bench.cola, id),
    );
    assert.equal(model.config.numCodes, 4);
    assert.equal(model.weight('codebook.weight').length, 4 * tinyBase.hidden);
    const view = RunView.view(runFolder(bench.root, id)).latestCheckpoint();
    assert(view !== null);
    using file = view.open('weights');
    for (const name of ['codebook.weight', 'policy.head.weight', 'value.head.weight'])
      assert.deepEqual(file.readFloat32(name), model.weight(name), name);
  });

  it('trains what a stage says it trains, and nothing else', async () => {
    const before = await ColaModel.load(bench.cola);
    for (const [name, trained] of [
      ['control', /^(idm|codebook|merge)/],
      ['clone', /^policy/],
      ['guide policy', /^(model|lm_head)/],
      ['grpo', /^policy/],
      ['ppo', /^(policy|value)/],
      ['tokens', /^(model|lm_head)/],
      ['q', /^q/],
      ['expert', /^(policy|value|q\.)/],
    ] as const) {
      const after = await ColaModel.load(await bench.run([stages(2)[name]]));
      for (const [weight, values] of after.allWeights) {
        const old = before.allWeights.get(weight);
        const same = old !== undefined && values.every((x, i) => x === old[i]);
        // Embeddings of tokens that never occur get no gradient, but others in the same tensor do.
        if (trained.test(weight)) assert(!same || /layernorm|norm/.test(weight), `${name} left ${weight}`);
        else assert(same, `${name} changed ${weight}`);
      }
    }
  });

  it('a stage without what it needs says so before anything is made', async () => {
    const base = await bench.run([stages(steps).pretrain], tinyBase);
    for (const [name, says] of [
      ['clone', /clone needs latent actions/],
      ['grpo', /reinforce needs latent actions/],
      ['guide inverse', /guide needs latent actions/],
      ['q', /q needs latent actions/],
      ['expert', /expert needs latent actions/],
    ] as const) {
      const id = bench.fresh();
      await assert.rejects(bench.run([stages(steps)[name]], base, id), errorOf('train.needs', says));
      assert(!existsSync(runFolder(bench.root, id)));
    }
    const bare = await ColaModel.load(bench.cola);
    for (const name of bare.weights.keys()) if (name.startsWith('idm.')) bare.weights.delete(name);
    await bare.save(join(bench.root, 'bare'));
    await assert.rejects(
      bench.run([stages(steps)['guide inverse']], join(bench.root, 'bare')),
      errorOf('train.needs', /"idm"/),
    );
  });

  it('that diverges stops, and goes on from its last checkpoint', async () => {
    const id = bench.fresh();
    const wild = {
      pretrain: { ...packed, steps: 30, learning_rate: 1e20, warmup: 20, clip: 1e30, evaluate_every: 100 },
    };
    await assert.rejects(bench.run([wild], tinyBase, id), errorOf('train.diverged', /Training diverged at update \d+/));
    const view = RunView.view(runFolder(bench.root, id));
    const last = view.latestCheckpoint();
    if (last !== null) {
      using file = last.open('weights');
      for (const name of file.names) assert(file.readFloat32(name).every(Number.isFinite), name);
      assert(last.state(z.looseObject({ done: z.number() })).done > 0);
    }
    await assert.rejects(resume({ root: bench.root, id }), errorOf('train.diverged'));
  });

  it('refuses sequences and answers that are longer than the context', async () => {
    for (const name of ['pretrain', 'control', 'clone'] as const) {
      const stage = { [name]: { ...settingsOf('pretrain', steps), accumulate: 1, length: 65 } };
      await assert.rejects(bench.run([stage]), errorOf('train.tooLong', /65 tokens .* context of 64/));
    }
    for (const name of ['reinforce', 'q', 'tokens', 'expert'] as const) {
      const own = settingsOf(name === 'reinforce' || name === 'tokens' ? 'remax' : name, steps);
      await assert.rejects(bench.run([{ [name]: { ...own, max_new: 64 } }]), errorOf('train.tooLong'));
      await assert.rejects(
        bench.run([{ [name]: { ...own, max_new: 62 } }]),
        errorOf('train.promptTooLong', /"after .*" has \d+ tokens.* 2\./),
      );
    }
    const guide = { ...settingsOf('guide policy', steps), max_length: 3 };
    await assert.rejects(bench.run([{ guide }]), errorOf('data.promptTooLong', /rows\.jsonl, line 1 has \d+ tokens/));
  });

  it('refuses settings that do not go together', async () => {
    const tokens = { ...settingsOf('tokens', steps), blocks: 5 };
    await assert.rejects(bench.run([{ tokens }]), errorOf('train.setting', /blocks/));
    const chat = { ...settingsOf('remax', steps), chat: true };
    await assert.rejects(bench.run([{ reinforce: chat }]), errorOf('train.setting', /chat/));
  });
});

describe('the control stage', function () {
  this.timeout(120_000);

  it('predicts a repetitive text better than the base, with codes that live', async () => {
    const id = bench.fresh();
    const text = { ...packed, batch: 8, checkpoint_every: 1000, learning_rate: 1e-2, warmup: 5 };
    await bench.run(
      [
        { pretrain: { ...text, steps: 150, evaluate_every: 150 } },
        {
          control: {
            ...text,
            codes: 8,
            idm_layers: 1,
            policy_layers: 1,
            merge_layers: 1,
            steps: 120,
            evaluate_every: 60,
          },
        },
      ],
      tinyBase,
      id,
    );
    const measured = linesOf(bench.root, id, 'metrics').filter(
      ({ stage, evaluation }) => stage === 'control' && evaluation === true,
    );
    const [first, , last] = measured.map((line) => ({
      prediction: Number(line.held_out_prediction),
      base: Number(line.base_loss),
      alive: Number(line.held_out_alive),
      random: Number(line.held_out_random_loss),
      recovered: Number(line.held_out_recovered),
      usage: line.usage as number[],
      entropy: Number(line.held_out_usage_entropy),
      share: Number(line.held_out_max_share),
    }));
    assert.equal(first.base, last.base, 'the base is frozen');
    assert(last.prediction < 0.5 * last.base, `${last.prediction} of ${last.base}`);
    assert(last.prediction < first.prediction);
    assert(last.random > last.prediction, 'another code predicts worse');
    assert(last.recovered > 1 / 8 && last.recovered <= 1, `${last.recovered} of forced codes are named again`);
    assert.equal(last.usage.length, 8);
    assert.equal(last.alive, last.usage.filter((n) => n > 0).length);
    assert(last.alive >= 3, `${last.alive} codes live`);
    const total = last.usage.reduce((a, b) => a + b, 0);
    assertClose([last.share], [Math.max(...last.usage) / total], 1e-6);
    assertClose(
      [last.entropy],
      [-last.usage.reduce((n, c) => n + (c > 0 ? (c / total) * Math.log(c / total) : 0), 0)],
      1e-6,
    );
  });
});
