import assert from 'node:assert/strict';
import { measureCost, stageCosts, trainedParameters } from '../../server/evaluate/cost.ts';
import { parseSpec } from '../../server/spec/document.ts';
import type { RunSpec } from '../../server/spec/schema.ts';
import { colaOf, type Fixture, openFixture } from './fixture.ts';

const text = `
model: somewhere
stages:
  - control: { data: a.txt }
  - clone: { data: a.txt }
  - guide: { data: a.jsonl, variant: inverse }
  - reinforce: { prompts: countdown, reward: countdown }
  - reinforce: { prompts: countdown, reward: countdown, algorithm: ppo }
  - tokens: { prompts: countdown, reward: countdown, blocks: 1 }
  - q: { prompts: countdown, reward: countdown }
`;

function spec(): RunSpec {
  const { spec: parsed, problems } = parseSpec(text, 'test.cola.yaml');
  assert.deepEqual(problems, []);
  assert(parsed !== undefined);
  return parsed;
}

describe('cost', () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await openFixture();
  });
  after(() => fixture.close());

  it('counts the weights that each stage trains', () => {
    const { base } = fixture.subject;
    const found = spec().stages.map((stage) => trainedParameters(stage, base, colaOf(fixture).config));
    // d 32, f 64, V 96, 4 heads of 8, 2 of keys and values, 8 codes, two blocks in every head and in the base.
    const [d, f, v, n] = [32, 64, 96, 8];
    const block = 2 * d * d + 2 * d * 16 + 3 * d * f + 2 * d;
    const head = 2 * block + d + n * d;
    const whole = 2 * v * d + 2 * block + d;
    const world = n * d + 2 * (2 * f * 2 * d + d * f);
    assert.deepEqual(found, [head + world, head, whole + head, head, head + d, block + d + v * d, head]);
  });

  it('sums the phases of each stage, told apart by the measurement before its first step', () => {
    const record = (step: number, stage: string, rest: object) => ({ step, stage, ...rest });
    const records = [
      record(0, 'reinforce', { evaluation: true }),
      record(1, 'reinforce', { seconds: 3, seconds_rollout: 2, seconds_update: 1, tokens: 10 }),
      record(2, 'reinforce', { seconds: 4, seconds_rollout: 1, seconds_update: 3, tokens: 20 }),
      record(2, 'reinforce', { evaluation: true }),
      record(3, 'reinforce', { evaluation: true }),
      record(4, 'reinforce', { seconds: 5, tokens: 5 }),
      record(4, 'reinforce', { evaluation: true }),
    ];
    assert.deepEqual(stageCosts(records), [
      { stage: 'reinforce', steps: 2, seconds: 7, rollout: 3, update: 4, tokens: 30 },
      { stage: 'reinforce', steps: 1, seconds: 5, rollout: 0, update: 0, tokens: 5 },
    ]);
    const { base } = fixture.subject;
    const run = { ...spec(), stages: spec().stages.slice(3, 5) };
    const found = measureCost(run, records, base, colaOf(fixture).config);
    assert.equal(found.reinforce_seconds_update, 4);
    assert.equal(found.reinforce_2_tokens, 5);
    assert.equal(found.reinforce_2_trained_parameters - found.reinforce_trained_parameters, 32);
    assert.equal(found.seconds, 12);
  });
});
