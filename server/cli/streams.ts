/** This process's standard streams, which may be closed before the work is done: by `head`, with their terminal, by a full disk. */
import { createInterface } from 'node:readline';
import type { Lines, Sink } from './io.ts';

/** A stream that takes what is written as long as it can, and afterwards lets it go without a word. */
export class Stream implements Sink {
  private lost: NodeJS.ErrnoException | undefined;

  /** @param onLost told once, when nothing can be written any more */
  constructor(
    private readonly stream: NodeJS.WriteStream,
    onLost: (cause: NodeJS.ErrnoException) => void = () => {},
  ) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (this.lost !== undefined) return;
      this.lost = error;
      onLost(error);
    });
  }

  get isTTY(): boolean {
    return this.stream.isTTY === true;
  }

  get columns(): number | undefined {
    return this.stream.columns;
  }

  /** Why nothing can be written any more; undefined as long as it can. */
  get failure(): NodeJS.ErrnoException | undefined {
    return this.lost;
  }

  write(text: string): void {
    if (this.lost === undefined) this.stream.write(text);
  }

  /** Waits until everything is written, or cannot be. */
  async flush(): Promise<void> {
    if (this.lost !== undefined) return;
    await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
    // The error of a stream comes behind the call that it ends.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Lines of standard input, from when they are first asked for. */
export function linesOf(input: NodeJS.ReadableStream): Lines {
  const reader = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const lines = reader[Symbol.asyncIterator]();
  return {
    async next(signal) {
      if (signal.aborted) return undefined;
      // Closing it ends the lines, and lets the process end.
      const stop = () => reader.close();
      signal.addEventListener('abort', stop, { once: true });
      try {
        const { value, done } = await lines.next();
        return done === true ? undefined : value;
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
    close: () => reader.close(),
  };
}
