/** A progress bar on a terminal, a line now and then where stderr is a file or a pipe. */
import type { Sink } from './io.ts';
import { shownOn } from './printable.ts';

const barWidth = 24;
const terminalEvery = 100;
const plainEvery = 10_000;

export class Progress {
  private readonly started = performance.now();
  private shown = Number.NEGATIVE_INFINITY;
  private drawn = false;
  private done = 0;

  /** @param total undefined where it is not known how much there is */
  constructor(
    private readonly sink: Sink,
    private readonly label: string,
    private readonly total: number | undefined,
  ) {}

  /** @param detail what else is to be seen, such as the loss */
  update(done: number, detail = ''): void {
    this.done = done;
    const now = performance.now();
    const terminal = this.sink.isTTY === true;
    const last = done === this.total;
    // The first plain line comes after a while: what is quick needs none.
    const since = this.shown === Number.NEGATIVE_INFINITY && !terminal ? now - this.started : now - this.shown;
    if (since < (terminal ? terminalEvery : plainEvery) && !(last && terminal)) return;
    this.shown = now;
    const text = shownOn(this.sink, this.describe(detail, now));
    if (terminal) {
      this.sink.write(`\r\x1b[K${text.slice(0, (this.sink.columns ?? 80) - 1)}`);
      this.drawn = true;
    } else this.sink.write(`${text}\n`);
  }

  private describe(detail: string, now: number): string {
    const { done, total, label } = this;
    const tail = detail === '' ? '' : `  ${detail}`;
    if (total === undefined) return `${label}  ${done}${tail}`;
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(share * barWidth);
    const left = share > 0 ? ((now - this.started) * (1 - share)) / share : undefined;
    const rest = left === undefined ? '' : `  ${duration(left)} left`;
    return `${label}  ${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}  ${done}/${total}${rest}${tail}`;
  }

  /** Takes the bar off the terminal, so that something else can be written. */
  clear(): void {
    if (this.drawn) this.sink.write('\r\x1b[K');
    this.drawn = false;
  }

  end(): void {
    this.clear();
  }
}

/** @param ms milliseconds @returns such as `45 s`, `3 min`, `2.5 h` */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
