/** Which stages the lines of a run's metrics belong to. */
import type { StageSpan } from '../history.ts';

/** What of a line says where it belongs. */
export interface SpanLine {
  readonly step: number;
  readonly stage: string;
  readonly evaluation: boolean;
  readonly seconds?: number | null | undefined;
  /** Steps the stage is going to have, where the line says so. */
  readonly steps?: number | null | undefined;
}

/** Most stages that are told apart. No spec has so many; a log made to do harm has a new one in every line. */
const mostSpans = 1000;

/** Takes lines in order. A measurement whose step no line before it has had begins a stage. */
export class StageTracker {
  private readonly list: { -readonly [K in keyof StageSpan]: StageSpan[K] }[];

  /** @param known stages of the lines that went before */
  constructor(known: readonly StageSpan[] = []) {
    this.list = known.map((span) => ({ ...span }));
  }

  get spans(): readonly StageSpan[] {
    return this.list;
  }

  note({ step, stage, evaluation, seconds, steps }: SpanLine): void {
    const last = this.list.at(-1);
    const goesOn = last !== undefined && last.name === stage && !(evaluation && step > last.last);
    const span =
      goesOn || (last !== undefined && this.list.length >= mostSpans)
        ? last
        : this.begin(stage, evaluation ? step : Math.max(0, step - 1));
    span.last = Math.max(span.last, step);
    span.seconds += seconds ?? 0;
    if (typeof steps === 'number') span.steps = steps;
  }

  private begin(name: string, before: number) {
    const span = { name, before, last: before, steps: null, seconds: 0 };
    this.list.push(span);
    return span;
  }
}
