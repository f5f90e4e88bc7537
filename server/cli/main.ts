/** The `cola` command: this process's streams, the signals that end it, and what the system has to allow it. */
import { constants } from 'node:os';
import { limitErrors } from '../files/limit-errors.ts';
import { canOpen, limitBehind } from '../files/limits.ts';
import { cliErrors } from './errors.ts';
import { lastWords } from './last-words.ts';
import { exitCodes, Session } from './session.ts';
import { linesOf, Stream } from './streams.ts';

/** Files that are open at once while the program is read, which is more than a run ever needs. */
const openFiles = 128;

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

const lines = () => linesOf(process.stdin);
const io = { stdout, stderr, cwd: process.cwd(), signal: controller.signal, lines, lastWords };
const json = process.argv.includes('--json');

/** The end of what cannot be gone on with. */
function end(error: unknown): number {
  const session = new Session(io);
  session.fail(error, json);
  return session.exitCode;
}

process.on('uncaughtException', (error) => process.exit(end(error)));

/** The command. What it consists of is read here, so that there is a sentence where the system does not let it be read. */
async function perform(): Promise<number> {
  try {
    if (!canOpen(openFiles)) throw limitErrors.openFiles(undefined);
    const { run } = await import('./program.ts');
    return await run(process.argv.slice(2), io);
  } catch (error) {
    return end(limitBehind(error) ?? error);
  }
}

const code = await perform();
await stdout.flush();
if (ending !== undefined && code === exitCodes.interrupted) process.exitCode = 128 + constants.signals[ending];
else if (stdout.failure === undefined) process.exitCode = code;
else {
  process.exitCode = exitCodes.outputLost;
  // Whoever closed a pipe knows.
  if (stdout.failure.code !== 'EPIPE') stderr.write(`${cliErrors.output(stdout.failure).describe()}\n`);
}
