import assert from 'node:assert/strict';
import { Output } from '../../server/cli/io.ts';
import { RunReport } from '../../server/cli/run-report.ts';
import { changesOf } from '../../server/cli/start-screen.ts';
import type { RunRecord } from '../../server/report/run-record.ts';

const solved = (greedy: number, sampled: number) => ({
  greedy_reward: 1.2,
  sampled_reward: 1.1,
  greedy_solved: greedy,
  sampled_solved: sampled,
  pass_at_1: sampled,
  pass_at_8: 0.7,
  different_answers: 3.25,
  held_out_problems: 200,
});
const later = { greedy_gained: 30, greedy_lost: 5, pass_gained: 4, pass_lost: 4, sampled_noise: 0.05 };

describe('a run on the terminal', () => {
  const shown = (verbose: boolean, ...events: Parameters<RunReport['show']>[0][]) => {
    let [stdout, stderr] = ['', ''];
    const output = new Output(
      {
        stdout: { write: (text) => (stdout += text) },
        stderr: { write: (text) => (stderr += text), isTTY: true, columns: 200 },
        cwd: '/',
        signal: new AbortController().signal,
      },
      false,
    );
    const report = new RunReport(output, verbose);
    for (const event of events) report.show(event);
    return { stdout, stderr };
  };
  const stage = {
    kind: 'stage',
    index: 0,
    count: 1,
    name: 'reinforce',
    steps: 2,
    from: 0,
    before: 0,
    evaluateEvery: 1,
  } as const;
  const measured = (step: number, metrics: Record<string, number>) =>
    ({ kind: 'evaluation', stage: 'reinforce', step, metrics, best: false, seconds: 1 }) as const;
  const step = {
    kind: 'step',
    stage: 'reinforce',
    step: 2,
    steps: 2,
    seconds: 1,
    metrics: { gradient_norm: 3, mixed_groups: 0.5, reward: 1.25, kl: 0.5, entropy: 2, answer_tokens: 11.5, loss: 1 },
  } as const;

  it('shows four figures of a step, and all with --verbose', () => {
    assert.match(
      shown(false, stage, step).stderr,
      /2\/2.*reward 1\.250, kl 0\.5000, entropy 2, answer_tokens 11\.50$/m,
    );
    assert.match(shown(true, stage, step).stderr, /gradient_norm 3, mixed_groups 0\.5000, .*loss 1$/m);
  });

  it('says of what is solved whether it changed beyond chance', () => {
    const events = [stage, measured(0, solved(0.3, 0.25)), measured(2, { ...solved(0.425, 0.28), ...later })];
    assert.deepEqual(
      shown(false, ...events)
        .stdout.trimEnd()
        .split('\n'),
      [
        'reinforce 0: solved of 200 unseen problems: greedy 30.0 %; sampled 25.0 %; one of 8 samples 70.0 %; 3.25 different answers a problem',
        'reinforce 2: solved of 200 unseen problems: greedy 30.0 % → 42.5 % (rose, beyond chance); sampled 25.0 % → 28.0 % (no clear change); one of 8 samples 70.0 % → 70.0 % (no clear change); 3.25 different answers a problem',
      ],
    );
    assert.match(shown(true, ...events).stdout, /greedy_gained 30, greedy_lost 5/);
  });

  it('shows a measurement of another kind by its loss', () => {
    const { stdout } = shown(false, stage, measured(0, { held_out_tokens: 512, held_out_loss: 2.5, score: -2.5 }));
    assert.equal(stdout, 'reinforce 0: held_out_loss 2.500\n');
    // One that has nothing known shows what it has.
    assert.equal(shown(false, stage, measured(0, { own: 1 })).stdout, 'reinforce 0: own 1\n');
  });

  it('says at the end of the first tuned model what got better, and what did not', () => {
    const record = (label: string, before: object, after: object) =>
      ({ label, measurements: [before, { step: 1, ...solved(0.9, 0.9) }, after] }) as unknown as RunRecord;
    const worse = { ...solved(0.2, 0.28), ...later, greedy_gained: 2, greedy_lost: 22 };
    const [start, end] = [solved(0.3, 0.25), { ...solved(0.425, 0.28), ...later }];
    assert.deepEqual(changesOf([record('latent actions', start, end), record('tokens', start, worse)]), [
      { heading: 'Better, beyond chance', lines: ['latent actions: solved at the first try 30.0 % → 42.5 %'] },
      { heading: 'Worse, beyond chance', lines: ['tokens: solved at the first try 30.0 % → 20.0 %'] },
      {
        heading: 'No clear change',
        lines: [
          'latent actions: solved by a sample 25.0 % → 28.0 %',
          'latent actions: solved by one of 8 samples 70.0 % → 70.0 %',
          'tokens: solved by a sample 25.0 % → 28.0 %',
          'tokens: solved by one of 8 samples 70.0 % → 70.0 %',
        ],
      },
    ]);
  });
});
