/** One call of the command line: runs a command's work, and turns what comes out into text and an exit code. */
import { ColaError } from '../errors.ts';
import { diskFailed } from '../files/errors.ts';
import { limitBehind } from '../files/limits.ts';
import { refusalBehind } from '../protocol/errors.ts';
import { type CliIo, type CliOutcome, Output } from './io.ts';
import { printableJson, shownOn } from './printable.ts';

/**
 * 0: done, and what was checked is good. 1: a check failed. 2: wrong input, with a message that says what to do.
 * 70: a mistake in CoLA Studio (EX_SOFTWARE of sysexits.h). 74: the results could not be written (EX_IOERR). 130:
 * interrupted (128 + SIGINT); the process says 143 for SIGTERM and 129 for SIGHUP.
 */
export const exitCodes = { good: 0, checkFailed: 1, badInput: 2, bug: 70, outputLost: 74, interrupted: 130 } as const;

export class Session {
  exitCode: number = exitCodes.good;
  private readonly atEnd: (() => void)[] = [];

  constructor(readonly io: CliIo) {}

  get cwd(): string {
    return this.io.cwd;
  }

  get signal(): AbortSignal {
    return this.io.signal;
  }

  /**
   * Has a sentence said should the process die before all is said of this command: also of its failure, since where memory has run
   * out the process may end between the two.
   */
  watch(lastWords: string): void {
    const isOver = this.io.lastWords?.(lastWords);
    if (isOver !== undefined) this.atEnd.push(isOver);
  }

  /** Runs the work of a command. */
  async perform(json: boolean, work: (output: Output) => Promise<CliOutcome>): Promise<void> {
    const output = new Output(this.io, json);
    try {
      this.signal.throwIfAborted();
      const { value, ok } = await work(output);
      output.endProgress();
      output.result(value);
      this.exitCode = ok ? exitCodes.good : exitCodes.checkFailed;
    } catch (error) {
      output.endProgress();
      this.fail(error, json);
    }
    for (const isOver of this.atEnd.splice(0)) isOver();
  }

  /** Prints an error for a person, with `json` also for a program. */
  fail(thrown: unknown, json: boolean): void {
    const error = limitBehind(thrown) ?? refusalBehind(thrown) ?? thrown;
    const { stdout, stderr } = this.io;
    const say = (text: string) => stderr.write(`${shownOn(stderr, text)}\n`);
    const tell = (value: object) => stdout.write(`${printableJson(JSON.stringify(value))}\n`);
    const interrupted = this.signal.aborted && (!(error instanceof ColaError) || error.id === 'train.stopped');
    if (interrupted) {
      this.exitCode = exitCodes.interrupted;
      say(error instanceof ColaError ? error.describe() : 'Stopped.');
      return;
    }
    if (error instanceof ColaError) {
      this.exitCode = diskFailed(error) ? exitCodes.outputLost : exitCodes.badInput;
      say(`${error.message}\n${error.remedy}\n[${error.id}]`);
      if (json) tell({ error });
      return;
    }
    this.exitCode = exitCodes.bug;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    say(`This is a mistake in CoLA Studio. Please report it with the lines below and what you did.\n${text}`);
    if (json) tell({ error: { id: 'bug', message: text, remedy: 'Report it.' } });
  }
}
