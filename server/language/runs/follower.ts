/** Follows a run of another process by its files, and tells what happens in it as its own engine would. */
import { join } from 'node:path';
import { z } from 'zod';
import { holdsModel } from '../../files/model-files.ts';
import type { RunKey, WireTrainEvent } from '../../protocol/runs.ts';
import { parseSpec } from '../../spec/document.ts';
import { type LogPosition, readLinesFrom } from '../../store/line-reader.ts';
import type { RunView } from '../../store/run.ts';

const line = z.looseObject({
  step: z.int().nonnegative(),
  stage: z.string(),
  evaluation: z.boolean().optional(),
  seconds: z.number().nullish(),
  steps: z.int().nonnegative().nullish(),
});
type Line = z.infer<typeof line>;

/** Steps of before that are told: as many as a trend is read from. */
const told = 40;
/** Milliseconds between looks. */
const often = 1000;

export class RunFollower {
  private position: LogPosition | undefined;
  private stage: { readonly name: string; readonly index: number; readonly steps: number; readonly before: number };
  private readonly count: number;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  /** @param tell hears the state of the run first, and its end last */
  constructor(
    readonly key: RunKey,
    private readonly view: RunView,
    private readonly tell: (event: WireTrainEvent) => void,
  ) {
    this.count = parseSpec(view.spec, join(view.path, 'spec.yaml')).spec?.stages.length ?? 1;
    this.stage = { name: '', index: -1, steps: 0, before: 0 };
    tell({ kind: 'state', state: 'running' });
    this.timer = setInterval(() => void this.look(), often);
    this.timer.unref();
  }

  leave(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** What is new. Once nobody holds the run any more, its end. */
  look(): Promise<void> {
    this.looking ??= this.lookOnce().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async lookOnce(): Promise<void> {
    if (this.timer === undefined) return;
    try {
      // Asked first: what was written before the lock was given back is read below.
      const ended = this.view.holder === undefined;
      await this.readNew();
      if (!ended) return;
      this.leave();
      this.tell(this.end());
    } catch (error) {
      // The folder is gone, or cannot be read: nothing can be followed any more.
      this.leave();
      this.tell({ kind: 'state', state: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  }

  private async readNew(): Promise<void> {
    const first = this.position === undefined;
    let events: WireTrainEvent[] = [];
    const { position } = await readLinesFrom(join(this.view.path, 'metrics.jsonl'), this.position, ({ text }) => {
      const read = parse(text);
      if (read !== undefined) events.push(...this.eventsOf(read));
      if (first && events.length > 10 * told) events = latest(events);
    });
    this.position = position;
    for (const event of first ? latest(events) : events) this.tell(event);
  }

  private *eventsOf({ step, stage: name, evaluation, seconds, steps, ...rest }: Line): Generator<WireTrainEvent> {
    // The first measurement of a stage says how long it is going to be.
    if (evaluation === true && steps != null) {
      this.stage = { name, index: this.stage.index + 1, steps, before: step };
      const { index, before } = this.stage;
      yield { kind: 'stage', index, count: Math.max(this.count, index + 1), name, steps, from: 0, before };
    }
    const at = { stage: name, step: step - this.stage.before, metrics: numbersOf(rest), seconds: seconds ?? 0 };
    if (evaluation === true) yield { kind: 'evaluation', ...at, best: false };
    else yield { kind: 'step', ...at, steps: this.stage.steps };
  }

  private end(): WireTrainEvent {
    const { path } = this.view;
    if (holdsModel(join(path, 'model'))) return { kind: 'state', state: 'done' };
    const last = this.view.readLog().at(-1);
    return last?.kind === 'failed'
      ? { kind: 'state', state: 'failed', message: last.text }
      : { kind: 'state', state: 'stopped' };
  }
}

/** Of a run that is met in its middle only what it is at counts. */
function latest(events: readonly WireTrainEvent[]): WireTrainEvent[] {
  const stage = events.filter(({ kind }) => kind === 'stage').slice(-1);
  return [...stage, ...events.filter(({ kind }) => kind !== 'stage').slice(-told)];
}

function parse(text: string): Line | undefined {
  try {
    return line.safeParse(JSON.parse(text)).data;
  } catch {
    // A line that is damaged is told by who shows the run.
    return undefined;
  }
}

type Metrics = Extract<WireTrainEvent, { kind: 'step' }>['metrics'];

function numbersOf(record: Readonly<Record<string, unknown>>): Metrics {
  const found: Metrics = {};
  for (const [name, value] of Object.entries(record)) {
    if (typeof value === 'number') found[name] = value;
    else if (Array.isArray(value) && value.every((each) => typeof each === 'number')) found[name] = value;
  }
  return found;
}
