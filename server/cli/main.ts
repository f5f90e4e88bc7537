/** The `cola` command: this process's streams, and the signals that end it. */
import { constants } from 'node:os';
import { cliErrors } from './errors.ts';
import { run } from './program.ts';
import { exitCodes } from './session.ts';
import { Stream } from './streams.ts';

const controller = new AbortController();
const stderr = new Stream(process.stderr);
// Who cannot be told what comes of it gets what can be saved, as with Ctrl+C.
const stdout = new Stream(process.stdout, () => controller.abort());

/** What asked this process to end. */
let ending: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | undefined;

process.on('SIGINT', () => {
  if (ending === 'SIGINT') process.exit(exitCodes.interrupted);
  ending = 'SIGINT';
  stderr.write('\nStopping after what is being computed. Press Ctrl+C again to stop at once.\n');
  controller.abort();
});
// A shutdown, or the end of the terminal; both may come more than once, and leave time to save.
for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (ending !== undefined) return;
    ending = signal;
    stderr.write('\nStopping after what is being computed.\n');
    controller.abort();
  });
}

const code = await run(process.argv.slice(2), { stdout, stderr, cwd: process.cwd(), signal: controller.signal });
await stdout.flush();
if (ending !== undefined && code === exitCodes.interrupted) process.exitCode = 128 + constants.signals[ending];
else if (stdout.failure === undefined) process.exitCode = code;
else {
  process.exitCode = exitCodes.outputLost;
  // Whoever closed a pipe knows.
  if (stdout.failure.code !== 'EPIPE') stderr.write(`${cliErrors.output(stdout.failure).describe()}\n`);
}
