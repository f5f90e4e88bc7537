/** Specs of runs that train the model in the box, in steps as short as can be, and leave a core to the editor. */

interface Lengths {
  readonly steps: number;
  readonly maxNew: number;
  readonly evaluateEvery: number;
  readonly checkpointEvery: number;
}

export const reinforceSpec = ({
  steps,
  maxNew,
  evaluateEvery,
  checkpointEvery,
}: Lengths): string => `model: builtin:nano
threads: 1
seed: 7
stages:
  - reinforce:
      prompts: { task: countdown, format: compact }
      reward: { countdown: { form: compact } }
      steps: ${steps}
      batch: 2
      group: 2
      max_new: ${maxNew}
      evaluate_rows: 2
      evaluate_samples: 1
      evaluate_every: ${evaluateEvery}
      checkpoint_every: ${checkpointEvery}
`;
