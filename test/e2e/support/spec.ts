/** Specs of runs in steps as short as can be, of a small model or of the one in the box, and a core left to the editor. */

/** The folder beside a spec in which its model lies. */
export const small = 'small';

/**
 * A reward that takes its time: a run whose end nobody waits for makes a few steps a second instead of as many as it can, and leaves
 * the processors to the editor.
 */
export const unhurried = {
  file: 'unhurried.mjs',
  text: `import { setTimeout } from 'node:timers/promises';
export default ({ completion }) => setTimeout(80, completion.length / 100);
`,
};

interface Lengths {
  readonly steps: number;
  readonly maxNew: number;
  readonly evaluateEvery: number;
  readonly checkpointEvery: number;
  /** Whether it is judged by {@link unhurried}. */
  readonly slowly?: boolean;
  /** The model of `writeForRuns` if none is named. */
  readonly model?: string;
}

export const reinforceSpec = ({
  steps,
  maxNew,
  evaluateEvery,
  checkpointEvery,
  slowly = false,
  model = `./${small}`,
}: Lengths): string => `model: ${model}
threads: 1
seed: 7
stages:
  - reinforce:
      prompts: { task: countdown, format: compact }
      reward: ${slowly ? `{ module: { path: ${unhurried.file}, processes: 1 } }` : '{ countdown: { form: compact } }'}
      steps: ${steps}
      batch: 2
      group: 2
      max_new: ${maxNew}
      evaluate_rows: 2
      evaluate_samples: 1
      evaluate_every: ${evaluateEvery}
      checkpoint_every: ${checkpointEvery}
`;
