import assert from 'node:assert/strict';
import fc from 'fast-check';
import { learningRate } from '../../../server/train/optimizer/schedule.ts';

const close = (actual: number, expected: number) => assert(Math.abs(actual - expected) < 1e-12, `${actual}`);

describe('the learning rate', () => {
  const schedule = { peak: 2, warmupSteps: 4, steps: 14, floor: 0.1 };

  it('rises in equal steps to the peak', () => {
    for (const [step, rate] of [0.5, 1, 1.5, 2].entries()) close(learningRate(schedule, step), rate);
  });

  it('falls along half a cosine to the floor', () => {
    close(learningRate(schedule, 4), 2);
    close(learningRate(schedule, 9), 2 * (0.1 + 0.9 * 0.5));
    close(learningRate(schedule, 13), 2 * (0.1 + 0.45 * (1 + Math.cos(Math.PI * 0.9))));
    close(learningRate(schedule, 14), 0.2);
  });

  it('stays on the floor after the end', () => {
    close(learningRate(schedule, 1000), 0.2);
  });

  it('starts at the peak without warm-up', () => {
    close(learningRate({ ...schedule, warmupSteps: 0 }, 0), 2);
  });

  it('is constant with a floor of 1', () => {
    for (const step of [0, 7, 30]) close(learningRate({ ...schedule, warmupSteps: 0, floor: 1 }, step), 2);
  });

  it('is positive, never above the peak, and falls after the warm-up, for any schedule', () => {
    const any = fc.record({
      peak: fc.double({ min: 1e-8, max: 1, noNaN: true }),
      warmupSteps: fc.nat(100),
      steps: fc.nat(200),
      floor: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(any, fc.nat(400), (s, step) => {
        const [now, next] = [learningRate(s, step), learningRate(s, step + 1)];
        assert(now >= 0 && now <= s.peak * (1 + 1e-12));
        assert(step < s.warmupSteps ? next >= now * (1 - 1e-12) || step + 1 === s.warmupSteps : next <= now);
      }),
    );
  });
});
