import assert from 'node:assert/strict';
import fc from 'fast-check';
import { evaluateExpression } from '../../server/rewards/expression.ts';
import { sameAnswer } from '../../server/rewards/maths/answer.ts';
import { lastBoxed } from '../../server/rewards/maths/boxed.ts';
import { equal, integer, parseDecimal, power, rational, root } from '../../server/rewards/maths/rational.ts';
import { normaliseMaths } from '../../server/rewards/maths/text.ts';
import { printedNumbers } from '../../server/rewards/numeric.ts';

const slow = process.env.COLA_SLOW ? 60 : 1;

function value(text: string): string {
  const result = evaluateExpression(text);
  return 'problem' in result ? result.problem : `${result.value.top}/${result.value.bottom}`;
}

/** A random expression tree with its value in doubles and its numbers. */
const tree = fc.letrec<{ tree: { text: string; value: number; numbers: number[] } }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ min: 0, max: 99 }).map((n) => ({ text: String(n), value: n, numbers: [n] })),
    fc.record({ sign: fc.constantFrom('+', '-', '*', '/'), a: tie('tree'), b: tie('tree') }).map(({ sign, a, b }) => ({
      text: `(${a.text} ${sign}${b.text})`,
      value:
        sign === '+'
          ? a.value + b.value
          : sign === '-'
            ? a.value - b.value
            : sign === '*'
              ? a.value * b.value
              : a.value / b.value,
      numbers: [...a.numbers, ...b.numbers],
    })),
  ),
})).tree;

describe('arithmetic expressions', () => {
  it('have the value that arithmetic gives them', () => {
    assert.equal(value('1+2*3'), '7/1');
    assert.equal(value('(1+2)*3'), '9/1');
    assert.equal(value('8-4-2'), '2/1');
    assert.equal(value('8/4/2'), '1/1');
    assert.equal(value('1/3+1/6'), '1/2');
    assert.equal(value('-3+5'), '2/1');
    assert.equal(value('2*-3'), '-6/1');
    assert.equal(value('02 × 3 ÷ 2 − 1'), '2/1');
    assert.equal(value('(10/3)*3'), '10/1');
  });

  it('are refused in words when they are something else', () => {
    assert.match(value(''), /ends too early/);
    assert.match(value('1+'), /ends too early/);
    assert.match(value('1/(2-2)'), /divides by zero/);
    assert.match(value('(1'), /not closed/);
    assert.match(value('1)'), /left over/);
    assert.match(value('1 2'), /left over/);
    assert.match(value('2**3'), /number is expected/);
    assert.match(value('1.5'), /not part/);
    assert.match(value('a'), /not part/);
    assert.match(value('9'.repeat(19)), /18 digits/);
    assert.match(value('1+'.repeat(600)), /longer/);
    assert.match(value(`${'('.repeat(200)}1${')'.repeat(200)}`), /nested/);
    assert.match(value(`${'-'.repeat(200)}1`), /nested/);
  });

  it('agree with floating point on random trees', () => {
    fc.assert(
      fc.property(tree, (random) => {
        const result = evaluateExpression(random.text);
        if (random.text.length > 1000) return;
        if ('problem' in result) assert.equal(Number.isFinite(random.value) && !/\//.test(random.text), false);
        else {
          assert.deepEqual(result.numbers.map(Number), random.numbers);
          if (Number.isFinite(random.value)) {
            const exact = Number(result.value.top) / Number(result.value.bottom);
            const scale = 1e-6 * Math.max(1, Math.abs(random.value));
            // Doubles can cancel where fractions do not; without a division they are exact here.
            if (!random.text.includes('/')) assert.ok(Math.abs(exact - random.value) <= scale);
          }
        }
      }),
      { numRuns: 100 * slow },
    );
  });

  it('never make the evaluator throw', () => {
    const noise = fc.string({ unit: fc.constantFrom(...'0123456789+-*/() .=e'), maxLength: 60 });
    fc.assert(
      fc.property(fc.oneof(noise, fc.string()), (text) => void evaluateExpression(text)),
      { numRuns: 300 * slow },
    );
  });
});

describe('the last box', () => {
  it('is found with balanced braces', () => {
    assert.equal(lastBoxed('so \\boxed{5}.'), '5');
    assert.equal(lastBoxed('\\boxed{1} then \\boxed{\\frac{1}{2}} in {a} set}'), '\\frac{1}{2}');
    assert.equal(lastBoxed('\\boxed{\\{1,2\\}} }'), '\\{1,2\\}');
    assert.equal(lastBoxed('\\boxed{\\left\\{ x \\mid x>0 \\right\\}}'), '\\left\\{ x \\mid x>0 \\right\\}');
    assert.equal(lastBoxed('\\boxed{a \\} b}'), 'a \\} b');
    assert.equal(lastBoxed('\\fbox{7}'), '7');
    assert.equal(lastBoxed('\\boxed {7}'), '7');
    assert.equal(lastBoxed('$\\boxed 5$'), '5');
    assert.equal(lastBoxed('\\boxed 12, done'), '12');
    assert.equal(lastBoxed('\\boxed\\frac{1}{2}$'), '\\frac{1}{2}');
    assert.equal(lastBoxed('\\boxed{\\boxed{5}}'), '\\boxed{5}');
    assert.equal(lastBoxed('\\boxed{4} and \\boxed{5'), '4');
    assert.equal(lastBoxed('\\boxed{ \\boxed{5}'), '5');
    assert.equal(lastBoxed('\\boxed{}'), '');
    for (const none of ['', 'boxed{5}', '\\boxed', '\\boxed{', '\\boxedfive{5}', '\\\\boxed{5}', '\\boxed $']) {
      assert.equal(lastBoxed(none), undefined, none);
    }
  });

  it('gives back any balanced content', () => {
    const content = fc.letrec<{ text: string }>((tie) => ({
      text: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('a', '1', '\\{', '\\}', '\\\\', ' ', '\\frac'),
        tie('text').map((inner) => `{${inner}}`),
        fc.tuple(tie('text'), tie('text')).map(([a, b]) => a + b),
      ),
    })).text;
    fc.assert(
      fc.property(content, fc.string(), (inner, before) => {
        fc.pre(!/[\\{]/.test(before));
        assert.equal(lastBoxed(`${before} \\boxed{${inner}} }`), inner);
      }),
      { numRuns: 150 * slow },
    );
  });

  it('is found in linear time however many boxes stay open', () => {
    const started = performance.now();
    assert.equal(lastBoxed('\\boxed{'.repeat(100_000)), undefined);
    assert.equal(lastBoxed(`${'{'.repeat(500_000)}\\boxed{1}`), '1');
    assert.ok(performance.now() - started < 5000);
  });

  it('take the names that every object has as any other word', () => {
    for (const name of ['valueOf', 'constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      for (const text of [`{{${name}`, `0${name}`, `\\${name}{2}`, `3 ${name}`, `\\text{${name}} 3`])
        assert.equal(typeof sameAnswer(text, '2\\cup'), 'boolean');
    }
  });

  it('and all else that reads a completion never throws', () => {
    const latex = fc.constantFrom(
      ...'\\boxed \\frac { } \\{ \\} 1 2 x y + - * / ^ _ ( ) [ ] , . = \\sqrt \\pm \\cup \\% | ! e i \\text{a} & \\\\ \\log \\sin'.split(
        ' ',
      ),
      ' ',
    );
    const noise = fc.array(latex, { maxLength: 30 }).map((all) => all.join(''));
    fc.assert(
      fc.property(fc.oneof(noise, fc.string()), noise, (a, b) => {
        lastBoxed(a);
        printedNumbers(a);
        const once = normaliseMaths(a);
        assert.equal(typeof once, 'string');
        sameAnswer(a, b);
        if (a.trim() !== '' && a.length < 1000) assert.equal(sameAnswer(a, a), true);
      }),
      { numRuns: 120 * slow },
    );
  });
});

describe('fractions', () => {
  it('are exact', () => {
    assert.deepEqual(parseDecimal('-0.50'), { top: -1n, bottom: 2n });
    assert.deepEqual(parseDecimal('1.2e3'), { top: 1200n, bottom: 1n });
    assert.deepEqual(parseDecimal('5.'), { top: 5n, bottom: 1n });
    for (const bad of ['', '.', '1,000', '1e9999', 'x', '--1', '1'.repeat(2000)])
      assert.equal(parseDecimal(bad), undefined);
    assert.equal(rational(1n, 0n), undefined);
    assert.deepEqual(power({ top: 2n, bottom: 3n }, -2n), { top: 9n, bottom: 4n });
    assert.equal(power(integer(0n), -1n), undefined);
    assert.equal(power(integer(10n), 10n ** 9n), undefined);
    assert.deepEqual(root({ top: -8n, bottom: 27n }, 3n), { top: -2n, bottom: 3n });
    assert.equal(root(integer(2n), 2n), undefined);
  });

  it('have roots that are roots', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.bigInt({ min: 2n, max: 7n }), (base, degree) => {
        const back = root(integer(base ** degree), degree);
        assert.ok(back && equal(back, integer(base)));
        if (base > 0n) assert.equal(root(integer(base ** degree + 1n), degree), undefined);
      }),
      { numRuns: 40 * slow },
    );
  });
});
