import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Arithmetic } from '../../../server/data/generators/arithmetic.ts';
import { Countdown, countdownKey, solveCountdown } from '../../../server/data/generators/countdown.ts';

/** JavaScript's own arithmetic as the judge of an expression. */
const evaluate = (expression: string): number => {
  assert.match(expression, /^[\d\s+\-*/()]+$/);
  return Number(new Function(`return (${expression.replace(/\b0+(?=\d)/g, '')});`)());
};
const numbersIn = (expression: string) => (expression.match(/\d+/g) ?? []).map(Number).sort((a, b) => a - b);
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const runs = process.env.COLA_SLOW ? 5000 : 300;

describe('countdown problems', () => {
  it('in compact form read as the small models expect', () => {
    const source = new Countdown({ format: 'compact', seed: 3 });
    for (let i = 0; i < runs; i++) {
      const { prompt, response, numbers, target } = source.next();
      assert.match(prompt + response, /^Numbers: \d\d \d\d \d\d Target: \d\d Answer:\d\d[-+*]\d\d[-+*]\d\d=\d\d\n$/);
      const [expression, result] = response.trimEnd().split('=');
      assert.equal(evaluate(expression), target);
      assert.equal(Number(result), target);
      assert.deepEqual(numbersIn(expression), sorted(numbers));
      assert.ok(numbers.every((n) => n >= 1 && n <= 20) && target >= 10 && target <= 99);
    }
  });

  it('in the form of the paper have worked steps and a right answer', () => {
    const source = new Countdown({ seed: 4 });
    const counts = new Set<number>();
    for (let i = 0; i < runs; i++) {
      const { prompt, response, numbers, target } = source.next();
      const match = /^<think> (.+) <\/think> <answer> (.+) <\/answer>$/.exec(response);
      assert.ok(match, response);
      for (const step of match[1].split(', '))
        assert.equal(evaluate(step.split(' = ')[0]), Number(step.split(' = ')[1]));
      assert.ok(match[1].endsWith(` = ${target}`));
      assert.equal(evaluate(match[2]), target);
      assert.deepEqual(numbersIn(match[2]), sorted(numbers));
      assert.ok(prompt.includes(String(target)) && numbers.every((n) => prompt.includes(String(n))));
      counts.add(numbers.length);
    }
    assert.deepEqual(counts, new Set([3, 4]));
    assert.match(new Countdown({ worked: false }).next().response, /^<think> <\/think> <answer> [^<]+ <\/answer>$/);
  });

  it('are never on both sides, whatever the seeds', () => {
    for (const format of ['compact', 'paper'] as const) {
      fc.assert(
        fc.property(fc.integer(), fc.integer(), (a, b) => {
          const keys = (seed: number, split: 'train' | 'test') => {
            const source = new Countdown({ seed, split, format, numbers: [1, 6], targets: [10, 20] });
            return Array.from({ length: 60 }, () => source.next()).map((row) => countdownKey(row.numbers, row.target));
          };
          const test = new Set(keys(a, 'test'));
          assert.ok(keys(b, 'train').every((key) => !test.has(key)));
        }),
        { numRuns: 30 },
      );
    }
    assert.equal(countdownKey([3, 1, 2], 5), countdownKey([2, 3, 1], 5));
  });

  it('are the same for the same seed, and continue from a saved state', () => {
    const straight = new Countdown({ seed: 9 });
    for (let i = 0; i < 10; i++) straight.next();
    const resumed = new Countdown({ seed: 1 });
    resumed.restore(JSON.parse(JSON.stringify(straight.state)));
    for (let i = 0; i < 20; i++) assert.deepEqual(resumed.next(), straight.next());
    assert.deepEqual(new Countdown({ seed: 9 }).next(), new Countdown({ seed: 9 }).next());
    assert.notDeepEqual(new Countdown({ seed: 9 }).next(), new Countdown({ seed: 8 }).next());
  });

  it('are solved where a solution exists', () => {
    const source = new Countdown({ seed: 5 });
    for (let i = 0; i < 50; i++) {
      const { numbers, target } = source.next();
      const solution = solveCountdown(numbers, target);
      assert.ok(solution);
      assert.equal(evaluate(solution), target);
      assert.deepEqual(numbersIn(solution), sorted(numbers));
    }
    assert.equal(solveCountdown([1, 1], 5), undefined);
    assert.equal(solveCountdown([3, 4], 12, ['+', '-']), undefined);
    assert.equal(solveCountdown([2, 3, 4], 20), '4 * (2 + 3)');
  });

  it('must be possible', () => {
    assert.throws(() => new Countdown({ numbers: [1, 2], targets: [90, 99], count: [3, 3] }).next(), {
      id: 'data.noProblem',
    });
    assert.throws(() => new Countdown({ numbers: [5, 2] }), { id: 'data.badSettings', message: /numbers/ });
  });
});

describe('arithmetic problems', () => {
  it('have right answers within the range', () => {
    const source = new Arithmetic({ seed: 2, terms: [2, 4], operators: ['+', '-', '*', '/'], results: [-50, 500] });
    for (let i = 0; i < runs; i++) {
      const { prompt, response, answer, expression } = source.next();
      assert.equal(prompt, `${expression} =`);
      assert.equal(response, ` ${answer}\n`);
      assert.equal(evaluate(expression), Number(answer));
      assert.ok(Number(answer) >= -50 && Number(answer) <= 500);
    }
  });

  it('are never on both sides, and continue from a saved state', () => {
    const settings = { numbers: [0, 9], terms: [2, 2] } satisfies ConstructorParameters<typeof Arithmetic>[0];
    const test = new Arithmetic({ ...settings, split: 'test', seed: 1 });
    const train = new Arithmetic({ ...settings, seed: 2 });
    const seen = new Set(Array.from({ length: 200 }, () => test.next().expression));
    for (let i = 0; i < 500; i++) assert.ok(!seen.has(train.next().expression));
    const resumed = new Arithmetic({ ...settings, seed: 5 });
    resumed.restore(train.state);
    assert.deepEqual(resumed.next(), train.next());
    assert.throws(() => new Arithmetic({ terms: [9, 9] }), { id: 'data.badSettings' });
    assert.throws(() => new Arithmetic({ numbers: [0, 1], results: [500, 600] }).next(), { id: 'data.noProblem' });
  });
});
