/** What `cola fit` plans, against sizes worked out here from the settings, and against what stages run. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { Device } from '../../../server/device/device.ts';
import { closingMeasurement } from '../../../server/evaluate/closing.ts';
import * as ops from '../../../server/graph/ops.ts';
import { type Graph, size, type Tensor } from '../../../server/graph/tensor.ts';
import { expectedTensors } from '../../../server/model/weights/weights.ts';
import { readSpec } from '../../../server/spec/document.ts';
import { startRun } from '../../../server/train/run/job.ts';
import { recomputes } from '../../../server/train/run/recompute.ts';
import { specParts } from '../../../server/train/run/spec-memory.ts';

const sizes = { hidden: 16, intermediate: 32, layers: 2, heads: 2, context: 128 };
const model = `model: { tokenizer: ${resolve('assets/nano')}, ${Object.entries(sizes)
  .map(([name, size]) => `${name}: ${size}`)
  .join(', ')} }`;
const codes = 4;
const made = `
  - pretrain: { data: notes.txt, steps: 1, batch: 2, length: 16 }
  - control: { data: notes.txt, steps: 1, batch: 2, length: 16, codes: ${codes}, idm_layers: 1, policy_layers: 1, merge_layers: 1 }
  - clone: { data: notes.txt, steps: 1, batch: 2, length: 16 }`;
const task = 'prompts: { task: countdown, format: compact }, reward: countdown';

/** Weights of a block, of a head of one block, and of all of the base but its embedding. */
const [d, f] = [sizes.hidden, sizes.intermediate];
const block = 4 * d * d + 3 * d * f + 2 * d;
const head = block + d + codes * d;
const floats = (bytes: number) => bytes / 4;

describe('the memory of the stages of a spec', () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'cola-test-'));
    writeFileSync(join(root, 'notes.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(400));
  });
  after(() => rmSync(root, { recursive: true }));

  const fileOf = (...stages: readonly string[]) => {
    const file = join(root, 'fit.cola.yaml');
    const lines = stages.map((stage) => `\n  - ${stage}`).join('');
    writeFileSync(file, `${model}\ndevice: cpu\nthreads: 1\nstages:${made}${lines}\n`);
    return file;
  };
  /** The parts of one stage behind those that make the latent actions. */
  const partsOf = async (stage: string, given = {}) => {
    const { parts } = await specParts(fileOf(stage), given);
    return parts.flatMap(({ what, memory }) => (what.startsWith('4 ') ? [{ what: what.split(': ')[1], memory }] : []));
  };
  const trainingOf = async (stage: string, given = {}) => {
    const part = (await partsOf(stage, given)).find(({ what }) => what.startsWith('training'))!;
    return { what: part.what, ...part.memory() };
  };

  it('has the bytes of the form that the base is kept in, and float32 of all else', async () => {
    const file = join(root, 'form.cola.yaml');
    writeFileSync(file, `model: builtin:nano\nbase: { precision: int4 }\nstages:\n  - clone: { data: notes.txt }\n`);
    const of = async (precision?: 'f32' | 'f16' | 'int8') => {
      const { parts, config } = await specParts(file, precision === undefined ? {} : { precision });
      const tensors = expectedTensors(config);
      const count = (matrices: boolean) =>
        tensors.reduce((n, { shape }) => n + ((shape.length === 2) === matrices ? size(shape) : 0), 0);
      const [loading, training] = parts.map(({ memory }) => memory().weights);
      const table = config.vocabSize * config.hiddenSize;
      return { loading, training, table, matrices: count(true) - table, others: count(false) };
    };
    const plain = await of('f32');
    assert.equal(plain.loading, 4 * (plain.matrices + plain.table + plain.others));
    for (const [found, bytes, ofTable] of [
      [await of('f16'), 2, 2],
      [await of('int8'), 1.125, 1.125],
      [await of(), 0.625, 1.125],
    ] as const) {
      assert.equal(found.loading, bytes * found.matrices + ofTable * found.table + 4 * found.others);
      // Cloning reads the whole base, whose head is its embedding, and trains the policy.
      assert.equal(plain.training - found.training, (4 - bytes) * found.matrices + (4 - ofTable) * found.table);
    }
  });

  it('has the rows of one update: samples of a round, cut into minibatches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        // GRPO compares samples with each other.
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 9 }),
        async (batch, group, cuts) => {
          const round = `${task}, batch: ${batch}, max_new: 16`;
          // The first of the minibatches is the largest.
          const rows = Array.from({ length: batch * group }).filter((_, i) => i % cuts === 0).length;
          const [rollouts, training] = [`rollouts ${batch * group} x 80`, `training ${rows} x 80`];
          // At most 256 rows at once: 200 held-out prompts answered greedily, and 85 of them with three samples each.
          const held = 'evaluate_samples: 3';
          const measuring = ['held-out answers 200 x 80', 'held-out samples 255 x 80'];
          for (const [stage, expected] of [
            [`q: { ${round}, group: ${group}, reuse: ${cuts} }`, [rollouts, training]],
            [
              `reinforce: { ${round}, ${held}, group: ${group}, minibatches: ${cuts} }`,
              [rollouts, ...measuring, training],
            ],
            [
              `tokens: { ${round}, ${held}, group: ${group}, minibatches: ${cuts} }`,
              [rollouts, ...measuring, training],
            ],
            [
              `expert: { ${round}, ${held}, paths: ${group}, minibatches: ${cuts} }`,
              ['search 8 x 80', 'search 1 x 80', ...measuring, training],
            ],
          ] as const)
            assert.deepEqual(
              (await partsOf(stage)).map(({ what }) => what),
              [...expected, 'together'],
              stage,
            );
        },
      ),
      { numRuns: process.env.COLA_SLOW === '1' ? 12 : 5 },
    );
  });

  it('puts other sizes in the place of the settings, before anything is worked out from them', async () => {
    const q = `q: { ${task}, batch: 2, group: 4, reuse: 2, max_new: 16 }`;
    const whats = (await partsOf(q, { batch: 6, length: 48 })).map(({ what }) => what);
    assert.deepEqual(whats, ['rollouts 24 x 48', 'training 12 x 48', 'together']);
    const tuned = await trainingOf('tokens: { method: supervised, data: a.jsonl, batch: 8, accumulate: 4 }', {
      batch: 4,
    });
    assert.equal(tuned.what, 'training 1 x 256');
  });

  it('is that of a real update of q, whose rows are those of its program', async () => {
    const file = fileOf(`q: { ${task}, chat: false, batch: 3, group: 2, reuse: 4, max_new: 4, steps: 1 }`);
    const rows = new Set<number>();
    const { compile } = Device.prototype;
    Device.prototype.compile = function (outputs: Readonly<Record<string, Tensor>>, options) {
      const rewards = outputs.squares?.graph.inputs.find(
        ({ source }) => source.kind === 'input' && source.name === 'rewards',
      );
      if (rewards !== undefined) rows.add(rewards.shape[0]);
      return compile.call(this, outputs, options);
    };
    try {
      const signal = new AbortController().signal;
      await startRun({
        root,
        runId: 'q',
        spec: readSpec(file),
        specFile: file,
        signal,
        measure: closingMeasurement,
      });
    } finally {
      Device.prototype.compile = compile;
    }
    assert.deepEqual([...rows], [2]);
    const { parts } = await specParts(file, {});
    assert.equal(parts.at(-2)?.what, '4 q: training 2 x 68');
  });

  it('has gradients and moments of the weights that learn', async () => {
    const round = `${task}, batch: 2, group: 2, max_new: 16`;
    const ppo = `${round}, algorithm: ppo`;
    const vocabulary = floats((await trainingOf(`tokens: { ${round} }`)).gradients) - 2 * block - d;
    assert.equal(vocabulary % d, 0);
    const learned: [string, number][] = [
      [`reinforce: { ${round} }`, head],
      [`reinforce: { ${ppo} }`, head + d],
      [`q: { ${round} }`, head],
      [`feedback: { data: . }`, head],
      [`expert: { ${task}, batch: 2, paths: 2, value_weight: 1, q_weight: 1 }`, 2 * head + d],
      [`tokens: { ${ppo} }`, vocabulary + 2 * block + 2 * d],
      // The last block, the final norm, and the embedding, which is the head too.
      [`tokens: { ${round}, blocks: 1 }`, vocabulary + block + d],
      [`tokens: { ${ppo}, blocks: 1 }`, vocabulary + block + 2 * d],
      [`tokens: { method: supervised, data: a.jsonl, blocks: 1, batch: 2 }`, vocabulary + block + d],
    ];
    for (const [stage, count] of learned) {
      const { gradients, moments } = await trainingOf(stage);
      assert.deepEqual([floats(gradients), floats(moments)], [count, 2 * count], stage);
    }
  });

  it('has the value head of PPO in its rollouts too', async () => {
    const round = `${task}, batch: 2, group: 2, max_new: 16`;
    const rollouts = async (stage: string) => (await partsOf(stage))[0].memory();
    for (const stage of ['reinforce', 'tokens']) {
      const [plain, ppo] = [
        await rollouts(`${stage}: { ${round} }`),
        await rollouts(`${stage}: { ${round}, algorithm: ppo }`),
      ];
      // It learns: programs read it where it is.
      assert.equal(floats(ppo.weights - plain.weights), d, stage);
    }
  });

  it('has the policy cloned again behind the inverse variant, and nothing for actions that nobody made', async () => {
    const guided = await partsOf('guide: { data: a.jsonl, variant: inverse, batch: 4, max_length: 32 }');
    assert.deepEqual(
      guided.map(({ what }) => what),
      ['training 4 x 32', 'cloning 4 x 32'],
    );
    assert.equal(floats(guided[1].memory().gradients), head);
    const once = await partsOf('guide: { data: a.jsonl, variant: inverse, reclone: false }');
    assert.equal(once.length, 1);
    const file = join(root, 'early.cola.yaml');
    const early = `[{ pretrain: { data: notes.txt } }, { q: { ${task} } }]`;
    writeFileSync(file, `${model}\nstages: ${early}\n`);
    assert.equal((await specParts(file, {})).parts.length, 2);
  });

  it('computes blocks again where an update would not fit otherwise, or where the spec says so', async () => {
    const rows = 'data: rows.jsonl, batch: 4, max_length: 64';
    for (const stage of [
      `pretrain: { data: notes.txt, batch: 4, length: 64 }`,
      `tokens: { method: supervised, ${rows} }`,
      `dpo: { ${rows} }`,
    ]) {
      const told = async (checkpoint: string, free?: number) => {
        const part = (await partsOf(stage.replace(' }', `, checkpoint: ${checkpoint} }`))).at(-1)!;
        return part.memory('f32', free);
      };
      const [kept, again] = [await told('none', 0), await told('blocks')];
      assert.ok(again.activations < kept.activations, stage);
      assert.deepEqual([kept.recomputed, again.recomputed], [undefined, true]);
      assert.deepEqual(await told('auto', kept.total), kept);
      assert.deepEqual(await told('auto', kept.total - 1), again);
    }
  });

  it('is that of a stage that decides as the plan does', async () => {
    const device = await Device.open('cpu', { threads: 1 });
    const objective = (graph: Graph) => {
      const x = graph.input('x', 'float32', [8, 4]);
      const y = ops.mul(x, graph.parameter('w', [4]));
      return { loss: ops.mean(ops.mul(y, y)) };
    };
    const decided = (checkpoint: 'auto' | 'none' | 'blocks' | undefined, free: number) =>
      recomputes(checkpoint, device, ['w'], 1, objective, free);
    assert.deepEqual(
      [decided('auto', 0), decided('auto', 1e9), decided('blocks', 1e9), decided('none', 0), decided(undefined, 0)],
      [true, false, true, false, false],
    );
  });

  it('counts the updates of other lengths that a stage of an agent keeps, as far as they have room', async () => {
    const agent = async (steps: number) => {
      const world = 'environment: household, worlds: 4, turns: 2, max_new: 8, max_tokens: 32';
      const { activations, slack } = await trainingOf(
        `tokens: { ${world}, steps: ${steps}, batch: 2, group: 2, minibatches: 1 }`,
      );
      return { activations, slack, held: activations + slack };
    };
    const [one, three, many] = [await agent(1), await agent(3), await agent(1e6)];
    assert.equal(three.held, 3 * one.held);
    assert.equal(three.slack, one.slack);
    assert.ok(many.held > 10 * one.held);
    assert.equal(Math.round(many.held), Math.round(totalmem() / 8));
    const alike = async (steps: number) =>
      (await trainingOf(`tokens: { ${task}, steps: ${steps}, batch: 2, group: 2 }`)).activations;
    assert.equal(await alike(9), await alike(1));
  });

  it('ends a run with the same weights whether blocks are computed again or not', async () => {
    const folder = join(root, 'same');
    mkdirSync(folder);
    writeFileSync(join(folder, 'notes.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(400));
    const weights: Buffer[] = [];
    for (const checkpoint of ['none', 'blocks']) {
      const specFile = join(folder, 'run.cola.yaml');
      const stage = `pretrain: { data: notes.txt, steps: 2, batch: 4, length: 32, checkpoint: ${checkpoint} }`;
      writeFileSync(specFile, `${model}\ndevice: cpu\nthreads: 1\nseed: 3\nstages:\n  - ${stage}\n`);
      const spec = readSpec(specFile);
      await startRun({
        root: folder,
        runId: checkpoint,
        spec,
        specFile,
        signal: new AbortController().signal,
        measure: async () => {},
        onEvent: () => {},
      });
      const run = join(folder, '.cola', 'runs', checkpoint);
      const files = readdirSync(run, { recursive: true, encoding: 'utf8' });
      weights.push(readFileSync(join(run, files.filter((file) => file.endsWith('model.safetensors')).sort()[0])));
    }
    assert.ok(weights[0].length > 1000 && weights[0].equals(weights[1]));
  });
});
