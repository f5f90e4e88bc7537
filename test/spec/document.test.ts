import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import type { z } from 'zod';
import {
  parseSpec,
  readSpec,
  rebaseSpec,
  resolveModel,
  resolvePath,
  type SpecProblem,
  stringifySpec,
} from '../../server/spec/document.ts';
import type { RunSpec } from '../../server/spec/schema.ts';
import { type StageName, stages as stageTable } from '../../server/spec/stages.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const RUNS = process.env.COLA_SLOW ? 5000 : 100;

/** The problems of a text whose marked parts, «like this», are the ranges that should be reported, in order. */
function problemsOf(marked: string): readonly SpecProblem[] {
  const ranges: [number, number][] = [];
  let text = '';
  for (const part of marked.split(/([«»])/)) {
    if (part === '«') ranges.push([text.length, -1]);
    else if (part === '»') ranges.at(-1)![1] = text.length;
    else text += part;
  }
  const { spec, problems } = parseSpec(text, 'a.yaml');
  assert.equal(spec, undefined);
  const found = problems.map(({ start, end }) => [start.offset, end.offset]);
  assert.deepEqual(found, ranges, problems.map(({ message }) => message).join('\n'));
  for (const { start, end } of problems) {
    for (const { line, column, offset } of [start, end]) {
      const before = text.slice(0, offset).split('\n');
      assert.deepEqual([line, column], [before.length - 1, before.at(-1)!.length]);
    }
  }
  return problems;
}

/** Marked text, what the message says, and what it suggests. */
const wrong: [string, RegExp, string?][] = [
  ['model: x\n«devic»: cpu\nstages: [{clone: {data: a}}]', /no setting "devic"/, 'device'],
  ['model: x\ndevice: «cppu»\nstages: [{clone: {data: a}}]', /one of auto, webgpu/, 'cpu'],
  ['«stages»: [{clone: {data: a}}]', /"model" is missing/],
  ['«model»: x', /"stages" is missing/],
  ['model: x\nstages: «[]»', /1 entry or more/],
  ['model: x\nstages: «3»', /a list and is 3/],
  ['model: «[1]»\nstages: [{clone: {data: a}}]', /text or settings/],
  ['model: x\nseed: «1.5»\nstages: [{clone: {data: a}}]', /whole number and is 1.5/],
  ['model: x\nstages:\n  - «clone»:\n', /"data" is missing/],
  ['model: x\nstages:\n  - «clone»: { batch: 2 }\n', /"data" is missing/],
  ['model: x\nstages:\n  - «guid»: { data: a }\n', /no stage "guid"/, 'guide'],
  ['model: x\nstages:\n  - «clon»\n', /no stage "clon"/, 'clone'],
  ['model: x\nstages:\n  - «clone»\n', /needs its settings/],
  ['model: x\nstages:\n  - «{}»\n', /name of one of/],
  ['model: x\nstages:\n  - clone: «[a]»\n', /settings \(key: value\) and is a list/],
  [
    'model: x\nstages:\n  - «clone:\n    data: a»\n',
    /"data" is a setting of the stage clone and should be indented/,
    '{ clone: { data: a } }',
  ],
  ['model: x\nstages:\n  - clone: { data: a }\n    «guide»: { data: a }\n', /one name/],
  ['model: x\nstages:\n  - control: { data: a, «leanring_rate»: 1 }\n', /leanring_rate/, 'learning_rate'],
  ['model: x\nstages:\n  - control: { data: a, codes: «0» }\n', /greater than 0/],
  ['model: x\nstages:\n  - control: { data: a, beta1: «2» }\n', /0.9999 or less/],
  ['model: x\nstages:\n  - control: { data: a, world: «residul» }\n', /plain, residual/, 'residual'],
  ['model: x\nstages:\n  - control: { data: a, batch: «many» }\n', /a number and is "many"/],
  ['model: x\nstages:\n  - control: { data: «3» }\n', /text or settings/],
  ['model: x\nstages:\n  - control: { data: «""» }\n', /1 character or more/],
  ['model: x\nstages:\n  - control: { data: { jsonl: a, «colums»: {} } }\n', /colums/, 'columns'],
  ['model: x\nstages:\n  - control: { data: { «jsnl»: a } }\n', /jsnl/, 'jsonl'],
  ['model: x\nstages:\n  - control: { data: { task: «countdwn» } }\n', /countdown, arithmetic/, 'countdown'],
  ['model: x\nstages:\n  - control: { data: { task: countdown, «formt»: paper } }\n', /formt/, 'format'],
  ['model: x\nstages:\n  - reinforce: { prompts: countdown, reward: «countdwn» }\n', /exact, numeric/, 'countdown'],
  ['model: x\nstages:\n  - reinforce: { prompts: a, reward: { exact: { «colum»: b } } }\n', /colum/, 'column'],
  ['model: x\nstages:\n  - reinforce: { prompts: a, reward: { «lenght»: { max: 3 } } }\n', /lenght/, 'length'],
  ['model: x\nstages:\n  - reinforce: { prompts: a, reward: { «length»: {} } }\n', /"max" is missing/],
  [
    'model: x\nstages:\n  - reinforce: { prompts: a, reward: { sum: [{ reward: exact }, { reward: «exat» }] } }\n',
    /exact/,
    'exact',
  ],
  ['model: x\nstages:\n  - «reinforce»: { prompts: a }\n', /"reward" is missing/],
  ['model: x\nstages:\n  - clone: { data: a, batch: 8, accumulate: «3» }\n', /should divide "batch"/],
  ['model: x\nstages:\n  - «tokens»: { method: supervised }\n', /"data" is missing/],
  ['model: x\nstages:\n  - «tokens»: { prompts: a }\n', /"reward" is missing/],
  [
    'model: { tokenizer: t, hidden: 10, intermediate: 4, layers: 1, heads: «4», context: 8 }\nstages: [{pretrain: {data: a}}]',
    /divide "hidden"/,
  ],
  [
    'model: { tokenizer: t, hidden: 8, intermediate: 4, layers: 1, heads: 2, context: 8 }\nstages: [{«clone»: {data: a}}]',
    /should be pretrain/,
  ],
  [
    'model: x\nbase: { precision: «int4» }\nstages: [{guide: {data: a}}]',
    /guide trains the base.* should be f32 or auto and is int4/,
  ],
  [
    'model: x\nbase: { precision: «f16» }\nstages: [{clone: {data: a}}, {tokens: {method: supervised, data: a}}]',
    /tokens trains the base/,
  ],
  ['model: x\nbase: { precision: «int8» }\nstages: [{pretrain: {data: a}}]', /pretrain trains the base/],
  ['model: x\nbase: { precision: «int5» }\nstages: [{clone: {data: a}}]', /precision/],
  ['«- a»', /model and stages/],
  ['model: x\n«model»: y\nstages: [{clone: {data: a}}]', /twice, first in line 1/],
  ['model: «*m»\nstages: [{clone: {data: a}}]', /nothing before it/],
];

describe('a run spec', () => {
  const scratch = scratchFolder();

  for (const [text, says, suggestion] of wrong) {
    it(`points at ${JSON.stringify(/«.*?»/s.exec(text)?.[0])} in ${JSON.stringify(text)}`, () => {
      const parsed = problemsOf(text);
      assert.match(parsed[0]!.message, says);
      if (suggestion !== undefined) assert.equal(parsed[0]!.suggestion, suggestion);
    });
  }

  it('names each setting that a new model lacks', () => {
    const { problems } = parseSpec('model: { tokenizer: t }\nstages: [{pretrain: {data: a}}]', 'a');
    const missing = problems.map(({ message }) => /"(\w+)" is missing/.exec(message)![1]);
    assert.deepEqual(missing, ['hidden', 'intermediate', 'layers', 'heads', 'context']);
    for (const { start, end } of problems) assert.deepEqual([start.offset, end.offset], [0, 5]);
  });

  it('is empty, or not YAML', () => {
    assert.match(parseSpec('', 'a.yaml').problems[0]!.message, /a.yaml should have the settings model and stages/);
    const { problems } = parseSpec('model: x\nstages: [{clone: {data: a}]\n', 'a');
    assert.equal(problems[0]!.start.line, 1);
    assert.match(parseSpec('model: !!js/function x', 'a').problems[0]!.message, /not known here/);
  });

  it('reports every problem, in the order of the text', () => {
    const problems = problemsOf(
      'model: x\n«sed»: 1\nstages:\n  - clone: { data: a, «bach»: 1, length: «-1» }\n  - guide: { data: a, «x»: 1 }\n',
    );
    assert.deepEqual(
      problems.map(({ path }) => path.join('.')),
      ['sed', 'stages.0.clone.bach', 'stages.0.clone.length', 'stages.1.guide.x'],
    );
  });

  it('fills in the defaults of each stage', () => {
    const { spec, problems } = parseSpec('model: x\nstages:\n  - control: { data: a }\n  - clone: { data: a }\n', 'a');
    assert.deepEqual(problems, []);
    const [control, clone] = spec!.stages;
    assert.equal(spec!.device, 'auto');
    assert.equal(spec!.seed, 7);
    assert(control!.name === 'control' && clone!.name === 'clone');
    assert.deepEqual([control!.settings.codes, control!.settings.weight_decay, clone!.settings.steps], [64, 0.01, 400]);
  });

  it('reads numbers with exponents and underscores', () => {
    const text = 'model: x\nstages: [{ clone: { data: a, tokens: 2e6, steps: 1_000, learning_rate: 1_0.5e-4 } }]';
    const [stage] = parseSpec(text, 'a').spec!.stages;
    assert(stage!.name === 'clone');
    const { tokens, steps, learning_rate } = stage!.settings;
    assert.deepEqual([tokens, steps, learning_rate], [2e6, 1000, 10.5e-4]);
    // In quotes it is text.
    assert.match(parseSpec(text.replace('1_000', '"1_000"'), 'a').problems[0]!.message, /a number and is "1_000"/);
  });

  it('has the same meaning through anchors', () => {
    const { spec } = parseSpec('model: &m x\nstages: [{ clone: &c { data: a } }, { clone: *c }]\ndevice: cpu', 'a');
    assert.deepEqual(spec!.stages[0], spec!.stages[1]);
  });

  it('of any text gives a spec or problems with places inside of it, and never throws', () => {
    const piece = fc.constantFrom(
      'model', 'stages', ': ', '\n', '  ', '- ', 'clone', '{', '}', '[', ']', 'data', '"', '&a ', '*a', '!!x ', '1_0', ',', '|', '#',
      'é', '🙂', '\t', '---\n', '? ', 'null',
    ); // biome-ignore format: a list of pieces
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('');
        const { spec, problems } = parseSpec(text, 'a');
        assert.equal(spec === undefined, problems.length > 0);
        for (const { start, end } of problems) {
          assert(0 <= start.offset && start.offset <= end.offset && end.offset <= text.length);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('survives aliases that multiply without bound, and itself', () => {
    let bomb = 'a0: &a0 [x, x]\n';
    for (let i = 1; i < 30; i++) bomb += `a${i}: &a${i} [*a${i - 1}, *a${i - 1}, *a${i - 1}]\n`;
    assert.notEqual(parseSpec(bomb, 'a').problems.length, 0);
    assert.notEqual(parseSpec('model: x\nstages: &s [*s]', 'a').problems.length, 0);
    assert.notEqual(parseSpec(`model: ${'['.repeat(5000)}`, 'a').problems.length, 0);
  });

  it('is the same after it was written and read', () => {
    fc.assert(
      fc.property(specs(), (spec) => {
        const text = stringifySpec(spec);
        const read = parseSpec(text, 'a');
        assert.deepEqual(read.problems, [], text);
        assert.deepEqual(read.spec, spec);
        assert.equal(stringifySpec(read.spec!), text);
      }),
      { numRuns: RUNS },
    );
  });

  it('in a file is refused with file, line and column', () => {
    const file = scratch('a.cola.yaml');
    assert.throws(() => readSpec(file), errorOf('spec.cannotRead'));
    writeFileSync(file, Uint8Array.of(0x6d, 0xff));
    assert.throws(() => readSpec(file), errorOf('spec.notUtf8'));
    writeFileSync(file, 'model: x\nstages:\n  - clone: { data: a, bach: 2, x: 1 }\n');
    const says =
      /a\.cola\.yaml:3:23: There is no setting "bach" here \(did you mean "batch"\?\) \(and 1 more problem\)\./;
    assert.throws(() => readSpec(file), errorOf('spec.invalid', says));
    writeFileSync(file, 'model: x\nstages:\n  - clone: { data: a }\n');
    assert.equal(readSpec(file).stages.length, 1);
  });
});

describe('paths in a spec', () => {
  const scratch = scratchFolder();

  it('count from its folder', () => {
    const file = scratch('specs/a.yaml');
    assert.equal(resolvePath('../data/x.jsonl', file), scratch('data/x.jsonl'));
    assert.equal(resolvePath(scratch('y'), file), scratch('y'));
  });

  it('may name a built-in model', () => {
    assert(existsSync(join(resolvePath('builtin:nano', 'a.yaml'), 'tokenizer.json')));
    assert.throws(() => resolvePath('builtin:giant', 'a.yaml'), errorOf('spec.unknownBuiltin', /giant/));
    assert.equal(resolveModel('m', scratch('a.yaml')), scratch('m'));
  });

  it('mean the same after the spec moved', () => {
    const from = scratch('specs/a.yaml');
    const to = scratch('project/.cola/runs/a/spec.yaml');
    mkdirSync(dirname(to), { recursive: true });
    const text = `model: ../model
stages:
  - control: { data: d.jsonl, held_out: { text: [e.txt, ../f.txt] } }
  - guide: { data: { jsonl: g.jsonl, columns: { prompt: text } } }
  - reinforce: { prompts: countdown, reward: { sum: [{ reward: { module: { path: r.js } } }, { reward: exact }] } }
  - tokens: { environment: { mcp: { command: [./s, path], prompts: p.jsonl, reward: { module: { path: r.js } } } } }
`;
    const { spec } = parseSpec(text, from);
    const moved = rebaseSpec(spec!, from, to);
    const [control, guide, reinforce, tokens] = moved.stages;
    assert(control!.name === 'control' && guide!.name === 'guide' && reinforce!.name === 'reinforce');
    assert.equal(resolvePath(moved.model as string, to), scratch('model'));
    assert.equal(resolvePath(control!.settings.data as string, to), scratch('specs/d.jsonl'));
    const { text: texts } = control!.settings.held_out as { text: string[] };
    assert.deepEqual(
      texts.map((path) => resolvePath(path, to)),
      [scratch('specs/e.txt'), scratch('f.txt')],
    );
    const data = guide!.settings.data as { jsonl: string; columns: unknown };
    assert.equal(resolvePath(data.jsonl, to), scratch('specs/g.jsonl'));
    assert.deepEqual(data.columns, { prompt: 'text' });
    assert.equal(reinforce!.settings.prompts, 'countdown');
    const { sum } = reinforce!.settings.reward as { sum: { reward: unknown }[] };
    assert.deepEqual(sum[1]!.reward, 'exact');
    const { module } = sum[0]!.reward as { module: { path: string } };
    assert.equal(resolvePath(module.path, to), scratch('specs/r.js'));
    assert(tokens!.name === 'tokens' && typeof tokens!.settings.environment === 'object');
    assert('mcp' in tokens!.settings.environment);
    const { command, folder, prompts, reward } = tokens!.settings.environment.mcp;
    // What a command says is relative to the folder that it is started in.
    assert.deepEqual(command, ['./s', 'path']);
    assert.equal(resolvePath(folder, to), scratch('specs'));
    assert.equal(resolvePath(prompts, to), scratch('specs/p.jsonl'));
    assert.deepEqual(reward, sum[0]!.reward);
    assert.deepEqual(rebaseSpec(moved, to, from), spec);
    assert.equal(rebaseSpec({ ...spec!, model: 'builtin:nano' }, from, to).model, 'builtin:nano');
  });
});

/** Specs with valid values for any of the settings; what is left out gets its default. */
function specs(): fc.Arbitrary<RunSpec> {
  const text = fc.oneof(
    fc.string({ minLength: 1, unit: 'binary' }),
    fc.constantFrom('2_000', 'true', '~', '1e3', ': x', '- a', ' b ', '\n', '# c', '0x1', '*d', "'", '{}', 'a: b'),
  );
  const data = fc.oneof(
    text,
    fc.record({ jsonl: text, skip_bad_rows: fc.boolean() }),
    fc.record({ text: fc.array(text, { minLength: 1, maxLength: 3 }) }),
    fc.record({ workspace: text, globs: fc.array(text, { minLength: 1, maxLength: 3 }) }),
  );
  const number = fc.double({ min: 1e-9, max: 1, noNaN: true, minExcluded: true });
  const whole = fc.integer({ min: 1, max: 1e6 });
  const stage = fc
    .constantFrom<StageName>('pretrain', 'control', 'clone', 'guide', 'reinforce', 'tokens', 'q', 'expert')
    .chain((name) => {
      const keys: Record<string, fc.Arbitrary<unknown>> = {
        data,
        prompts: data,
        reward: fc.constantFrom(
          'exact',
          'countdown',
          { length: { max: 5 } },
          { sum: [{ reward: 'maths', weight: 0.5 }] },
        ),
        learning_rate: number,
        beta: number,
        steps: whole,
        tokens: fc.constantFrom(2e6, 1e21, 3.5),
      };
      const taken = Object.keys(stageTable[name].settings.shape).filter((key) => key in keys);
      return fc.record(Object.fromEntries(taken.map((key) => [key, keys[key]!]))).map((settings) => {
        const parsed = (stageTable[name].settings as z.ZodType).parse(settings);
        return { name, settings: parsed } as RunSpec['stages'][number];
      });
    });
  return fc
    .record({
      model: text,
      base: fc.constantFrom('auto' as const, 'f32' as const).map((precision) => ({ precision })),
      device: fc.constantFrom('auto' as const, 'cpu' as const),
      seed: fc.integer(),
      stages: fc.array(stage, { minLength: 1, maxLength: 3 }),
      evaluate: fc.constantFrom([], ['pass@k' as const, 'cost' as const]),
      log: fc.constantFrom([], ['tensorboard' as const, 'csv' as const]),
    })
    .map(({ evaluate, log, ...spec }): RunSpec => ({ ...spec, evaluate: [...evaluate], log: [...log] }));
}
