import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { sameAnswer } from '../../server/rewards/maths/answer.ts';
import { joinedBoxes } from '../../server/rewards/maths/boxed.ts';
import { resultOf } from '../../server/rewards/maths/source.ts';
import { createReward } from '../../server/rewards/registry.ts';

const pairs = z
  .array(z.strictObject({ kind: z.string(), given: z.string(), wanted: z.string(), right: z.boolean() }))
  .parse(JSON.parse(readFileSync(new URL('../fixtures/maths/pairs.json', import.meta.url), 'utf8')));

describe('pairs of maths answers in many notations', () => {
  it(`are ${pairs.length}, at least 400, about half of them right`, () => {
    assert.ok(pairs.length >= 400);
    const right = pairs.filter((pair) => pair.right).length / pairs.length;
    assert.ok(right > 0.4 && right < 0.6);
  });

  for (const kind of new Set(pairs.map((pair) => pair.kind))) {
    it(`${kind}: right ones are equal and wrong ones are not, both ways round`, () => {
      const mistaken = pairs.filter(
        ({ kind: of, given, wanted, right }) =>
          of === kind && (sameAnswer(given, wanted) !== right || sameAnswer(wanted, given) !== right),
      );
      assert.deepEqual(mistaken, []);
    });
  }
});

describe('the result of a solution', () => {
  it('is its last box, what follows the hashes, or what is said to be the answer', () => {
    assert.equal(resultOf('3+4=<<3+4=7>>7\n#### 7'), '7');
    assert.equal(resultOf('Sum.\n#### 1,234\n'), '1,234');
    assert.equal(resultOf('#### 1\n so \\boxed{2}'), '2');
    assert.equal(resultOf('We add. The answer is 42.'), '42');
    assert.equal(resultOf('Final Answer: The final answer is $\\frac{1}{2}$. I hope it is correct.'), '$\\frac{1}{2}$');
    assert.equal(resultOf('**Answer: 5**'), '5');
    assert.equal(resultOf('**Answer:** 5'), '5');
    assert.equal(resultOf('Answer: 5 cm'), '5 cm');
    assert.equal(resultOf('The answer is 3.5'), '3.5');
    assert.equal(resultOf('The answer is 1.\nNo, the answer is: 2'), '2');
    assert.equal(resultOf('x = 5'), undefined);
    assert.equal(resultOf('####'), undefined);
  });

  it('is in all boxes that are joined at its end', async () => {
    assert.equal(joinedBoxes('so $\\boxed{2}$, $\\boxed{3}$ \\text{ and } $\\boxed{5}$.'), '2, 3, 5');
    assert.equal(joinedBoxes('\\boxed{1} first. Then \\boxed{x=2} \\quad \\text{or} \\quad \\boxed{x=3}'), 'x=2, x=3');
    assert.equal(joinedBoxes('\\boxed{4}. So the answer is \\boxed{5}.'), undefined);
    assert.equal(joinedBoxes('\\boxed{5}, \\boxed{5}'), undefined);
    assert.equal(joinedBoxes('none'), undefined);
    const reward = await createReward('maths');
    const judge = async (completion: string, answer: string) => {
      const result = await reward.score({ prompt: '', completion, row: { answer }, finished: true, tokens: 1 });
      return 'value' in result && result.value;
    };
    assert.equal(await judge('\\boxed{(1,2)} and \\boxed{(2,1)}', '(2,1),(1,2)'), 1);
    assert.equal(await judge('\\boxed{-2,1}', '\\boxed{1} and \\boxed{-2}'), 1);
    assert.equal(await judge('\\boxed{-2}', '\\boxed{1} and \\boxed{-2}'), 0);
    assert.equal(await judge('\\boxed{1}, \\boxed{2}', '1, 3'), 0);
    await reward.close();
  });

  it('is found in linear time', () => {
    const started = performance.now();
    for (const text of [
      '#'.repeat(200_000),
      'answer '.repeat(50_000),
      `answer is ${'$'.repeat(100_000)}`,
      'answer is \n'.repeat(20_000),
    ]) {
      resultOf(text);
    }
    assert.ok(performance.now() - started < 20_000);
  });

  it('is what the reward compares with', async () => {
    const reward = await createReward('maths');
    const judge = async (completion: string, answer: string) => {
      const result = await reward.score({ prompt: '', completion, row: { answer }, finished: true, tokens: 1 });
      return 'value' in result ? result.value : result.noScore;
    };
    assert.equal(await judge('So \\boxed{7}.', '3+4=<<3+4=7>>7\n#### 7'), 1);
    assert.equal(await judge('So \\boxed{1234}.', 'Sum.\n#### 1,234'), 1);
    assert.equal(await judge('So \\boxed{8}.', '3+4=<<3+4=7>>7\n#### 7'), 0);
    assert.equal(await judge('\\boxed{-2}', 'We get x=2.\n#### -2'), 1);
    assert.equal(await judge('\\boxed{0.5}', 'The final answer is $\\frac12$. I hope it is correct.'), 1);
    await reward.close();
  });
});
