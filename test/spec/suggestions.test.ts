/** What is said to somebody who writes the words of another tool, or leaves out what is needed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { diagnose, fixes } from '../../server/language/spec/diagnostics.ts';
import { nearest } from '../../server/schemas/issues.ts';
import { writtenNumber } from '../../server/schemas/written-number.ts';
import { parseSpec } from '../../server/spec/document.ts';
import { stages } from '../../server/spec/stages.ts';

/** A stage, a key that others use, and the one that is meant. */
const foreign: [stage: string, theirs: string, ours: string][] = [
  ['clone', 'batch_size: 4', 'batch'],
  ['clone', 'per_device_train_batch_size: 4', 'batch'],
  ['clone', 'gradient_accumulation_steps: 2', 'accumulate'],
  ['clone', 'lr: 1e-4', 'learning_rate'],
  ['clone', 'learningRate: 1e-4', 'learning_rate'],
  ['clone', 'epochs: 2', 'steps'],
  ['clone', 'num_train_epochs: 2', 'steps'],
  ['guide', 'num_train_epochs: 2', 'epochs'],
  ['clone', 'max_steps: 100', 'steps'],
  ['clone', 'max_length: 128', 'length'],
  ['clone', 'max_seq_length: 128', 'length'],
  ['guide', 'max_seq_length: 128', 'max_length'],
  ['guide', 'sequence_len: 128', 'max_length'],
  ['clone', 'warmup_steps: 5', 'warmup'],
  ['clone', 'warmup_ratio: 0.1', 'warmup'],
  ['clone', 'max_grad_norm: 1', 'clip'],
  ['clone', 'adam_beta1: 0.9', 'beta1'],
  ['clone', 'save_steps: 5', 'checkpoint_every'],
  ['clone', 'eval_steps: 5', 'evaluate_every'],
  ['clone', 'eval_dataset: x', 'held_out'],
  ['reinforce', 'num_generations: 8', 'group'],
  ['reinforce', 'n: 8', 'group'],
  ['reinforce', 'beta: 0.04', 'kl'],
  ['reinforce', 'kl_coef: 0.04', 'kl'],
  ['reinforce', 'max_completion_length: 64', 'max_new'],
  ['reinforce', 'max_new_tokens: 64', 'max_new'],
  ['reinforce', 'max_length: 64', 'max_new'],
  ['reinforce', 'epsilon: 0.2', 'clip_ratio'],
  ['reinforce', 'cliprange: 0.2', 'clip_ratio'],
  ['reinforce', 'adv_estimator: grpo', 'algorithm'],
  ['reinforce', 'ppo_mini_batch_size: 2', 'minibatches'],
  ['reinforce', 'val_files: x', 'held_out'],
  ['reinforce', 'batch-size: 4', 'batch'],
  ['reinforce', 'gae_lambda: 1', 'lambda'],
];

const needed: Record<string, string> = { clone: 'data: a', guide: 'data: a', reinforce: 'prompts: a, reward: exact' };

const first = (text: string) => {
  const [problem] = parseSpec(text, 'a').problems;
  assert.ok(problem !== undefined, text);
  return problem;
};
const withReward = (reward: string) => `model: m\nstages:\n  - reinforce: { prompts: a, reward: ${reward} }\n`;
const withData = (data: string) => `model: m\nstages:\n  - clone: { data: ${data} }\n`;

/** The text after the quick fix of its first problem. */
function fixed(text: string): string {
  const [diagnostic] = diagnose(text, 'a');
  const [fix] = fixes('file:///a', [diagnostic!]);
  assert.ok(fix !== undefined, diagnostic!.message.toString());
  const [{ range, newText }] = fix.edit!.changes!['file:///a']! as [
    { range: typeof diagnostic.range; newText: string },
  ];
  const lines = text.split('\n');
  const offset = ({ line, character }: typeof range.start) =>
    lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0) + character;
  return text.slice(0, offset(range.start)) + newText + text.slice(offset(range.end));
}

describe('words of other tools in a run spec', () => {
  for (const [stage, theirs, ours] of foreign) {
    const [key] = theirs.split(':');
    it(`${key} of ${stage} is ${ours}, and a quick fix writes it`, () => {
      const text = `model: m\nstages:\n  - ${stage}: { ${needed[stage]}, ${theirs} }\n`;
      const { message, suggestion } = first(text);
      assert.equal(suggestion, ours);
      assert.equal(message, `There is no setting "${key}" here (did you mean "${ours}"?)`);
      assert.ok(!diagnose(fixed(text), 'a').some((problem) => String(problem.message).includes('no setting')));
    });
  }

  it('stand for the settings of the spec as a whole', () => {
    for (const [theirs, ours] of [
      ['base_model', 'model'],
      ['model_name_or_path', 'model'],
      ['random_seed', 'seed'],
      ['num_threads', 'threads'],
      ['metrics', 'evaluate'],
    ]) {
      const model = ours === 'model' ? '' : 'model: m\n';
      const { problems } = parseSpec(`${model}${theirs}: x\nstages: [{ clone: { data: a } }]`, 'a');
      assert.equal(problems[0]?.suggestion, ours);
    }
    // What is missing is there, misspelt: that is one problem.
    const { problems } = parseSpec('base_model: m\nstages: [{ clone: { data: a } }]', 'a');
    assert.deepEqual(
      problems.map(({ message }) => message),
      ['There is no setting "base_model" here (did you mean "model"?)'],
    );
    assert.equal(first('model: m\nstages:\n  - grpo: { prompts: a }\n').suggestion, 'reinforce');
    assert.equal(first('model: m\nstages:\n  - sft: { data: a }\n').suggestion, 'tokens');
    assert.equal(first('model: m\ndevice: gpu\nstages: [{ clone: { data: a } }]').suggestion, 'auto');
  });

  it('stand for methods, algorithms and stages, where others have them elsewhere', () => {
    const stage = (text: string) => `model: m\nstages:\n  - ${text}\n`;
    const rl = 'prompts: a, reward: exact';
    for (const [text, ours] of [
      ['tokens: { method: sft, data: a }', 'supervised'],
      ['tokens: { method: lora, data: a }', 'supervised'],
      [`tokens: { method: grpo, ${rl} }`, 'reinforce'],
      [`tokens: { method: rl, ${rl} }`, 'reinforce'],
      [`reinforce: { algorithm: rloo, ${rl} }`, 'grpo'],
      [`reinforce: { algorithm: GRPO, ${rl} }`, 'grpo'],
      [`reinforce: { algorithm: reinforce, ${rl} }`, 'remax'],
      [`reinforce: { method: grpo, ${rl} }`, 'algorithm'],
      ['guide: { method: policy, data: a }', 'variant'],
      ['train: { data: a }', 'tokens'],
      ['reinforce: { env: household }', 'environment'],
    ]) {
      assert.equal(first(stage(text)).suggestion, ours, text);
    }
    assert.match(first(stage('tokens: { method: dpo, data: a }')).message, /; dpo is the stage "dpo" here$/);
    assert.match(first(stage('guide: { variant: sft, data: a }')).message, /; sft is the stage "tokens" here$/);
    assert.match(first(stage('dpo: { method: dpo, data: a }')).message, /; .*leave "method" out$/);
    const top = parseSpec('model: m\nmethod: sft\nstages: [{ clone: { data: a } }]', 'a').problems;
    assert.match(top[0].message, /"method" here: it belongs to a stage, as in stages: \[\{ tokens: /);
  });

  it('and values in another form are put right by a quick fix', () => {
    for (const [given, meant] of [
      ['x.mjs', '{ module: { path: x.mjs } }'],
      ['./my/reward.ts', '{ module: { path: ./my/reward.ts } }'],
      ['{ module: x.mjs }', '{ module: { path: x.mjs } }'],
      ['{ module: { file: x.mjs } }', '{ module: { path: x.mjs } }'],
      ['{ path: x.mjs }', '{ module: { path: x.mjs } }'],
      ['{ function: x.mjs }', '{ module: { path: x.mjs } }'],
      ['{ type: maths }', 'maths'],
      ['{ exact: true }', '{ exact: {} }'],
      ['[exact, maths]', '{ sum: [{ reward: exact }, { reward: maths }] }'],
      ['{ sum: [exact] }', '{ sum: [{ reward: exact }] }'],
    ]) {
      const right = fixed(withReward(given));
      assert.equal(right, withReward(meant), given);
      assert.deepEqual(parseSpec(right, 'a').problems, [], given);
    }
    const world = (text: string) => `model: m\nstages:\n  - reinforce: { environment: ${text} }\n`;
    for (const [given, meant] of [
      ['./world.mjs', '{ module: { path: ./world.mjs } }'],
      ['{ module: world.mjs }', '{ module: { path: world.mjs } }'],
      ['{ path: world.mjs }', '{ module: { path: world.mjs } }'],
      ['{ name: household }', 'household'],
      [
        '{ mcp: { command: node s.js a, prompts: p.csv, reward: exact } }',
        '{ mcp: { command: [node, s.js, a], prompts: p.csv, reward: exact } }',
      ],
      [
        '{ mcp: { command: [a], cwd: b, prompts: p.csv, reward: exact } }',
        '{ mcp: { command: [a], folder: b, prompts: p.csv, reward: exact } }',
      ],
    ]) {
      assert.equal(fixed(world(given)), world(meant), given);
      assert.deepEqual(parseSpec(world(meant), 'a').problems, []);
    }
    // A module is JavaScript: another file is none.
    for (const value of ['x.py', './my/reward.py', 'https://example.com/r.mjs', '"my.module:score"']) {
      const { message, suggestion } = first(withReward(value));
      assert.equal(suggestion, undefined);
      assert.match(message, /a JavaScript file on this machine: \{ module: \{ path: reward\.mjs \} \}$/);
    }
  });

  it('stand for where data comes from, also where the path itself is to be written', () => {
    for (const key of ['path', 'file', 'data_files', 'dataset', 'train_file']) {
      assert.equal(first(withData(`{ ${key}: rows.jsonl }`)).suggestion, 'jsonl', key);
      assert.equal(fixed(withData(`{ ${key}: rows.jsonl }`)), withData('{ jsonl: rows.jsonl }'));
      assert.equal(fixed(withData(`{ ${key}: a/b.txt }`)), withData('a/b.txt'));
    }
    const block = 'model: m\nstages:\n  - clone:\n      data:\n        file: corpus.txt\n      batch: 2\n';
    assert.deepEqual(parseSpec(fixed(block), 'a').problems, []);
    for (const key of ['dataset', 'train_file', 'train_data', 'dataset_name']) {
      assert.equal(first(`model: m\nstages:\n  - clone: { ${key}: a }\n`).suggestion, 'data');
      assert.equal(first(`model: m\nstages:\n  - reinforce: { ${key}: a, reward: exact }\n`).suggestion, 'prompts');
    }
    assert.match(first(withData('{ nothing_like_it: x }')).message, /there are jsonl, columns/);
  });

  it('do not stand for what is there already, nor for a text that would become something else', () => {
    const { problems } = parseSpec('model: m\nstages:\n  - clone: { data: a, steps: 5, epochs: 2, stepz: 3 }\n', 'a');
    assert.deepEqual(
      problems.map(({ message, suggestion }) => [message, suggestion]),
      [
        ['There is no setting "epochs" here but "steps", which is set', undefined],
        ['There is no setting "stepz" here', undefined],
      ],
    );
    for (const value of ['"true"', '"12"', '"1e3"', '"null"', '"a: b"', "'#a'"]) {
      assert.equal(first(withData(`{ path: ${value} }`)).suggestion, 'jsonl', value);
    }
  });

  it('are numbers as people write them', () => {
    const step = (key: string, value: string) =>
      `model: m\nstages:\n  - clone:\n      data: a\n      ${key}: ${value}\n`;
    for (const [key, given, meant] of [
      ['steps', '5k', '5000'],
      ['steps', '1,000', '1000'],
      ['steps', '1,000,000', '1000000'],
      ['steps', '1 000', '1000'],
      ['steps', '1.000.000', '1000000'],
      ['steps', 'three', '3'],
      ['steps', 'twenty-five', '25'],
      ['steps', 'two hundred', '200'],
      ['steps', '40 steps', '40'],
      ['steps', '8/2', '4'],
      ['tokens', '1k tokens', '1000'],
      ['tokens', '2 million', '2000000'],
      ['tokens', '1.5M tokens', '1500000'],
      ['weight_decay', '10%', '0.1'],
      ['weight_decay', '10 percent', '0.1'],
      ['weight_decay', '1/3', '0.333333'],
      ['weight_decay', '0,05', '0.05'],
      ['learning_rate', '"2e-4 "', '0.0002'],
      ['learning_rate', '2e\u22124', '0.0002'],
      ['learning_rate', '2*10^-4', '0.0002'],
    ]) {
      assert.equal(first(step(key, given)).suggestion, meant, given);
      const right = fixed(step(key, given));
      assert.equal(right, step(key, meant));
      assert.deepEqual(parseSpec(right, 'a').problems, [], given);
      // In braces a comma ends a value.
      const inside = (value: string) => `model: m\nstages:\n  - clone: { data: a, ${key}: ${value} }\n`;
      assert.equal(fixed(inside(given)), inside(meant));
    }
    assert.deepEqual(parseSpec(step('steps', '1_000'), 'a').problems, []);
    const reward = (limit: string) => withReward(`{ module: { path: r.mjs, timeLimitMs: ${limit} } }`);
    for (const [given, meant] of [
      ['5 min', '300000'],
      ['5m', '300000'],
      ['30s', '30000'],
      ['0.5 hours', '1800000'],
      ['2000', '2000'],
    ]) {
      if (given !== meant) assert.equal(fixed(reward(given)), reward(meant));
      assert.deepEqual(parseSpec(reward(meant), 'a').problems, []);
    }
    const workers = (timeout: string) =>
      `model: m\ncluster: { timeout: ${timeout} }\nstages: [{ clone: { data: a } }]\n`;
    assert.equal(fixed(workers('5 min')), workers('300'));
    const search = (cache: string) => `model: m\nstages:\n  - expert: { prompts: a, reward: exact, cache: ${cache} }\n`;
    assert.equal(fixed(search('2 GB')), search('2048'));
  });

  it('are not made up for what is no number, or counts something else', () => {
    const says = (value: string) => {
      const { message, suggestion } = first(`model: m\nstages:\n  - clone:\n      data: a\n      steps: ${value}\n`);
      assert.equal(suggestion, undefined, value);
      return message;
    };
    assert.equal(says('5 min'), '"steps" should be a number and is "5 min": it counts steps and no time');
    assert.equal(says('10%'), '"steps" should be a number and is "10%": it counts steps and is no share of them');
    for (const value of ['many', '5 apples', '1/3', '1/0', '0,5', '-3', '1e999', '1,00', '1 GB', '1.2.3', '"9 9 9"'])
      assert.match(says(value), /^"steps"/);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'0123456789.,_ /%kme-+x '.split('')), maxLength: 30 }),
        (text) => {
          const value = writtenNumber(text, 'seconds');
          assert.ok(value === undefined || Number.isFinite(value), text);
        },
      ),
    );
  });

  it('are put in braces where two keys stand one behind the other', () => {
    for (const data of ['jsonl: a.jsonl', 'jsonl: a.jsonl # rows']) {
      const text = `model: m\nstages:\n  - clone:\n      data: ${data}\n      steps: 1\n`;
      assert.match(first(text).message, /write \{ jsonl: a\.jsonl \}/);
      assert.deepEqual(parseSpec(fixed(text), 'a').problems, []);
    }
    const inside = withData('jsonl: a.jsonl, steps: 1');
    assert.match(first(inside).message, /write \{ jsonl: a\.jsonl \}/);
    assert.deepEqual(parseSpec(fixed(inside), 'a').problems, []);
    assert.match(first('model: m\nstages: [\n').message, /flow/i);
  });

  it('say that data alone is learned by the method supervised', () => {
    assert.match(
      first('model: m\nstages:\n  - tokens: { data: a.jsonl }\n').message,
      /"method: supervised" is missing/,
    );
  });

  it('never stand for themselves', () => {
    const words = Object.values(stages).flatMap(({ settings }) => Object.keys(settings.shape));
    const word = fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 12 }));
    fc.assert(
      fc.property(word, (given) => {
        const suggestion = nearest(given, [...words, given]);
        assert.ok(suggestion !== given && (suggestion === undefined || words.includes(suggestion)));
      }),
    );
    assert.equal(nearest('x'.repeat(100_000), words), undefined);
  });
});

describe('rewards in a run spec', () => {
  it('say which settings they have, and which they need', () => {
    const says = (reward: string) => parseSpec(withReward(reward), 'a').problems.map(({ message }) => message);
    assert.deepEqual(says('{ length: { target: 10 } }'), [
      'length has no setting "target" but min, max, unit, slope, and needs max',
    ]);
    assert.deepEqual(says('length'), ['length needs max: write { length: { max: ... } }']);
    assert.deepEqual(says('module'), ['module needs path: write { module: { path: ... } }']);
    assert.deepEqual(says('sum'), ['sum needs a list: write { sum: [...] }']);
    assert.deepEqual(says('{ module: { file: a.js } }'), [
      'module has no setting "file" but path, timeLimitMs, processes, env (did you mean "path"?)',
    ]);
    assert.deepEqual(says('{ numeric: { decimals: 2, max: 3 } }'), [
      'numeric has no setting "decimals" but column, read, tolerance, relativeTolerance',
      'numeric has no setting "max" but column, read, tolerance, relativeTolerance',
    ]);
    assert.deepEqual(says('{ similarity: { ignore_case: true } }'), [
      'similarity has no setting "ignore_case" but column, trim, ignoreCase, maxCharacters (did you mean "ignoreCase"?)',
    ]);
    assert.deepEqual(says('{ length: { min: 3 } }'), ['"max" is missing']);
    assert.deepEqual(says('{ length: { min: 3, max: 1 } }'), ['"min": min is above max']);
    assert.deepEqual(says('{ sum: [{ reward: length }] }'), ['length needs max: write { length: { max: ... } }']);
    assert.equal(first(withReward('lenght')).suggestion, 'length');
    assert.match(
      first(withReward('nice')).message,
      /exact, .*similarity, repetition, length, module, model, sum and is "nice"$/,
    );
  });

  it('need two samples of a prompt, where GRPO compares them', () => {
    const text = (stage: string) => `model: m\nstages:\n  - ${stage}\n`;
    const wrong = /GRPO compares.*"group" should be 2 or more/;
    assert.match(first(text('reinforce: { prompts: a, reward: exact, group: 1 }')).message, wrong);
    assert.match(first(text('tokens: { prompts: a, reward: exact, group: 1 }')).message, wrong);
    for (const good of [
      'reinforce: { prompts: a, reward: exact, group: 2 }',
      'reinforce: { prompts: a, reward: exact, group: 1, algorithm: ppo }',
      'reinforce: { prompts: a, reward: exact, group: 1, algorithm: remax }',
      'tokens: { method: supervised, data: a, group: 1 }',
    ]) {
      assert.deepEqual(parseSpec(text(good), 'a').problems, [], good);
    }
  });
});
