import assert from 'node:assert/strict';
import type { MetricRow } from '../../server/protocol/figures/down-sampling.ts';
import { trendOf } from '../../server/protocol/figures/trend.ts';
import { Random } from '../../server/random.ts';
import { findings, short } from '../../webview/run/findings.ts';

const random = new Random(11);
const noise = (size: number) => size * (random.uniform() - 0.5);
const rowsOf = (count: number, values: (i: number) => MetricRow['values'], evaluation = false): MetricRow[] =>
  Array.from({ length: count }, (_, i) => ({ step: i + 1, stage: 'reinforce', evaluation, values: values(i) }));
const said = (input: Partial<Parameters<typeof findings>[0]>) =>
  findings({ steps: [], evaluations: [], usage: [], ...input })
    .map(({ text }) => text)
    .join(' ');

describe('findings', () => {
  it('say nothing of a run without a step', () => {
    assert.deepEqual(findings({ steps: [], evaluations: [], usage: [] }), []);
  });

  it('call a change a change only beyond the noise', () => {
    let wrong = 0;
    for (let run = 0; run < 200; run++) {
      const { change } = trendOf(Array.from({ length: 40 }, () => 0.5 + noise(0.4)));
      if (change !== 'none') wrong++;
    }
    assert.ok(wrong <= 4, `${wrong} of 200 series without a trend were given one`);
    assert.equal(trendOf(Array.from({ length: 40 }, (_, i) => 0.2 + 0.01 * i + noise(0.1))).change, 'rises');
    assert.equal(trendOf(Array.from({ length: 40 }, (_, i) => 0.9 - 0.01 * i + noise(0.1))).change, 'falls');
    assert.equal(trendOf([0.1, 0.9, 0.1]).change, 'unknown');
    assert.equal(trendOf(new Array(40).fill(0.1 + 0.2)).change, 'none');
  });

  it('read as a person would say it', () => {
    const steps = rowsOf(40, (i) => ({
      reward: 0.2 + i / 100,
      answer_tokens: 10,
      kl: i / 100,
      mixed_groups: 0.8,
      finished: 1,
    }));
    const evaluations = rowsOf(
      3,
      (i) => ({ greedy_solved: [0.1, 0.3, 0.6][i], held_out_problems: 200, kl_action: 0.02 }),
      true,
    );
    const counts = (dead: number) => Array.from({ length: 64 }, (_, code) => (code < dead ? 0 : 5));
    const usage = [1, 2].map((step) => ({ step, evaluation: true, counts: counts(step === 1 ? 1 : 3) }));
    assert.equal(
      said({ steps, evaluations, usage }),
      'Reward rises, 0.245 → 0.545. Solved of 200 held-back problems: 10 % → 60 %. KL is low (0.02 nats an action). ' +
        '3 of 64 codes unused on held-back data, 2 of them since the start.',
    );
  });

  it('do not take counting noise for progress', () => {
    const solved = (first: number, last: number, problems: number) =>
      said({
        steps: rowsOf(3, () => ({ reward: 0.5 })),
        evaluations: rowsOf(2, (i) => ({ greedy_solved: [first, last][i], held_out_problems: problems }), true),
      });
    assert.match(solved(0.3, 0.36, 50), /30 % → 36 %, no clear change \(95 % interval −12 to \+24 points\)\./);
    assert.match(solved(0.3, 0.36, 5000), /30 % → 36 %\./);
    assert.match(solved(0.5, 0.5, 50), /no clear change/);
    assert.match(solved(0, 1, 1), /Solved of 1 held-back problem: 0 % → 100 %, too few to tell\./);
    assert.match(solved(1, 1, 1), /too few to tell/);
    assert.match(solved(0.3, 0.34, 200), /30 % → 34 %, no clear change/);
    assert.match(solved(0.3, 0.5, 200), /Solved of 200 held-back problems: 30 % → 50 %\./);
    assert.match(said({ steps: rowsOf(3, () => ({ reward: 0.5 })) }), /Reward is 0\.5; 3 steps are too few/);
  });

  it('name what keeps a run from learning', () => {
    const same = rowsOf(12, () => ({ reward: 1, mixed_groups: 0, finished: 0.4, unscored: 2, entropy: 1 }));
    const text = said({ steps: same });
    assert.match(text, /no clear change in 12 steps/);
    assert.match(text, /every sample of a prompt got the same reward, so nothing is learned/);
    assert.match(text, /60 % of the answers are cut off/);
    assert.match(text, /10 of the last samples have no score/);
    const collapsed = rowsOf(20, (i) => ({ reward: 1, entropy: i < 5 ? 2 : 0.01 }));
    assert.match(said({ steps: collapsed }), /Entropy fell from 2 to 0\.01 nats/);
    assert.match(said({ steps: rowsOf(9, () => ({ reward: 1, loss: null })) }), /In 9 steps the loss was not a number/);
    const one = [{ step: 1, evaluation: true, counts: [90, 5, 5] }];
    assert.match(said({ steps: same, usage: one }), /Code 0 makes 90 % of the choices/);
    const far = rowsOf(1, () => ({ kl_action: 1.4 }), true);
    assert.match(said({ steps: same, evaluations: far }), /KL is high \(1\.4 nats an action\)/);
  });

  it('of supervised stages look at the loss, and at held-back text', () => {
    const steps = rowsOf(40, (i) => ({ loss: 4 - i / 20 }));
    const held = (losses: number[]) =>
      rowsOf(losses.length, (i) => ({ held_out_loss: losses[i], held_out_accuracy: 0.75 }), true);
    assert.match(
      said({ steps, evaluations: held([4, 3, 2.5]) }),
      /Loss falls, 3\.77 → 2\.27 nats\. Held-back loss is 2\.5 nats, 4 at the start\. The policy names 75 % of the actions\./,
    );
    assert.match(
      said({ steps, evaluations: held([4, 2.5, 3]) }),
      /best at step 2 \(2\.5 nats\) and is worse now \(3\)/,
    );
  });

  it('call codes healthy for what they say, not for being in use', () => {
    const steps = rowsOf(40, (i) => ({ loss: 4 - i / 20 }));
    const usage = [{ step: 1, evaluation: true, counts: [5, 5, 5] }];
    const saying = (values: Record<string, number>) =>
      said({ steps, usage, evaluations: rowsOf(1, () => values, true) });
    assert.match(saying({ held_out_bits: 2.3, held_out_recovered: 0.72 }), /says 2\.3 bits.* 72 % .* healthy\.$/);
    assert.match(saying({ held_out_bits: 2.3, held_out_recovered: 0.2 }), /All 3 codes are used.* say too little/);
    assert.match(saying({ held_out_bits: 0.1, held_out_recovered: 0.9 }), /say too little/);
    // Without a policy there are no bits yet, and so no verdict.
    assert.match(saying({ held_out_recovered: 0.72 }), /72 % of forced codes are named again[^:]*\.$/);
    assert.doesNotMatch(saying({}), /named again/);
  });

  it('write numbers short', () => {
    assert.deepEqual([0, 1234567, 0.123456, 12.3456, 0.00012, -3].map(short), [
      '0',
      '1 234 567',
      '0.123',
      '12.3',
      '1.2e−4',
      '-3',
    ]);
  });
});
