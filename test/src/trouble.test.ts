import assert from 'node:assert/strict';
import type { WireTrainEvent } from '../../server/protocol/index.ts';
import { examine, healthy } from '../../src/runs/trouble.ts';

const step = (metrics: Record<string, number>): WireTrainEvent => ({
  kind: 'step',
  stage: 'reinforce',
  step: 1,
  steps: 100,
  seconds: 1,
  metrics,
});
const measured = (usage: number[]): WireTrainEvent => ({
  kind: 'evaluation',
  stage: 'reinforce',
  step: 1,
  metrics: { usage },
  best: false,
  seconds: 1,
});

/** All that is said while these come. */
function said(events: readonly WireTrainEvent[]): string[] {
  let health = healthy;
  return events.flatMap((event) => {
    const found = examine(health, event);
    health = found.health;
    return found.trouble ?? [];
  });
}

const many = (count: number, of: (i: number) => WireTrainEvent) => Array.from({ length: count }, (_, i) => of(i));

describe('a run that goes wrong', () => {
  it('is told of once a stage: entropy, length of answers, answers that never end', () => {
    const falling = many(60, (i) => step({ entropy: i < 5 ? 3 : 0.01 }));
    assert.deepEqual(said(falling), ['Entropy fell from 3 to 0.01 nats: the policy hardly varies any more.']);
    assert.equal(
      said([...falling, { kind: 'stage', index: 1, count: 2, name: 'b', steps: 9, from: 0, before: 9 }, ...falling])
        .length,
      2,
    );
    assert.deepEqual(said(many(20, (i) => step({ answer_tokens: i < 5 ? 120 : 4 }))), [
      'Answers shrank from 120 to 4 tokens.',
    ]);
    assert.match(
      said(many(20, (i) => step({ finished: i < 5 ? 1 : 0.1 }))).join(),
      /^\d+ % of the answers are cut off at the longest length, 0 % at first\.$/,
    );
  });

  it('is told of when few codes are left, or one makes nearly every choice', () => {
    const all = Array.from({ length: 64 }, () => 10);
    const few = all.map((n, code) => (code < 12 ? n : 0));
    assert.deepEqual(said([measured(all), measured(few), measured(few)]), [
      'Only 12 of 64 codes are used any more, 64 at first.',
    ]);
    const one = all.map((_, code) => (code === 7 ? 9000 : 10));
    assert.deepEqual(said([measured(all), measured(one)]), ['Code 7 makes 93 % of the choices.']);
  });

  it('is nothing that is said of a run that varies, learns, and is long', () => {
    const well = many(3000, (i) =>
      step({ entropy: 3 - i / 2000, answer_tokens: 40 + (i % 7), finished: 0.9, reward: i / 3000 }),
    );
    assert.deepEqual(said([...well, measured([5, 5]), measured([5, 0])]), []);
    // Certain from the beginning, short from the beginning, cut off from the beginning.
    assert.deepEqual(said(many(50, () => step({ entropy: 0.01, answer_tokens: 2, finished: 0 }))), []);
  });
});
