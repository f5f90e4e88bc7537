import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ColaError } from '../../server/errors.ts';
import {
  createReward,
  parseRewardSpec,
  type RewardInput,
  type RewardResult,
  type RewardSpec,
} from '../../server/rewards/index.ts';

const input = (completion: string, row: Record<string, unknown> = {}, prompt = ''): RewardInput => ({
  prompt,
  completion,
  row,
  finished: true,
  tokens: completion.length,
});

async function score(spec: RewardSpec, ...sample: Parameters<typeof input>): Promise<RewardResult> {
  const reward = await createReward(spec);
  try {
    return await reward.score(input(...sample));
  } finally {
    await reward.close();
  }
}

async function value(spec: RewardSpec, ...sample: Parameters<typeof input>): Promise<number | string> {
  const result = await score(spec, ...sample);
  return 'noScore' in result ? result.noScore : result.value;
}

describe('the exact reward', () => {
  it('compares texts with its options', async () => {
    assert.equal(await value('exact', ' yes\n', { answer: 'yes' }), 1);
    assert.equal(await value('exact', 'Yes', { answer: 'yes' }), 0);
    assert.equal(await value({ exact: { ignoreCase: true, column: 'gold' } }, 'Yes', { gold: 'yes' }), 1);
    assert.equal(await value({ exact: { trim: false } }, 'yes ', { answer: 'yes' }), 0);
    assert.equal(await value({ exact: { collapseSpaces: true } }, 'a  b', { answer: 'a b' }), 1);
    assert.equal(await value('exact', 'b', { answer: ['a', 'b'] }), 1);
    assert.equal(await value('exact', '5', { answer: 5 }), 1);
  });

  it('has no score without its column', async () => {
    assert.deepEqual(await score('exact', 'x', {}), { noScore: 'the row has no column "answer"' });
    assert.deepEqual(await score('exact', 'x', { answer: {} }), {
      noScore: 'the column "answer" holds an object, not text',
    });
    assert.ok('noScore' in (await score('exact', 'x', { answer: [] })));
  });

  it('knows a choice by its letter, however it is written', async () => {
    const prompt = 'Which is red?\n\nA. grass\nB. blood\n(C) A.B.';
    const judged = (completion: string, answer: string) => value('exact', completion, { answer }, prompt);
    const right = [
      'B',
      '(B)',
      'B.',
      ' **B** ',
      '\\boxed{B}',
      '$\\boxed{\\text{B}}$',
      'Answer: B',
      'The answer is (B).',
    ];
    const spelt = [
      '**Answer:** B',
      'B. blood',
      '(B) blood.',
      'The correct answer is B) blood',
      'So the answer is B: blood',
    ];
    for (const completion of [...right, ...spelt]) assert.equal(await judged(completion, 'B'), 1, completion);
    const wrong = [
      'A',
      'b',
      'A or B',
      'B or A',
      'not B',
      'B. grass',
      'A. blood',
      'Blood',
      'B A',
      'AB',
      'The answer is B or C.',
      '',
    ];
    for (const completion of wrong) assert.equal(await judged(completion, 'B'), 0, completion);
    for (const completion of ['yes', 'yes.', '**yes**', 'Answer: yes'])
      assert.equal(await judged(completion, 'yes'), 1);
    for (const completion of ['no', 'yes or no', 'yesterday', 'yes, but no'])
      assert.equal(await judged(completion, 'yes'), 0);
    // What is no choice is compared as it stands.
    assert.equal(await judged('(cat)', 'cat'), 0);
  });
});

describe('the numeric reward', () => {
  const right: [string, unknown][] = [
    ['1,000', 1000],
    ['It is 42.', '42'],
    ['first 3, then -4', -4],
    ['10-5', 5],
    ['half: 1/2', 0.5],
    ['1 1/2', '1.5'],
    ['50%', 0.5],
    ['50%', 50],
    ['0.5', '50%'],
    ['$1,234.50', 1234.5],
    ['1e3', 1000],
    ['−7', -7],
    ['.5', 0.5],
    ['42', 'so 6 * 7 = 42\n#### 42'],
    ['0.1', 0.1],
  ];
  for (const [given, wanted] of right) {
    it(`reads ${given} as ${wanted}`, async () => assert.equal(await value('numeric', given, { answer: wanted }), 1));
  }

  it('finds wrong numbers wrong', async () => {
    for (const [given, wanted] of [
      ['41', 42],
      ['none', 42],
      ['1,00', 1000],
      ['4 2', 42],
      ['1/0', 1],
      ['50%', 5],
    ]) {
      assert.equal(await value('numeric', String(given), { answer: wanted }), 0, `${given} ${wanted}`);
    }
  });

  it('takes one of several right numbers', async () => {
    assert.equal(await value('numeric', 'it is 7', { answer: ['seven', '7', 8] }), 1);
    assert.equal(await value('numeric', 'it is 9', { answer: ['7', '8'] }), 0);
    assert.ok('noScore' in (await score('numeric', '7', { answer: ['seven'] })));
  });

  it('has tolerances, exact at their edge', async () => {
    const near: RewardSpec = { numeric: { tolerance: 0.1 } };
    assert.equal(await value(near, '1.1', { answer: 1 }), 1);
    assert.equal(await value(near, '1.1000001', { answer: 1 }), 0);
    assert.equal(await value({ numeric: { relativeTolerance: 0.01 } }, '101', { answer: 100 }), 1);
    assert.equal(await value({ numeric: { relativeTolerance: 0.01 } }, '101.1', { answer: 100 }), 0);
  });

  it('can ask for the whole completion', async () => {
    assert.equal(await value({ numeric: { read: 'whole' } }, ' 42.\n', { answer: 42 }), 1);
    assert.equal(await value({ numeric: { read: 'whole' } }, 'It is 42', { answer: 42 }), 0);
    assert.equal(await value('numeric', '42', { answer: 'none' }), 'the column "answer" holds no number');
  });
});

describe('the maths reward', () => {
  it('judges the last box, and the last line on request', async () => {
    const reward = await createReward({ maths: { timeLimitMs: 4000 } });
    const judge = (completion: string, answer: unknown) => reward.score(input(completion, { answer }));
    assert.deepEqual(await judge('\\boxed{4} or \\boxed{\\frac{1}{2}}', '0.5'), {
      value: 1,
      parts: { correct: 1, boxed: 1 },
    });
    assert.deepEqual(await judge('\\boxed{x+1}', 'so \\boxed{1+x}.'), { value: 1, parts: { correct: 1, boxed: 1 } });
    assert.deepEqual(await judge('\\boxed{3}', ['2', '3.0']), { value: 1, parts: { correct: 1, boxed: 1 } });
    assert.deepEqual(await judge('the answer is 5', '5'), { value: 0, parts: { correct: 0, boxed: 0 } });
    assert.deepEqual(await judge('\\boxed{}', ''), { value: 0, parts: { correct: 0, boxed: 1 } });
    assert.ok('noScore' in (await reward.score(input('\\boxed{5}'))));
    const hostile = '\\boxed{\\binom{10^{12}}{5\\cdot 10^{11}}}';
    assert.deepEqual(await judge(hostile, '\\sqrt{2}'), { value: 0, parts: { correct: 0, boxed: 1, late: 1 } });
    assert.deepEqual(await judge('\\boxed{2x}', 'x+x'), { value: 1, parts: { correct: 1, boxed: 1 } });
    await reward.close();
    await assert.rejects(judge('\\boxed{3x}', 'x+x'), ColaError);
    assert.equal(await value({ maths: { read: 'lastLine' } }, 'So\n1/2\n', { answer: '0.5' }), 1);
  });
});

describe('the countdown reward', () => {
  const row = { numbers: [3, 5, 7], target: 22 };
  const parts = async (spec: RewardSpec, completion: string, data: Record<string, unknown> = row, prompt = '') => {
    const result = await score(spec, completion, data, prompt);
    assert.ok(!('noScore' in result), JSON.stringify(result));
    return [result.parts.format, result.parts.correct, result.value];
  };

  it('wants think and answer tags and nothing else', async () => {
    const good = '<think>hm</think>\n<answer>3*5+7</answer>\n';
    assert.deepEqual(await parts('countdown', good), [1, 1, 2]);
    assert.deepEqual(await parts('countdown', `So: ${good}`), [0, 1, 1]);
    assert.deepEqual(await parts('countdown', `${good}!`), [0, 1, 1]);
    assert.deepEqual(await parts('countdown', good + good), [0, 1, 1]);
    assert.deepEqual(await parts('countdown', '<think>a<think>b</think><answer>3*5+7</answer>'), [0, 1, 1]);
    assert.deepEqual(await parts('countdown', '<think></think><answer> </answer>'), [0, 0, 0]);
    assert.deepEqual(await parts('countdown', '<answer>3*5+7</answer>'), [0, 1, 1]);
    assert.deepEqual(await parts('countdown', ''), [0, 0, 0]);
    assert.deepEqual(await parts('countdown', '<think>x</think><answer>3+5+7</answer>'), [1, 0, 1]);
  });

  it('knows a prompt that opened the thinking', async () => {
    const rest = 'hm</think><answer>3*5+7</answer>';
    assert.deepEqual(await parts('countdown', rest, row, 'Solve. <think>\n'), [1, 1, 2]);
    assert.deepEqual(await parts('countdown', rest), [0, 1, 1]);
    assert.deepEqual(await parts({ countdown: { thinkOpened: true } }, rest), [1, 1, 2]);
    assert.deepEqual(await parts({ countdown: { thinkOpened: false } }, rest, row, '<think>'), [0, 1, 1]);
  });

  it('wants every number once, the value, and a true equation', async () => {
    const answer = async (text: string) => (await parts('countdown', `<think></think><answer>${text}</answer>`))[1];
    for (const right of ['3*5+7', '7+5*3', '7 + (3 × 5)', '3*5+7=22', '3*5 + 7 = 22', '7-(-(3*5))'])
      assert.equal(await answer(right), 1, right);
    const wrong = [
      '22',
      '3+5+7',
      '3*5+7+0',
      '3*5+7-3+3',
      '15+7',
      '3*5+7=23',
      '3*5+7=22=22',
      '22=3*5+7',
      '3*5+7=',
      '3*5+7=44/2',
      'x',
      '3*5+7;',
      '3**5',
    ];
    for (const text of wrong) assert.equal(await answer(text), 0, text);
  });

  it('reads numbers and target however they are stored, and has weights', async () => {
    const text = '<think></think><answer>3*5+7</answer>';
    for (const data of [
      { numbers: '[3, 5, 7]', target: '22' },
      { numbers: '3 5 7', target: 22n },
      { numbers: ['3', 5n, 7], target: 22 },
    ]) {
      assert.equal(await value({ countdown: { format: 0.1, correct: 0.9 } }, text, data), 1);
    }
    for (const data of [
      {},
      { numbers: [3.5], target: 1 },
      { numbers: [1], target: 'x' },
      { numbers: [], target: 1 },
      { numbers: [[1]], target: 1 },
    ]) {
      assert.ok('noScore' in (await score('countdown', text, data)));
    }
    assert.equal(
      await value({ countdown: { numbersColumn: 'n', targetColumn: 't' } }, text, { n: [3, 5, 7], t: 22 }),
      2,
    );
  });

  it('reads the compact form, from the prompt alone if need be', async () => {
    const prompt = 'Numbers: 12 02 14 Target: 28 Answer: ';
    const compact: RewardSpec = { countdown: { form: 'compact', format: 0 } };
    const judge = (completion: string) => value(compact, completion, {}, prompt);
    for (const right of ['02+12+14=28\n', '14+12+2=28', ' 12+14+02 = 28 \n'])
      assert.equal(await judge(right), 1, right);
    const wrong = [
      '02+12+14',
      '02+12+14=27',
      '02+12+15=28',
      '14+14=28',
      '28=28',
      '02*14=28',
      '02+12+14=28\n02+12+14=28',
      '12+14+02+0=28',
      '',
      '=28',
      '02+12+14=28 yes',
    ];
    for (const text of wrong) assert.equal(await judge(text), 0, text);
    const examples = 'Numbers: 1 2 Target: 3 Answer: 1+2=3\nNumbers: 5 4 Target: 1 Answer:';
    assert.equal(await value(compact, '5-4=1', {}, examples), 1);
    assert.equal(await value(compact, '1+2=3', {}, examples), 0);
  });
});

describe('the terms', () => {
  it('similarity is one minus the distance over the longer length', async () => {
    assert.equal(await value('similarity', 'kitten', { answer: 'kitten' }), 1);
    assert.ok(Math.abs(Number(await value('similarity', 'kitten', { answer: 'sitting' })) - (1 - 3 / 7)) < 1e-12);
    assert.equal(await value('similarity', '', { answer: ' ' }), 1);
    assert.equal(await value('similarity', 'abc', { answer: ['xyz', 'ABC'] }), 0);
    assert.equal(await value({ similarity: { ignoreCase: true } }, 'abc', { answer: ['xyz', 'ABC'] }), 1);
    const started = performance.now();
    await value('similarity', 'ab'.repeat(50_000), { answer: 'ba'.repeat(50_000) });
    assert.ok(performance.now() - started < 20_000);
  });

  it('similarity is bounded in time, however long and many the texts are', async () => {
    const long: RewardSpec = { similarity: { maxCharacters: 50_000 } };
    const started = performance.now();
    const answer = Array.from({ length: 200 }, (_, i) => 'ab'.repeat(25_000 - i));
    assert.match(String(await value(long, 'ba'.repeat(25_000), { answer })), /^(the texts|0\.9)/);
    const many = Array.from({ length: 100_000 }, (_, i) => 'x'.repeat(i % 50));
    assert.equal(await value('similarity', 'y'.repeat(20), { answer: [...many, 'y'.repeat(19)] }), 0.95);
    assert.ok(performance.now() - started < 40_000);
  });

  it('length falls off outside its range', async () => {
    const spec: RewardSpec = { length: { min: 10, max: 20, slope: 10 } };
    const of = (tokens: number) => value(spec, 'x'.repeat(tokens));
    assert.deepEqual(await Promise.all([0, 5, 10, 20, 25, 30, 99].map(of)), [0, 0.5, 1, 1, 0.5, 0, 0]);
    assert.equal(await value({ length: { max: 2, unit: 'words' } }, 'one two three'), 0);
    assert.equal(await value({ length: { max: 3, unit: 'words' } }, 'one two three'), 1);
  });

  it('repetition is minus the share of repeated n-grams', async () => {
    assert.equal(await value({ repetition: { n: 1 } }, 'a b c d'), 0);
    assert.equal(await value({ repetition: { n: 1 } }, 'a a A a'), -0.75);
    assert.equal(await value({ repetition: { n: 2 } }, 'a b a b a'), -0.5);
    assert.equal(await value({ repetition: { n: 2, unit: 'characters' } }, 'aaa'), -0.5);
    assert.equal(await value('repetition', ''), 0);
  });

  it('a sum weighs its terms and shows them', async () => {
    const spec: RewardSpec = {
      sum: [
        { reward: 'exact', weight: 2 },
        { reward: { length: { max: 1, unit: 'characters' } }, weight: -0.5 },
        { reward: { exact: { column: 'other' } } },
      ],
    };
    const result = await score(spec, 'a', { answer: 'a', other: 'b' });
    assert.deepEqual(result, {
      value: 1.5,
      parts: { exact: 1, length: 1, 'length.size': 1, 'exact 2': 0, 'exact 2.exact': 0 },
    });
    assert.deepEqual(await score(spec, 'a', { answer: 'a' }), { noScore: 'exact 2: the row has no column "other"' });
  });
});

describe("a user's module", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'reward-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const make = (name: string, source: string, timeLimitMs = 400) => {
    writeFileSync(join(folder, name), source);
    return createReward({ module: { path: name, timeLimitMs } }, folder);
  };

  it('scores, and what goes wrong on one sample is no score', async () => {
    const source = `export default async function score({ completion, row, tokens }) {
        if (completion === 'throw') throw new Error('bad day');
        if (completion === 'odd throw') throw { toString() { throw 1 } };
        if (completion === 'loop') for (;;) {}
        if (completion === 'wait') await new Promise(() => {});
        if (completion === 'exit') process.exit(3);
        if (completion === 'late throw') { setTimeout(() => { throw new Error('later') }); await new Promise(() => {}); }
        if (completion === 'cycle') { const a = {}; a.a = a; return a; }
        console.error = () => {};
        const parts = (length) => ({ value: 1, parts: Object.fromEntries(Array.from({ length }, (_, i) => ['p' + i, i])) });
        if (completion.startsWith('parts ')) return parts(Number(completion.slice(6)));
        if (completion === 'a part') return { value: 1, parts: { ['p'.repeat(101)]: 1 } };
        if (completion === 'deep') return { value: 1, parts: {}, more: JSON.parse('['.repeat(1000) + ']'.repeat(1000)) };
        if (completion === 'long') return { noScore: 'x'.repeat(2 ** 21) };
        return { value: { value: 1, parts: { a: 2 } }, nan: NaN, 'inner nan': { value: NaN }, infinite: Infinity, text: '1', none: undefined,
          null: null, list: [1], object: { score: 1 }, function: () => 1, abstain: { noScore: 'not mine' }, plain: row.base + tokens }[completion];
      }`;
    const reward = await make('score.mjs', source, 60_000);
    const hurried = await make('hurried.mjs', source);
    const judge = (completion: string, by = reward) => by.score(input(completion, { base: 0.5 }));
    const reason = async (completion: string, by = reward) => {
      const result = await judge(completion, by);
      assert.ok('noScore' in result, JSON.stringify(result));
      return result.noScore;
    };
    assert.deepEqual(await judge('plain'), { value: 5.5, parts: { module: 5.5 } });
    assert.deepEqual(await judge('value'), { value: 1, parts: { a: 2 } });
    assert.equal(await reason('abstain'), 'not mine');
    assert.equal(await reason('throw'), 'the module failed: Error: bad day');
    assert.match(await reason('odd throw'), /cannot be printed/);
    assert.equal(await reason('nan'), 'the module returned NaN');
    assert.equal(await reason('infinite'), 'the module returned Infinity');
    assert.equal(await reason('text'), 'the module returned string, not a number');
    assert.equal(await reason('none'), 'the module returned undefined, not a number');
    assert.equal(await reason('null'), 'the module returned null, not a number');
    assert.equal(await reason('list'), 'the module returned a list, not a number');
    assert.match(await reason('object'), /neither/);
    assert.match(await reason('inner nan'), /neither/);
    assert.match(await reason('function'), /the module/);
    assert.match(await reason('cycle'), /circular/i);
    assert.ok('value' in (await judge('parts 100')));
    assert.equal(await reason('parts 101'), 'the module returned 101 parts, and at most 100 are taken');
    assert.match(
      await reason('parts 100000'),
      /^the module failed: Error: its answer has \d{7} characters, and at most 1048576/,
    );
    assert.equal(await reason('a part'), 'the module named a part with 101 characters, and at most 100 are taken');
    assert.equal(await reason('deep'), 'the module failed: Error: its answer is nested deeper than 64 levels');
    assert.match(await reason('long'), /its answer has 2097\d+ characters/);
    assert.match(await reason('loop', hurried), /longer than 400 ms/);
    assert.match(await reason('wait', hurried), /longer than 400 ms/);
    assert.match(await reason('exit'), /ended its process/);
    assert.match(await reason('late throw'), /ended its process: Error: later/);
    assert.deepEqual(await judge('plain'), { value: 5.5, parts: { module: 5.5 } });
    const together = await Promise.all(['plain', 'throw', 'plain'].map((completion) => judge(completion)));
    assert.deepEqual(
      together.map((result) => 'noScore' in result),
      [false, true, false],
    );
    await reward.close();
    await hurried.close();
  });

  it('that cannot be loaded is an error', async () => {
    const id = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof ColaError, String(error));
      said = error.describe();
      return error.id;
    };
    let said = '';
    assert.equal(await id(createReward({ module: { path: 'nowhere.mjs' } }, folder)), 'reward.moduleMissing');
    assert.equal(await id(make('syntax.mjs', 'export default (')), 'reward.moduleFailed');
    assert.equal(await id(make('throws.mjs', 'throw new Error("x")')), 'reward.moduleFailed');
    assert.equal(await id(make('exits.mjs', 'process.exit(0)')), 'reward.moduleFailed');
    assert.equal(await id(make('shape.mjs', 'export default 5')), 'reward.moduleWithoutFunction');
    assert.equal(await id(make('named.mjs', 'export function score() {}')), 'reward.moduleWithoutFunction');
    assert.match(said, /; it exports score\./);
    assert.equal(await id(make('own.py', 'def score(x): return 1')), 'reward.moduleFailed');
    assert.match(said, /written in JavaScript .*export default async function/s);
    mkdirSync(join(folder, 'rewards'));
    assert.equal(await id(createReward({ module: { path: 'rewards' } }, folder)), 'reward.moduleFolder');
    assert.match(said, /rewards\/index\.mjs/);
  });

  it('may be what a compiler makes of a default export in CommonJS', async () => {
    const compiled = 'Object.defineProperty(exports, "__esModule", { value: true });\nexports.default = () => 2;';
    const reward = await make('compiled.cjs', compiled);
    const result = await reward.score({ prompt: '', completion: '', row: {}, finished: true, tokens: 1 });
    assert.equal('value' in result && result.value, 2);
    await reward.close();
  });
});

describe('a specification', () => {
  const id = (spec: unknown) => {
    try {
      parseRewardSpec(spec);
    } catch (error) {
      if (error instanceof ColaError) return error.id;
      throw error;
    }
    return undefined;
  };

  it('is a name or one name with options', () => {
    assert.equal(id('countdown'), undefined);
    assert.equal(id({ countdown: null }), undefined);
    assert.equal(id({ sum: [{ reward: 'exact' }, { reward: { sum: [{ reward: 'maths', weight: 2 }] } }] }), undefined);
    assert.equal(id('nonsense'), 'reward.unknown');
    assert.equal(id('constructor'), 'reward.unknown');
    assert.equal(id({ nonsense: {} }), 'reward.unknown');
    const bad = [
      5,
      null,
      [],
      {},
      { exact: {}, maths: {} },
      { exact: { colum: 'x' } },
      { exact: 5 },
      'length',
      'module',
      'sum',
      { sum: [] },
      { sum: [{ reward: 'exact', wieght: 1 }] },
      { length: { min: 5, max: 1 } },
      { numeric: { tolerance: Number.NaN } },
    ];
    for (const spec of bad) assert.equal(id(spec), 'reward.badSpec', JSON.stringify(spec));
    let deep: unknown = 'exact';
    for (let i = 0; i < 20; i += 1) deep = { sum: [{ reward: deep }] };
    assert.equal(id(deep), 'reward.badSpec');
  });

  it('says where it is wrong', () => {
    assert.throws(
      () => parseRewardSpec({ sum: [{ reward: { exact: { colum: 'x' } } }] }),
      /reward\.sum\.0\.reward\.exact: .*colum/,
    );
  });
});
