import assert from 'node:assert/strict';
import { join } from 'node:path';
import { inspectFile, inspectRows } from '../../server/data/inspect.ts';
import { useFolder } from './folder.ts';

describe('a look at the rows of a file', () => {
  const folder = useFolder();
  const of = (make: (i: number) => Record<string, unknown>) =>
    inspectRows(
      Array.from({ length: 6 }, (_, i) => make(i)),
      'x',
    );

  it('says how they are read, and shows the first', () => {
    const seen = of((i) => ({ question: `How many, ${i}?`, answer: `It is\n#### 1,00${i}`, id: i }));
    assert.equal(seen.shape, 'question and answer');
    assert.equal(seen.implied, true);
    assert.deepEqual(seen.map, { prompt: 'question', response: 'answer', answer: 'answer' });
    assert.deepEqual(seen.columns, ['question', 'answer', 'id']);
    assert.deepEqual(seen.rows[2], { asks: 'How many, 2?', says: 'It is\n#### 1,002', right: '1,002' });
    assert.equal(seen.rows.length, 6);
  });

  it('shows conversations with who speaks', () => {
    const seen = of((i) => ({
      conversations: [
        { from: 'human', value: `h${i}` },
        { from: 'gpt', value: 'g' },
      ],
    }));
    assert.deepEqual(seen.rows[1], { asks: 'user: h1', says: 'g', right: '' });
    assert.deepEqual(seen.map, { messages: 'conversations' });
    assert.deepEqual(seen.rewards, []);
  });

  const rewards: [string, (i: number) => Record<string, unknown>, string | undefined][] = [
    ['numbers behind hashes (GSM8K)', (i) => ({ question: 'q', answer: `a\n#### ${i}` }), 'numeric'],
    ['numbers', (i) => ({ prompt: 'q', answer: i }), 'numeric'],
    ['prices', (i) => ({ prompt: 'q', answer: `$1,${i}00.50` }), 'numeric'],
    ['boxes (MATH)', (i) => ({ problem: 'q', solution: `so $\\boxed{${i}}$` }), 'maths'],
    [
      'formulas (MATH-500)',
      (i) => ({ problem: 'q', solution: 's', answer: i % 2 ? `\\frac{${i}}{2}` : 'x^2+1' }),
      'maths',
    ],
    [
      'a verifier of another kind (verl)',
      (i) => ({ prompt: [{ role: 'user', content: 'q' }], reward_model: { ground_truth: `${i}` } }),
      'numeric',
    ],
    ['words', (i) => ({ prompt: 'q', answer: ['Bonn', 'Köln'][i % 2] }), 'exact'],
    [
      'sentences',
      (i) => ({ prompt: 'q', answer: `A whole sentence with many words, number ${i} of them.` }),
      'similarity',
    ],
    ['functions', (i) => ({ prompt: 'q', answer: `function f${i}() {\n  return ${i};\n}` }), 'code'],
    ['tests', (i) => ({ prompt: 'q', tests: `equal(f(${i}), 1)` }), 'code'],
    [
      'sentences with sums in them (Orca-Math)',
      (i) => ({ question: 'q', answer: `She has ${i} + 3 = ${i + 3}. So Ann has ${i + 3} apples in all.` }),
      'similarity',
    ],
    ['letters of choices (ARC)', (i) => ({ question: 'q', choices: ['x', 'y'], answer: i % 2 }), 'exact'],
    [
      'what a program checks (Eurus)',
      (i) => ({ prompt: 'q', reward_model: { ground_truth: `{"inputs": ["${i}"]}` } }),
      undefined,
    ],
    ['nothing', () => ({ prompt: 'q', response: 'r' }), undefined],
  ];
  for (const [what, make, reward] of rewards)
    it(`proposes the reward for ${what}`, () => assert.equal(of(make).rewards[0], reward));

  it('guesses where the shape is not known', () => {
    const seen = of((i) => ({ nr: i, frage: `f${i}`, antwort: 'a' }));
    assert.equal(seen.shape, null);
    assert.equal(seen.implied, false);
    assert.deepEqual(seen.map, { prompt: 'frage', response: 'antwort' });
    assert.deepEqual(seen.rows[0], { asks: 'f0', says: 'a', right: '' });
    assert.deepEqual(of((i) => ({ nr: i })).rows, []);
  });

  it('reads any file of rows, and leaves texts alone', async () => {
    const parquet = await inspectFile(join(import.meta.dirname, '../fixtures/data/gsm8k-zstd.parquet'));
    assert.equal(parquet?.rewards[0], 'numeric');
    assert.equal(parquet?.rows.length, 20);
    assert.equal((await inspectFile(folder.write('a.csv', 'Prompt,Response\na,b\n')))?.rows[0].says, 'b');
    assert.equal(await inspectFile(folder.write('a.txt', 'text')), undefined);
    await assert.rejects(inspectFile(folder.write('a.jsonl', 'nonsense')), { id: 'data.brokenJson' });
    const broken = folder.write('b.jsonl', '{"prompt":"a"}\n{"promp');
    const seen = await inspectFile(broken);
    assert.equal(seen?.rows.length, 1);
    assert.deepEqual([seen.broken?.rows, seen.broken?.of], [1, 2]);
    assert.match(seen.broken?.first ?? '', /b\.jsonl, line 2 is not JSON/);
  });

  it('finds rows that cannot be used behind those that are shown', async () => {
    const good = '{"prompt":"a","answer":"b"}';
    const rows = [...Array(60).fill(good), '{"prompt":"a"', ...Array(5).fill(good), '{"answer":"no prompt"}'];
    const { broken } = (await inspectFile(folder.write('long.jsonl', rows.join('\r\n')))) ?? {};
    assert.deepEqual([broken?.rows, broken?.of], [2, 67]);
    assert.match(broken?.first ?? '', /line 61 is not JSON/);
    assert.equal((await inspectFile(folder.write('good.jsonl', `\ufeff${good}\r\n`)))?.broken, null);
  });
});
