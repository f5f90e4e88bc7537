/** Stages that train an adapter beside a frozen base. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import { isAdapterTensor } from '../../server/model/adapter/adapter.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { parseSpec, stringifySpec } from '../../server/spec/document.ts';
import { type RunSpec, runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { RunView, runFolder } from '../../server/store/run.ts';
import { specParts } from '../../server/train/run/spec-memory.ts';
import { linesOf, makeCola, resume, specOf, stages, start, tinyBase, writeData } from '../support/runs.ts';

const lora = { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj', 'down_proj'] };
const [steps, last] = [4, 3];
const all = stages(steps);
const cases = {
  guide: { guide: { ...all['guide policy'].guide, lora } },
  'tokens, supervised': { tokens: { ...all['tokens supervised'].tokens, epochs: steps / 6, lora } },
  'tokens, reinforced': { tokens: { ...all.tokens.tokens, lora } },
};

describe('an adapter that is trained', function () {
  this.timeout(120_000);
  let root = '';
  let model = '';
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-lora-'));
    writeData(root);
    const base = { ...tinyBase, hidden: 32, intermediate: 64 };
    model = await start({ root, id: 'base' }, specOf(base, makeCola));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const spec = (list: readonly object[], from = model, precision = 'f32'): RunSpec =>
    toRunSpec(runSpec.parse({ model: from, base: { precision }, device: 'cpu', threads: 1, stages: list }));
  const weightsOf = (folder: string) => readFileSync(join(folder, 'adapter_model.safetensors'));

  for (const [name, stage] of Object.entries(cases)) {
    // What a base in fewer bits changes is the same for all stages that read it: in the short form the last has both.
    const both = name === 'tokens, reinforced' || process.env.COLA_SLOW === '1';
    for (const precision of both ? ['f32', 'int8'] : ['f32'])
      it(`by the stage ${name}, beside a base in ${precision}: goes on bit for bit, and leaves the base as it is`, async () => {
        const id = `${name.replace(/\W+/g, '-')}-${precision}`;
        const folder = await start({ root, id }, spec([stage], model, precision));
        assert(!existsSync(join(folder, 'model.safetensors')));
        const { base, config } = await ColaModel.load(folder);
        assert.equal(config.numCodes, 8);
        const before = await LanguageModel.load(model);
        for (const [weight, values] of before.weights) assert.deepEqual(base.weights.get(weight), values, weight);
        const added = [...base.weights].filter(([weight]) => isAdapterTensor(weight));
        assert.equal(added.length, 2 * lora.targets.length);
        for (const [weight, values] of added)
          assert(
            values.some((x) => x !== 0),
            weight,
          );
        const whole = [weightsOf(folder), linesOf(root, id, 'metrics')];
        const [{ step }] = RunView.view(runFolder(root, id)).checkpoints();
        assert(step < last + 1);
        await resume({ root, id }, { from: step });
        assert.deepEqual([weightsOf(folder), linesOf(root, id, 'metrics')], whole);
      });
  }

  it('is trained on by the next run, stays where the policy learns, and is merged where the base learns', async () => {
    const first = await start({ root, id: 'first' }, spec([cases.guide]));
    const second = await start({ root, id: 'second' }, spec([cases.guide], first));
    assert.notDeepEqual(weightsOf(second), weightsOf(first));
    const policy = await start({ root, id: 'policy' }, spec([all.grpo], first));
    assert.deepEqual(weightsOf(policy), weightsOf(first));
    const merged = await start({ root, id: 'merged' }, spec([all['guide policy']], first));
    assert(existsSync(join(merged, 'model.safetensors')) && !existsSync(join(merged, 'adapter_config.json')));
    const other = { guide: { ...cases.guide.guide, lora: { ...lora, rank: 2 } } };
    await assert.rejects(start({ root, id: 'other' }, spec([other], first)), { id: 'train.otherAdapter' });
  });

  it('learns the same where the blocks are computed again', async () => {
    const again = { guide: { ...cases.guide.guide, checkpoint: 'blocks' } };
    const [plain, blocks] = [
      await start({ root, id: 'plain' }, spec([cases.guide], model, 'int8')),
      await start({ root, id: 'again' }, spec([again], model, 'int8')),
    ];
    const adapter = async (folder: string) => (await LanguageModel.load(folder)).weights;
    const wanted = await adapter(plain);
    for (const [name, values] of await adapter(blocks))
      for (const [i, x] of values.entries()) assert(Math.abs(x - wanted.get(name)![i]) < 1e-5, `${name} ${i}`);
  });

  it('is what fit counts: gradients and moments of A and B alone', async () => {
    const file = join(root, 'spec.yaml');
    const parts = async (list: readonly object[], precision = 'f32') => {
      const found = await specParts(file, {}, spec(list, model, precision));
      const training = found.parts.find(({ what }) => what.includes('training'))!.memory();
      return { training, config: found.config };
    };
    const { training } = await parts([cases.guide]);
    const d = 32;
    // q and v are as wide as d; down goes from 64 to 32. Two heads, one block.
    const learned = lora.rank * (2 * (d + d) + (64 + d));
    assert.equal(training.gradients, 4 * learned);
    assert.equal(training.moments, 8 * learned);
    const { training: whole } = await parts([all['guide policy']]);
    assert(training.total < whole.total);
    const { training: narrow } = await parts([cases.guide], 'int8');
    assert(narrow.weights < training.weights);
  });

  for (const [what, list, says] of [
    ['beside a stage that trains the base', [{ dpo: all.dpo.dpo }, cases.guide], /dpo trains the base itself/],
    ['with two adapters', [cases.guide, { tokens: { ...all.tokens.tokens, lora: { rank: 2 } } }], /has one adapter/],
    ['with blocks of the base', [{ guide: { ...cases.guide.guide, blocks: 1 } }], /leave out one of the two/],
    ['for a layer that is none', [{ guide: { ...cases.guide.guide, lora: { targets: ['w_proj'] } } }], /w_proj/],
  ] as const)
    it(`is refused ${what}`, () => {
      const { problems } = parseSpec(JSON.stringify({ model: 'm', stages: list }), 'spec.yaml');
      assert.match(problems.map(({ message }) => message).join('\n'), says);
    });

  it('stands in a spec with its defaults, and the base of a foreign one too', () => {
    const text = 'model: m\nbase: { model: b, precision: int4 }\nstages:\n  - guide: { data: d.jsonl, lora: {} }\n';
    const { spec: parsed, problems } = parseSpec(text, 'spec.yaml');
    assert.deepEqual(problems, []);
    const [stage] = parsed!.stages;
    assert(stage.name === 'guide');
    assert.deepEqual(
      [stage.settings.lora?.rank, stage.settings.lora?.alpha, stage.settings.lora?.targets.length],
      [16, 32, 9],
    );
    assert.deepEqual(parseSpec(stringifySpec(parsed!), 'spec.yaml').spec, parsed);
  });
});
