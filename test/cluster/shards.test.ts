import assert from 'node:assert/strict';
import { type RunSpec, runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { joined } from '../../server/train/reinforce/shards/shard.ts';
import { cut } from '../../server/train/shards/shards.ts';
import { Bench, linesOf, settingsOf, stages, start } from '../support/runs.ts';

describe('a round in shards', function () {
  this.timeout(120_000);
  const bench = Bench.forTests();

  const specOf = (list: readonly object[], cluster?: object): RunSpec =>
    toRunSpec(runSpec.parse({ model: bench.cola, device: 'cpu', threads: 1, seed: 7, stages: list, cluster }));

  const figuresOf = async (list: readonly object[], cluster?: object) => {
    const id = bench.fresh();
    await start({ root: bench.root, id }, specOf(list, cluster));
    return linesOf(bench.root, id, 'metrics');
  };

  const cases = {
    pretrain: stages(2).pretrain,
    control: stages(2).control,
    clone: stages(2).clone,
    'clone marginal': stages(2)['clone marginal'],
    dpo: stages(2).dpo,
    reward: stages(2).reward,
    grpo: { reinforce: { ...settingsOf('grpo', 2), minibatches: 1, batch: 5, entropy_target: 0 } },
    'grpo over choices': { reinforce: { ...settingsOf('grpo', 2), minibatches: 1, batch: 5, loss: 'token' } },
    remax: { reinforce: { ...settingsOf('remax', 2), minibatches: 1, batch: 5 } },
    ppo: { reinforce: { ...settingsOf('ppo', 2), minibatches: 1, batch: 5 } },
    tokens: { tokens: { ...settingsOf('tokens', 2), minibatches: 1, batch: 5 } },
    // One step: in one piece the second has other prompts, because the first has drawn its minibatches from the same stream.
    q: { q: { ...settingsOf('q', 1), reuse: 1, batch: 5 } },
    expert: { expert: { ...settingsOf('expert', 1), minibatches: 1, batch: 5, value_weight: 0, q_weight: 0 } },
  };
  for (const [name, stage] of Object.entries(cases)) {
    it(`computes what one piece does, up to the order of sums: ${name}`, async () => {
      const whole = await figuresOf([stage]);
      const parts = await figuresOf([stage], { engine: 'here', shards: 3 });
      assert.equal(parts.length, whole.length);
      for (const [i, line] of whole.entries()) {
        for (const [figure, value] of Object.entries(line)) {
          const there = parts[i][figure];
          if (typeof value !== 'number') assert.deepEqual(there, value, `${figure} of line ${i}`);
          else
            assert(
              Math.abs((there as number) - value) < 2e-4 * Math.max(1, Math.abs(value)),
              `${figure} of line ${i}: ${there} and ${value}`,
            );
        }
      }
    });
  }

  it('makes an update of nothing where no shard has a part in a minibatch', async () => {
    const alone = { reinforce: { ...settingsOf('grpo', 2), batch: 1, minibatches: 8 } };
    const lines = await figuresOf([alone], { engine: 'here', shards: 3 });
    assert(lines.filter((line) => 'loss' in line).every(({ loss }) => Number.isFinite(loss)));
  });

  it('joins sums of parts as those of the whole', () => {
    const values = [3, -1, 4, 1, -5, 9, 2, 6];
    const of = (list: readonly number[]) => {
      const mean = list.reduce((a, b) => a + b, 0) / Math.max(1, list.length);
      return { count: list.length, mean, squares: list.reduce((n, x) => n + (x - mean) ** 2, 0) };
    };
    const { count, mean, squares } = joined([values.slice(0, 3), [], values.slice(3)].map(of));
    const whole = of(values);
    assert.equal(count, 8);
    assert(Math.abs(mean - whole.mean) < 1e-12 && Math.abs(squares - whole.squares) < 1e-9);
  });

  it('cuts into parts as equal as can be', () => {
    assert.deepEqual(cut([1, 2, 3, 4, 5], 3), [[1], [2, 3], [4, 5]]);
    assert.deepEqual(cut([1, 2], 8), [[1], [2]]);
  });
});
