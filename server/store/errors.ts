/** The errors of runs on disk: folders, logs, checkpoints and locks. */
import { catalogue } from '../errors.ts';
import { diskErrors } from '../files/errors.ts';

const own = catalogue('store', {
  line: (path: string, line: number, detail: string) => [
    `Line ${line} of ${path} cannot be understood: ${detail}.`,
    'The file was changed or damaged; restore it, or delete that line.',
  ],
  hopeless: (path: string, count: number) => [
    `More than ${count} lines of ${path} cannot be understood.`,
    'It is another file, or was damaged; restore it, or move it away.',
  ],
  json: (path: string, detail: string) => [
    `${path} cannot be understood: ${detail}.`,
    'The file was changed or damaged; restore it, or use another checkpoint.',
  ],
  runId: (id: string) => [
    `${JSON.stringify(id.slice(0, 200))} cannot be the name of a run.`,
    'Use 1 to 100 letters, digits, dots, dashes and underscores, starting with a letter or a digit and not ending with a dot.',
  ],
  runExists: (path: string) => [`There is a run at ${path} already.`, 'Choose another name, or resume that run.'],
  noRun: (path: string) => [
    `There is no run at ${path}.`,
    'Check the name of the run. Those that are there are the folders beside it.',
  ],
  locked: (path: string, pid: number, host: string | null) => [
    host === null
      ? `The run at ${path} is in use by another window or command line (process ${pid}).`
      : `The run at ${path} is in use by the process ${pid} on the computer ${host}.`,
    host === null
      ? 'Pause or stop it there, or wait until it is finished.'
      : `If nothing runs there any more, delete the file "lock" in the folder of the run.`,
  ],
  gone: (path: string) => [
    `The folder of the run at ${path} is not there any more: it was deleted or moved while the run went on.`,
    'Put it back where it was and continue the run from its latest checkpoint, or start it again.',
  ],
  disturbed: (path: string, id: string, parts: readonly string[]) => [
    `Parts of the run at ${path} were deleted or changed while it went on: ${parts.join(', ')}.`,
    `Lines that a log has lost do not come back. Continue the run from the checkpoint that has been saved now: cola train --resume ${id}`,
  ],
  damaged: (path: string, id: string, step: number, damage: readonly string[], before: number | null) => [
    `The checkpoint of step ${step} of the run at ${path} is not what was saved: ${damage.join(', ')}.`,
    before === null
      ? 'No checkpoint before it is whole. Put the files back, or start the run again.'
      : `Go on from the checkpoint before it, which is whole: cola train --resume ${id} --from ${before}`,
  ],
  noCheckpoint: (path: string, step: number) => [
    `The run at ${path} has no checkpoint of step ${step}.`,
    'Choose one of the checkpoints that are there; older ones are deleted as the run goes on.',
  ],
});

export const storeErrors = { ...diskErrors, ...own };
