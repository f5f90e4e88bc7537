/** Specs of runs that train the model in the box, in steps as short as can be, and leave a core to the editor. */

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
  /** Whether it is judged by {@link unhurried}, which the folder has to have. */
  readonly slowly?: boolean;
}

export const reinforceSpec = ({
  steps,
  maxNew,
  evaluateEvery,
  checkpointEvery,
  slowly = false,
}: Lengths): string => `model: builtin:nano
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
