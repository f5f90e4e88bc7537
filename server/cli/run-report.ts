/** A run on the terminal: the figures that matter, or all of them. */
import { changeBetween, changeWords, passOf, type SolvedFigure } from '../protocol/figures/solved-change.ts';
import type { TrainEvent } from '../train/run/events.ts';
import type { Output } from './io.ts';
import type { Progress } from './progress.ts';

type Metrics = Readonly<Record<string, unknown>>;

/** Figures of a line at most, unless all are asked for. */
const few = 4;

/** Shown first, as far as a stage has them: of a step, and of a measurement on what was held out. */
const stepFigures = [
  'reward',
  'kl',
  'entropy',
  'answer_tokens',
  'loss',
  'accuracy',
  'marginal_kl',
  'alive',
  'gradient_norm',
];
const heldOutFigures = [
  'different_answers',
  'held_out_loss',
  'loss',
  'held_out_accuracy',
  'held_out_marginal_kl',
  'accuracy',
  'held_out_bits',
  'held_out_recovered',
  'held_out_alive',
  'alive',
];
/** What is solved, with its words. */
function solvedFigures(metrics: Metrics): (readonly [SolvedFigure, string])[] {
  const pass = passOf(metrics);
  const one = pass === undefined || pass.samples === 1 ? [] : [[pass.name, `one of ${pass.samples} samples`] as const];
  return [['greedy_solved', 'greedy'], ['sampled_solved', 'sampled'], ...one];
}

/** Shows a run as it goes. */
export class RunReport {
  private progress: Progress | undefined;
  /** The first measurement of the stage, where this process has seen it. */
  private first: Metrics | undefined;

  constructor(
    private readonly output: Output,
    /** Whether every figure is shown. */
    private readonly verbose = false,
  ) {}

  show(event: TrainEvent): void {
    switch (event.kind) {
      case 'device':
        this.output.note(`Device: ${event.device}`);
        break;
      case 'message':
        this.output.note(event.text);
        break;
      case 'stage':
        this.first = undefined;
        this.progress = this.output.startProgress(`${event.index + 1}/${event.count} ${event.name}`, event.steps);
        break;
      case 'step':
        this.progress?.update(event.step, figures(event.metrics, this.verbose ? undefined : stepFigures));
        break;
      case 'evaluation': {
        const { stage, step, metrics, best } = event;
        this.output.line(`${stage} ${step}: ${this.measured(step, metrics)}${best ? ' (best so far)' : ''}`);
        break;
      }
      case 'samples':
      case 'checkpoint':
        // In the run's files, for those who want them.
        break;
      case 'done':
        this.output.endProgress();
        this.output.line(`Model: ${event.model}`);
        break;
    }
  }

  /** A measurement; what is solved is compared with the start of the stage. */
  private measured(step: number, metrics: Metrics): string {
    if (step === 0) this.first = metrics;
    if (this.verbose) return figures(metrics);
    if (typeof metrics.greedy_solved !== 'number') return figures(metrics, heldOutFigures);
    const { first } = this;
    const shares = solvedFigures(metrics).flatMap(([name, words]) => {
      const now = metrics[name];
      if (typeof now !== 'number') return [];
      const then = first?.[name];
      if (first === undefined || first === metrics || typeof then !== 'number') return [`${words} ${percent(now)}`];
      const change = changeWords[changeBetween(name, first, metrics)];
      return [`${words} ${percent(then)} → ${percent(now)} (${change})`];
    });
    const problems = metrics.held_out_problems;
    const of = typeof problems === 'number' ? ` of ${problems} unseen problems` : '';
    const different = metrics.different_answers;
    const variety = typeof different === 'number' ? [`${different.toFixed(2)} different answers a problem`] : [];
    return `solved${of}: ${[...shares, ...variety].join('; ')}`;
  }
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** The single numbers among metrics, shortly. @param wanted the first few of these, or all */
function figures(metrics: Metrics, wanted?: readonly string[]): string {
  const numbers = Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  const chosen = wanted?.flatMap((name) => numbers.filter(([each]) => each === name)) ?? numbers;
  // A stage that has none of these, such as one of one's own, has others.
  const shown = chosen.length > 0 ? chosen : numbers;
  return (wanted === undefined ? shown : shown.slice(0, few))
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toPrecision(4)}`)
    .join(', ');
}
