import assert from 'node:assert/strict';
import { Device } from '../../../server/device/device.ts';
import { gradient } from '../../../server/graph/gradient.ts';
import type { Tensor } from '../../../server/graph/tensor.ts';
import { groupOutcomes } from '../../../server/train/reinforce/advantages.ts';
import { type PolicyGradientSettings, policyObjective } from '../../../server/train/reinforce/policy-gradient.ts';
import { assertClose } from '../../support/reference.ts';

const plain: PolicyGradientSettings = {
  algorithm: 'grpo',
  temperature: 1,
  kl: 0,
  gamma: 1,
  lambda: 1,
  advantage: 'std',
  loss: 'sequence',
  kl_loss: 0,
  entropy_weight: 0.5,
  clip_ratio: 0.2,
  whiten: false,
  value_clip: 0.2,
  value_weight: 0.5,
};

const ln = Math.log;
/** Two samples of two choices each among two; the second has ended after one. */
const shape = { rows: 2, length: 2, samples: 2, answer: 2, shared: false };
/** pi of the first choice is 1/2, 3/4 and 1/5. */
const logits = Float32Array.of(0, 0, ln(3), 0, 0, ln(4), 0, 0);
const feeds = {
  logits,
  choices: Int32Array.of(0, 0, 1, 0),
  mask: Float32Array.of(1, 1, 1, 0),
  // Ratios 1.25, 1.5 and 1.6.
  logp_old: Float32Array.of(ln(0.4), ln(0.5), ln(0.5), 0),
  advantages: Float32Array.of(1, 1, -1, 0),
  // pi_ref / pi is 1/2, 1 and 1/2.
  logp_ref: Float32Array.of(ln(0.25), ln(0.75), ln(0.4), 0),
};

describe('what an update minimises, by hand', () => {
  let device: Device;
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
  });
  after(() => device.dispose());

  async function lossOf(changed: Partial<PolicyGradientSettings>): Promise<{ loss: number; slope: number[] }> {
    const graph = device.graph();
    let given: Tensor | undefined;
    const policy = {
      choices: 2,
      width: 1,
      build: () => {
        given = graph.parameter('logits', [2, 2, 2]);
        return { logits: given };
      },
    };
    const { loss } = policyObjective(graph, policy, shape, { ...plain, ...changed }, false);
    assert(given !== undefined);
    const [slope] = gradient(loss, [given]);
    const program = await device.compile({ loss, slope }, { frozen: new Map([['logits', logits]]) });
    const out = await program.run(feeds);
    const result = { loss: (await out.loss.readFloats())[0], slope: [...(await out.slope.readFloats())] };
    for (const buffer of Object.values(out)) buffer.release();
    await program.dispose();
    return result;
  }
  const near = async (changed: Partial<PolicyGradientSettings>, expected: number) =>
    assertClose([(await lossOf(changed)).loss], [expected], 1e-5);

  it('GRPO: the ratio is held at 1.2 where that is worse, samples count alike', () => near({}, -(1.2 - 1.6) / 2));

  it('DAPO: every choice counts alike', () => near({ loss: 'token' }, -(1.2 + 1.2 - 1.6) / 3));

  it('DAPO: the ratio may rise further than it may fall', () =>
    near({ clip_ratio_high: 0.28 }, -((1.25 + 1.28) / 2 - 1.6) / 2));

  it('GSPO: a sample has one ratio, the geometric mean of those of its choices', async () => {
    // Wide enough that the ratios show, on both ways to average.
    const wide = { clip_ratio: 0.4, clip_ratio_high: 0.7 };
    await near({ ...wide }, -((1.25 + 1.5) / 2 - 1.6) / 2);
    const mean = Math.sqrt(1.25 * 1.5);
    await near({ ...wide, ratio: 'sequence' }, -(mean - 1.6) / 2);
    await near({ ...wide, ratio: 'sequence', loss: 'token' }, -(2 * mean - 1.6) / 3);
    // Held as a whole where the mean is beyond the edge, although one of its choices is not.
    await near({ clip_ratio: 0.3, ratio: 'sequence' }, -(1.3 - 1.6) / 2);
    // d/dl of -s / 2: minus s / 2 times the mean of d log pi, here (1 - 1/2) / 2 at the first choice.
    const { slope } = await lossOf({ ...wide, ratio: 'sequence' });
    assertClose([slope[0]], [(-mean / 2) * (0.5 / 2)], 1e-5);
  });

  it('k3: r - log r - 1 with r = pi_ref / pi, averaged as the loss is', async () => {
    const half = 0.5 - ln(0.5) - 1;
    await near({ kl_loss: 2 }, 0.2 + (2 * (half / 2 + half)) / 2);
    await near({ kl_loss: 2, loss: 'token' }, -0.8 / 3 + (2 * (half + half)) / 3);
  });

  it('what the exact entropy lacks of its target, and nothing where it lacks nothing', async () => {
    const h = (p: number) => -p * ln(p) - (1 - p) * ln(1 - p);
    const mean = (h(0.5) + h(0.75) + h(0.2)) / 3;
    await near({ entropy_target: 1 }, 0.2 + 0.5 * (1 - mean));
    await near({ entropy_target: 0.3 }, 0.2);
    // d/dl of -w H / 3 for p = 3/4: w p (log p + H) / 3 at its first logit.
    const [with1, without] = [await lossOf({ entropy_target: 1 }), await lossOf({})];
    assertClose([with1.slope[2] - without.slope[2]], [(0.5 * 0.75 * (ln(0.75) + h(0.75))) / 3], 1e-5);
  });

  it('ReMax: -log pi A, averaged as the loss says', async () => {
    await near({ algorithm: 'remax' }, -((ln(0.5) + ln(0.75)) / 2 - ln(0.8)) / 2);
    await near({ algorithm: 'remax', loss: 'token' }, -(ln(0.5) + ln(0.75) - ln(0.8)) / 3);
  });
});

describe('differences within a group', () => {
  const outcomes = (rewards: number[], advantage: 'std' | 'mean' | 'none') => [
    ...groupOutcomes(
      rewards,
      rewards.map(() => 0),
      advantage,
    ),
  ];

  it('are divided by the share that was solved (MaxRL), or by nothing (Dr. GRPO)', () => {
    // One of four: the mean is 1/4.
    assertClose(outcomes([1, 0, 0, 0], 'mean'), [3, -1, -1, -1], 1e-12);
    assertClose(outcomes([1, 0, 0, 0], 'none'), [0.75, -0.25, -0.25, -0.25], 1e-12);
    // The unbiased deviation is 1/2.
    assertClose(outcomes([1, 0, 0, 0], 'std'), [1.5, -0.5, -0.5, -0.5], 1e-6);
    assertClose(outcomes([1, 1, 1, 0], 'mean'), [1 / 3, 1 / 3, 1 / 3, -1], 1e-12);
  });

  it('are 0 by the mean where nothing was solved', () => {
    assert.deepEqual(outcomes([0, 0, 0], 'mean'), [0, 0, 0]);
    assert.deepEqual(outcomes([-1, 0, -1], 'mean'), [0, 0, 0]);
  });
});
