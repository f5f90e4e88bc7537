/** The `cola` command: this process's streams, and Ctrl+C. */

import { run } from './program.ts';
import { exitCodes } from './session.ts';

const controller = new AbortController();
process.on('SIGINT', () => {
  if (controller.signal.aborted) process.exit(exitCodes.interrupted);
  process.stderr.write('\nStopping after what is being computed. Press Ctrl+C again to stop at once.\n');
  controller.abort();
});
// Whoever reads the output may leave early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.good);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  cwd: process.cwd(),
  signal: controller.signal,
});
