/** What a command reads and writes, so that a test can run it without a process. */
import { printableJson, shownOn } from './printable.ts';
import { Progress } from './progress.ts';

/** The part of a writable stream that is needed. */
export interface Sink {
  write(text: string): unknown;
  /** Whether a person watches. */
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
}

/** Lines that a person writes. */
export interface Lines {
  /** @returns undefined at their end, or once the signal is aborted */
  next(signal: AbortSignal): Promise<string | undefined>;
  /** No more are wanted. */
  close(): void;
}

export interface CliIo {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Folder that relative paths count from. */
  readonly cwd: string;
  /** Aborted when the person wants the command to stop. */
  readonly signal: AbortSignal;
  /** Begins to read standard input; without it there is none. */
  readonly lines?: () => Lines;
  /** Has a sentence said should the process die, until what is returned is called; see last-words.ts. */
  readonly lastWords?: (text: string) => () => void;
}

/** What a command came to: the value for `--json`, and whether what it checked is good. */
export interface CliOutcome {
  readonly value: unknown;
  readonly ok: boolean;
}

/** Results go to stdout, everything else to stderr; with `--json` stdout gets one JSON value at the end and nothing else. */
export class Output {
  private progress: Progress | undefined;

  constructor(
    private readonly io: CliIo,
    readonly json: boolean,
  ) {}

  /** A line of the result. */
  line(text = ''): void {
    this.write(`${text}\n`);
  }

  /** Part of the result, as it is. */
  write(text: string): void {
    if (this.json) return;
    this.progress?.clear();
    this.io.stdout.write(shownOn(this.io.stdout, text));
  }

  /** Columns of equal width; numbers on the right, but for the first column. */
  table(rows: readonly (readonly string[])[]): void {
    const widths: number[] = [];
    for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
    const numeric = (cell: string) => /^[-+]?[\d.]/.test(cell);
    for (const row of rows) {
      const cells = row.map((cell, i) => (i > 0 && numeric(cell) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
      this.line(cells.join('  ').trimEnd());
    }
  }

  /** Something to know, beside the result. */
  note(text: string): void {
    this.progress?.clear();
    this.io.stderr.write(`${shownOn(this.io.stderr, text)}\n`);
  }

  /** Starts a bar; the one before it ends. */
  startProgress(label: string, total?: number): Progress {
    this.endProgress();
    this.progress = new Progress(this.io.stderr, label, total);
    return this.progress;
  }

  endProgress(): void {
    this.progress?.end();
    this.progress = undefined;
  }

  result(value: unknown): void {
    if (this.json) this.io.stdout.write(`${printableJson(JSON.stringify(value, null, 2))}\n`);
  }
}
