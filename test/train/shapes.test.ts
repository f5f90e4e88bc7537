import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorOf } from '../store/scratch.ts';
import { Bench, linesOf, settingsOf } from '../support/runs.ts';

const slow = process.env.COLA_SLOW === '1';
const bench = Bench.forTests();
const words = ['one', 'two', 'three', 'four', 'five', 'six'];
const word = (i: number) => words[i % words.length];
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });
const steps = 2;

/** Rows that say what follows a number, in the shapes of well-known data sets. */
const shapes: Readonly<Record<string, (i: number) => object>> = {
  'prompt and completion': (i) => ({ prompt: `after ${word(i)}:`, completion: ` ${word(i + 1)}` }),
  'prompt and completion of messages': (i) => ({ prompt: [user(word(i))], completion: [assistant(word(i + 1))] }),
  'prompt of messages': (i) => ({ prompt: [user(word(i))], answer: word(i + 1) }),
  GSM8K: (i) => ({ question: `after ${i}?`, answer: `so\n#### ${i + 1}` }),
  MATH: (i) => ({ problem: `after ${i}?`, solution: `it is $\\boxed{${i + 1}}$`, level: 'Level 1' }),
  'MATH-500': (i) => ({ problem: `after ${i}?`, solution: `$\\boxed{${i + 1}}$`, answer: `${i + 1}` }),
  messages: (i) => ({ messages: [user(word(i)), assistant(word(i + 1))] }),
  ShareGPT: (i) => ({
    conversations: [
      { from: 'system', value: 'count' },
      { from: 'human', value: word(i) },
      { from: 'gpt', value: word(i + 1) },
    ],
  }),
  Alpaca: (i) => ({ instruction: 'what follows?', input: word(i), output: word(i + 1) }),
  'preferences with a prompt': (i) => ({ prompt: word(i), chosen: word(i + 1), rejected: word(i + 2) }),
  'preferences of conversations': (i) => ({
    chosen: [user(word(i)), assistant(word(i + 1))],
    rejected: [user(word(i)), assistant(word(i + 2))],
  }),
  verl: (i) => ({
    data_source: 'x',
    prompt: [user(word(i))],
    reward_model: { style: 'rule', ground_truth: word(i + 1) },
    extra_info: { index: i },
  }),
  'parts and calls of tools': (i) => ({
    messages: [
      { role: 'user', content: [{ type: 'text', text: word(i) }] },
      { role: 'assistant', content: null, tool_calls: [{ function: { name: 'next', arguments: { of: word(i) } } }] },
      { role: 'tool', content: word(i + 1) },
      assistant(word(i + 1)),
    ],
  }),
};

/** Further ones, each with what is learned from it: an answer, or what a reward judges. */
const others: Readonly<Record<string, (i: number) => object>> = {
  Glaive: (i) => ({
    system: 'SYSTEM: count',
    chat: `USER: ${word(i)}\n\n\nASSISTANT: ${word(i + 1)} <|endoftext|>\n\n\n`,
  }),
  'summaries that were compared': (i) => ({
    info: { post: word(i) },
    summaries: [{ text: word(i + 1) }, { text: word(i + 2) }],
    choice: 0,
  }),
  P3: (i) => ({ inputs: [1], inputs_pretokenized: word(i), targets: [2], targets_pretokenized: word(i + 1) }),
  CAMEL: (i) => ({ topic: 't', message_1: word(i), message_2: word(i + 1) }),
  Baize: (i) => ({ topic: 't', input: `Two talk.\n[|Human|] ${word(i)}\n[|AI|] ${word(i + 1)}\n[|Human|] ` }),
  translation: (i) => ({ translation: { en: word(i), fr: word(i + 1) } }),
  'MT-bench': (i) => ({ question_id: i, category: 'c', turns: [word(i), 'again'], reference: [word(i + 1), 'x'] }),
  LeetCode: (i) => ({ id: i, content: word(i), javascript: word(i + 1) }),
  Tulu: (i) => ({ id: i, messages: [user(word(i)), assistant(word(i + 1))], source: 's' }),
  Nectar: (i) => ({
    prompt: `\n\nHuman: ${word(i)}\n\nAssistant: `,
    answers: [
      { answer: word(i + 2), rank: 2 },
      { answer: word(i + 1), rank: 1 },
    ],
  }),
  HelpSteer: (i) => ({ prompt: word(i), response: word(i + 1), helpfulness: i % 5 }),
  UltraFeedback: (i) => ({
    instruction: word(i),
    completions: [
      { response: word(i + 2), overall_score: 2 },
      { response: word(i + 1), overall_score: 8 },
    ],
  }),
  'turns before': (i) => ({ instruction: word(i + 1), output: word(i + 2), history: [[word(i), word(i + 1)]] }),
  segments: (i) => ({
    segments: [
      { label: false, text: `${word(i)} ` },
      { label: true, text: word(i + 1) },
    ],
  }),
  HH: (i) => ({
    chosen: `\n\nHuman: ${word(i)}\n\nAssistant: ${word(i + 1)}`,
    rejected: `\n\nHuman: ${word(i)}\n\nAssistant: ${word(i + 2)}`,
  }),
};

describe('rows in a published shape', function () {
  this.timeout(120_000);
  const lines = (make: (i: number) => object, count = 12) =>
    Array.from({ length: count }, (_, i) => `${JSON.stringify(make(i))}\n`).join('');

  /** A copy of the model that takes longer rows. */
  const wide = (name: string, template?: string): string => {
    const model = join(bench.root, name);
    cpSync(bench.cola, model, { recursive: true });
    const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
    writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: 256 }));
    // It is another model than the one that was saved.
    rmSync(join(model, 'manifest.json'));
    if (template !== undefined) writeFileSync(join(model, 'chat_template.jinja'), template);
    return model;
  };

  /**
   * Stages that read a shape as conversations, as text and as prompts. Two stages read it in each of the first ways, by the same code:
   * in the short form shapes take turns with them and with two of the three ways, and the slow form trains all five on every shape.
   */
  const stagesOn = (data: object | string, turn: number) => {
    const first = [
      { tokens: { ...settingsOf('tokens supervised', steps), data, max_length: 200, epochs: undefined, steps } },
      { control: { ...settingsOf('control', steps), data } },
    ];
    const second = [
      { guide: { ...settingsOf('guide policy', steps), data, max_length: 200 } },
      { clone: { ...settingsOf('clone', steps), data } },
    ];
    // Not every shape has a right answer to compare with.
    const reward = { length: { max: 1, slope: 100 } };
    const third = { reinforce: { ...settingsOf('grpo', steps), prompts: data, reward } };
    if (slow) return [...first, ...second, third];
    const all = [...(turn % 2 === 0 ? first : second), third];
    return all.filter((_, way) => way !== turn % 3);
  };

  for (const [turn, [name, make]] of Object.entries(shapes).entries()) {
    it(`train stages without a mapping: ${name}`, async () => {
      const data = bench.write('shape.json', `[${lines(make).trim().split('\n').join(',\n')}]`);
      const id = bench.fresh();
      const stages = stagesOn(data, turn);
      await bench.run(stages, wide('wide'), id);
      const metrics = linesOf(bench.root, id, 'metrics');
      assert.deepEqual(new Set(metrics.map(({ stage }) => stage)), new Set(stages.flatMap(Object.keys)));
      for (const line of metrics) if ('loss' in line) assert.ok(Number.isFinite(line.loss), JSON.stringify(line));
    });
  }

  it('are learned from, one after the other, in further shapes', async () => {
    const id = bench.fresh();
    const stages = Object.entries(others).map(([name, make]) => {
      const data = bench.write(`${name.replaceAll(' ', '-')}.jsonl`, lines(make));
      return { tokens: { ...settingsOf('tokens supervised', 1), data, max_length: 200, epochs: undefined, steps: 1 } };
    });
    // As one row of tokens, too, in which some are only read.
    const packed = { control: { ...settingsOf('control', 1), data: 'segments.jsonl' } };
    const prompts = bench.write(
      'tinyzero.jsonl',
      lines((i) => ({ target: 24 + i, nums: [3, 9, 12 + i] })),
    );
    const reward = 'countdown';
    await bench.run(
      [...stages, packed, { reinforce: { ...settingsOf('grpo', 1), prompts, reward } }],
      wide('wide'),
      id,
    );
    const metrics = linesOf(bench.root, id, 'metrics');
    const learned = metrics.filter((line) => line.stage === 'tokens' && 'loss' in line);
    // Each stage measures before its first step.
    const begun = new Set(metrics.flatMap(({ step, steps }) => (steps === undefined ? [] : [step])));
    assert.equal(begun.size, stages.length + 2, JSON.stringify([...begun]));
    for (const line of learned) assert.ok(Number(line.loss) > 0, JSON.stringify(line));
    for (const line of metrics.filter((each) => 'unscored' in each)) assert.equal(line.unscored, 0);
  });

  it('train a model that has a chat template, too', async () => {
    const template =
      '{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}';
    const model = wide('templated', template);
    // The template is applied to messages, whatever they were read from: one of each side of it.
    const every = ['prompt and completion', 'prompt of messages', 'ShareGPT', 'parts and calls of tools', 'verl'];
    const named = slow ? every : ['prompt of messages', 'parts and calls of tools'];
    for (const [turn, name] of named.entries()) {
      const data = bench.write('shape.jsonl', lines(shapes[name]));
      await bench.run(stagesOn(data, turn), model);
    }
  });

  it('are scored by the right answer wherever it stands', async () => {
    for (const [name, reward] of [
      ['verl', 'exact'],
      ['verl', { exact: { column: 'reward_model.ground_truth' } }],
      ['GSM8K', 'numeric'],
      ['MATH', 'maths'],
    ] as const) {
      const prompts = bench.write('shape.jsonl', lines(shapes[name]));
      const id = bench.fresh();
      await bench.run([{ reinforce: { ...settingsOf('grpo', steps), prompts, reward } }], bench.cola, id);
      for (const { unscored } of linesOf(bench.root, id, 'metrics').filter((line) => 'unscored' in line))
        assert.equal(unscored, 0, name);
    }
  });

  it('that cannot be scored are told of before the first step', async () => {
    const prompts = bench.write(
      'bare.jsonl',
      lines((i) => ({ prompt: word(i), label: word(i + 1) })),
    );
    const said: string[] = [];
    const run = bench.saidBy([{ reinforce: { ...settingsOf('grpo', steps), prompts } }], bench.cola, said);
    await assert.rejects(run, errorOf('train.nothingScored'));
    assert.match(said.join('\n'), /bare\.jsonl: none of 12 rows can be scored; .*"answer"/);
  });

  it('say how conversations are written for a model without a template', async () => {
    const data = bench.write('shape.jsonl', lines(shapes.ShareGPT));
    const said = await bench.saidBy([{ guide: { ...settingsOf('guide policy', steps), data, max_length: 64 } }]);
    assert.match(said.join('\n'), /no chat template.*plain turns/);
  });

  it('read as a text say that brackets are learned, too', async () => {
    const name = bench.write(
      'list.json',
      JSON.stringify(Array.from({ length: 40 }, (_, i) => ({ text: `${word(i)} ${word(i + 1)}` }))),
    );
    const pretrain = { ...settingsOf('pretrain', steps) };
    const said = await bench.saidBy([{ pretrain: { ...pretrain, data: { text: [name] } } }]);
    assert.match(said.join('\n'), /list\.json is read as plain text, brackets .* \{ jsonl: list\.json \}/);
    assert.doesNotMatch((await bench.saidBy([{ pretrain: { ...pretrain, data: name } }])).join('\n'), /plain text/);
  });

  it('without a response name the columns there are', async () => {
    const data = bench.write(
      'bare.jsonl',
      lines((i) => ({ prompt: word(i), reply: word(i + 1) })),
    );
    const guide = { ...settingsOf('guide policy', steps), data };
    await assert.rejects(
      bench.run([{ guide }]),
      errorOf('train.noResponses', /has the columns|have the columns reply/),
    );
    await bench.run([{ guide: { ...guide, data: { jsonl: data, columns: { prompt: 'prompt', response: 'reply' } } } }]);
  });
});

describe('rows that do not fit', function () {
  this.timeout(60_000);
  const short = Array.from({ length: 7 }, (_, i) => ({
    prompt: `after ${word(i)}:`,
    response: word(i),
    answer: word(i + 1),
  }));
  const long = { prompt: 'one two three '.repeat(60), response: 'four', answer: 'four' };
  const unscored = { prompt: 'after one:', response: 'two' };
  const write = (...rows: object[]) => bench.write('mixed.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));

  it('are named with file and line, or left out with their reasons', async () => {
    const jsonl = write(...short.slice(0, 5), long, ...short.slice(5), unscored);
    const grpo = settingsOf('grpo', steps);
    const reinforce = (prompts: unknown) => [{ reinforce: { ...grpo, prompts } }];
    await assert.rejects(
      bench.run(reinforce(jsonl)),
      errorOf('train.promptTooLong', /mixed\.jsonl, line 6: the prompt "/),
    );
    const said = (await bench.saidBy(reinforce({ jsonl, skip_bad_rows: true }))).join('\n');
    assert.match(said, /mixed\.jsonl: 7 rows used, left out: .*1 x train\.promptTooLong: .*line 6/);
    assert.match(said, /1 x data\.noAnswer: .*line 9/);
    for (const stage of ['guide policy', 'tokens supervised'] as const) {
      const settings = (data: unknown) => [{ [stage.split(' ')[0]]: { ...settingsOf(stage, steps), data } }];
      await assert.rejects(bench.run(settings(jsonl)), errorOf('data.promptTooLong', /mixed\.jsonl, line 6 /));
      const told = (await bench.saidBy(settings({ jsonl, skip_bad_rows: true }))).join('\n');
      assert.match(told, /mixed\.jsonl: 8 rows used, left out: 1 x data\.promptTooLong/);
    }
    await bench.run([{ q: { ...settingsOf('q', steps), prompts: { jsonl, skip_bad_rows: true } } }]);
  });

  it('and are the last of the file leave others to measure on', async () => {
    const jsonl = write(...short, long);
    const id = bench.fresh();
    const prompts = { jsonl, skip_bad_rows: true };
    await bench.run([{ reinforce: { ...settingsOf('grpo', steps), prompts } }], bench.cola, id);
    for (const line of linesOf(bench.root, id, 'metrics'))
      if ('greedy_reward' in line) assert.ok(Number.isFinite(line.greedy_reward));
  });

  it('and are all there is end the run before it begins', async () => {
    const prompts = { jsonl: write(long, long), skip_bad_rows: true };
    await assert.rejects(
      bench.run([{ reinforce: { ...settingsOf('grpo', steps), prompts } }]),
      errorOf('data.noUsableRows', /2 x train\.promptTooLong/),
    );
  });
});
