import assert from 'node:assert/strict';
import type { RewardResult } from '../../../server/rewards/reward.ts';
import { promptFigures } from '../../../server/train/measures/prompts.ts';
import { overSeeds, solvedIn, solvedLists, turned } from '../../../server/train/measures/solved.ts';
import type { Judged } from '../../../server/train/reinforce/episode.ts';
import { partsOf } from '../../../server/train/reinforce/round-figures.ts';
import { mainReason, ScoreWatch } from '../../../server/train/reinforce/unscored.ts';

const row = (result: RewardResult, completion = ''): Judged => ({
  prompt: { text: '', ids: new Int32Array(0), row: {} },
  group: 0,
  seed: 0,
  written: [],
  turns: [],
  tokens: [1],
  choices: [],
  logp: [],
  values: [],
  hidden: new Float32Array(0),
  banned: [],
  finished: true,
  completion,
  result,
});
const scored = (value: number) => row({ value, parts: {} });
const none = row({ noScore: 'closed' });

describe('the same problems before and after', () => {
  const [won, lost] = [scored(1), scored(0)];
  const each = (greedy: Judged[], sampled: Judged[]) => promptFigures(greedy, sampled, 2, 1).each;

  it('are counted by how they turned, without those that have no score', () => {
    const before = each([won, lost, lost, none], [won, won, lost, lost, lost, lost, lost, lost]);
    const after = each([lost, won, won, won], [won, lost, won, none, lost, lost, none, none]);
    assert.deepEqual(before, { greedy: [1, 0, 0, -1], sampled: [1, 0, 0, 0] });
    assert.deepEqual(after, { greedy: [0, 1, 1, 1], sampled: [0.5, 1, 0, -1] });
    const { sampled_noise, ...counts } = turned(before, after);
    assert.deepEqual(counts, { greedy_gained: 2, greedy_lost: 1, pass_gained: 1, pass_lost: 0 });
    // The differences -0.5, 1 and 0 have the variance 7/12.
    assert(Math.abs(sampled_noise! - Math.sqrt(7 / 36)) < 1e-12);
    assert.deepEqual(turned(before, { greedy: [1], sampled: [1] }), {});
  });

  it('are found again in the line of a measurement', () => {
    const found = each([won, none], [won, lost, lost, lost]);
    assert.deepEqual(solvedIn(JSON.parse(JSON.stringify(solvedLists(found)))), found);
    assert.equal(solvedIn({ greedy_solved: 0.5 }), undefined);
  });

  it('are taken over several draws', () => {
    const [a, b] = [each([won], [won, lost]), each([won], [won, won])];
    assert.deepEqual(overSeeds([a, b]), { greedy: [1], sampled: [0.75] });
  });
});

describe('held-out answers without a score', () => {
  it('are left out of the means, and counted', () => {
    const { metrics, score } = promptFigures([scored(-1), none], [scored(-1), none, none, none], 2, 0.5);
    assert.equal(metrics.greedy_reward, -1);
    assert.equal(metrics.sampled_reward, -1);
    assert.equal(score, -1);
    assert.equal(metrics.held_out_unscored, 4);
    assert.equal(metrics.greedy_solved, 0);
    // pass@2 needs two scored samples of a prompt, and no prompt has them.
    assert.equal(metrics.pass_at_1, 0);
    assert.ok(!('pass_at_2' in metrics));
  });

  it('do not count as failures', () => {
    const { metrics } = promptFigures(
      [scored(1), none, none],
      [scored(1), none, scored(0), scored(1), none, none],
      2,
      1,
    );
    assert.equal(metrics.greedy_solved, 1);
    assert.equal(metrics.sampled_solved, 2 / 3);
    assert.equal(metrics.pass_at_1, (1 + 1 / 2) / 2);
    assert.equal(metrics.pass_at_2, 1);
  });

  it('leave no reward at all when there is no other answer', () => {
    const { metrics, score } = promptFigures([none], [none, none], 2, 1);
    assert.ok(Number.isNaN(score));
    assert.deepEqual(metrics, { different_answers: 1, held_out_answer_tokens: 1, held_out_unscored: 3 });
  });

  it('on one side leave the other to decide', () => {
    assert.equal(promptFigures([none], [scored(0.5), none], 2, 1).score, 0.5);
  });
});

describe('samples without a score', () => {
  const watching = () => {
    const said: string[] = [];
    return { said, watch: new ScoreWatch((text) => said.push(text)) };
  };

  it('end the run when there is no other in the first round, with the most frequent reason', () => {
    const { watch, said } = watching();
    assert.throws(() => watch.look(3, ['slow', 'boom', 'boom']), {
      id: 'train.nothingScored',
      message: /none of the 3 samples .* boom\.$/,
    });
    assert.deepEqual(said, []);
  });

  it('are spoken of once when there are others: how many, and why', () => {
    const { watch, said } = watching();
    watch.look(8, ['boom', 'late', 'boom']);
    watch.look(8, ['boom']);
    assert.equal(said.length, 1);
    assert.match(said[0], /^3 of 8 samples .* \(2 of 3\): boom\.$/);
  });

  it('end a run that had scores only after several rounds without any', () => {
    const { watch } = watching();
    watch.look(2, []);
    watch.look(2, ['a', 'b']);
    watch.look(2, ['a', 'b']);
    watch.look(2, ['a']);
    watch.look(2, ['a', 'b']);
    watch.look(2, ['a', 'b']);
    assert.throws(() => watch.look(2, ['a', 'b']), { id: 'train.nothingScored' });
  });

  it('in the first round are forgiven where held-out answers had scores', () => {
    const { watch } = watching();
    watch.scored();
    watch.look(1, ['a']);
  });

  it('have a main reason, the first of equals', () => {
    assert.deepEqual(mainReason(['b', 'a', 'a', 'b']), { reason: 'b', count: 2 });
    assert.equal(mainReason([]), undefined);
  });
});

describe('parts of scores', () => {
  it('are figures under names that a person can read, and no more than a hundred of them', () => {
    const parts = (parts: Readonly<Record<string, number>>) => row({ value: 0, parts });
    assert.deepEqual(partsOf([parts({ 'a\nb\u001b[2J': 1, c: 2 }), none, parts({ c: 4 })]), {
      part_a_b_2J: 1,
      part_c: 3,
    });
    const others = Array.from({ length: 300 }, (_, i) => parts({ [`p${i}`]: i, same: i }));
    const figures = partsOf(others);
    assert.equal(Object.keys(figures).length, 100);
    assert.equal(figures.part_same, 149.5);
  });
});
