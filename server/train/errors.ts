import { catalogue } from '../errors.ts';

export const trainErrors = catalogue('train', {
  diverged: (update: number, loss: number, norm: number) => [
    `Training diverged at update ${update}: the loss is ${loss}, the norm of the gradients ${norm}.`,
    'The weights are as they were before this update. Resume from the last checkpoint with a lower learning rate.',
  ],
  checkpointMismatch: (name: string) => [
    `The checkpoint does not fit this run: "${name}" is missing or has another shape.`,
    'Resume with the model and the spec the run was started with, or start a new run.',
  ],
});
