/** The head of a dashboard: which run, how far, on what, and the buttons that steer it. */
import type { RunState } from '../../server/protocol/runs.ts';
import { button } from '../ui/controls.ts';
import { fill, h, icon } from '../ui/elements.ts';
import { type Finding, findings } from './findings.ts';
import { type RunData, remaining } from './run-data.ts';

export interface HeadActions {
  pause(): void;
  resume(): void;
  stop(): void;
  compare(): void;
  choose(): void;
  file(file: 'spec' | 'log' | 'folder'): void;
}

const stateWords: Record<RunState, readonly [word: string, icon: string, tone: string]> = {
  running: ['training', 'sync', ''],
  paused: ['paused', 'debug-pause', ''],
  stopped: ['stopped', 'debug-stop', ''],
  done: ['done', 'check', 'good'],
  failed: ['failed', 'error', 'bad'],
  resuming: ['resuming', 'sync', ''],
};

/** @param seconds such as `45 s`, `3 min`, `2.5 h` */
export function timeWords(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export class HeadView {
  readonly element = h('header', { class: 'run-head' });
  private readonly title = h('h1');
  private readonly tags = h('span', { class: 'run-tags' });
  private readonly facts = h('p', { class: 'run-facts soft number' });
  private readonly findings = h('p', { class: 'findings', 'aria-live': 'polite' });
  private readonly trouble = h('div', { class: 'troubles' });
  private readonly buttons: Record<'pause' | 'resume' | 'stop', HTMLElement>;

  constructor(actions: HeadActions) {
    this.buttons = {
      pause: button({
        label: 'Pause',
        icon: 'debug-pause',
        title: 'Stand still between two steps; the run stays in memory',
        onPress: actions.pause,
      }),
      resume: button({ label: 'Resume', icon: 'debug-continue', kind: 'primary', onPress: actions.resume }),
      stop: button({
        label: 'Stop',
        icon: 'debug-stop',
        title: 'Save a checkpoint and end; it can be resumed any time',
        onPress: actions.stop,
      }),
    };
    const { pause, resume, stop } = this.buttons;
    this.element.append(
      h(
        'div',
        { class: 'run-title' },
        this.title,
        this.tags,
        h(
          'div',
          { class: 'run-tools' },
          resume,
          pause,
          stop,
          button({ label: 'Compare with other runs', icon: 'git-compare', kind: 'icon', onPress: actions.compare }),
          button({
            label: 'Open the spec of this run',
            icon: 'settings-gear',
            kind: 'icon',
            onPress: () => actions.file('spec'),
          }),
          button({
            label: 'Open the log of this run',
            icon: 'output',
            kind: 'icon',
            onPress: () => actions.file('log'),
          }),
          button({ label: 'Open another run', icon: 'folder-opened', kind: 'icon', onPress: actions.choose }),
        ),
      ),
      this.facts,
      this.findings,
      this.trouble,
    );
  }

  show(name: string, data: RunData): void {
    this.title.textContent = name;
    const state = data.state ?? 'stopped';
    const [word, symbol, tone] = stateWords[state];
    const latest = data.stages.at(-1);
    const count = data.details?.stages.length ?? 0;
    const stage =
      latest === undefined
        ? undefined
        : `stage ${Math.min(data.stages.length, Math.max(1, count))} of ${Math.max(count, data.stages.length)} · ${latest.name}`;
    fill(
      this.tags,
      h('span', { class: `tag ${tone}` }, icon(symbol), data.elsewhere ? `${word} in another process` : word),
      stage !== undefined && h('span', { class: 'tag' }, stage),
    );
    this.facts.textContent = this.factsOf(data).join(' · ');
    const words = currentFindings(data);
    fill(
      this.findings,
      ...words.map(({ text, weight }) =>
        h(
          'span',
          { class: `finding ${weight}` },
          weight !== 'plain' && icon(weight === 'good' ? 'arrow-up' : 'warning'),
          text,
        ),
      ),
    );
    this.findings.hidden = words.length === 0;
    this.showTrouble(data);
    const ours = !data.elsewhere;
    this.buttons.pause.hidden = !(ours && state === 'running');
    this.buttons.stop.hidden = !(ours && (state === 'running' || state === 'paused'));
    this.buttons.resume.hidden = !(ours && (state === 'paused' || state === 'stopped' || state === 'failed'));
  }

  private factsOf(data: RunData): string[] {
    const facts: string[] = [];
    const latest = data.stages.at(-1);
    if (latest !== undefined) {
      const done = latest.last - latest.before;
      // Elsewhere steps are counted through all stages.
      const where = data.stages.length > 1 ? ' in this stage' : '';
      facts.push(`${latest.steps === null ? `step ${done}` : `step ${done} of ${latest.steps}`}${where}`);
    }
    const { steps, evaluations } = data.rows;
    if (data.device !== undefined) facts.push(data.device);
    const memory = evaluations.findLast(({ values }) => typeof values.memory === 'number')?.values.memory;
    if (typeof memory === 'number') facts.push(`${(memory / 1e9).toFixed(1)} GB`);
    if (data.seconds > 0) facts.push(`${timeWords(data.seconds)} of training`);
    if (data.state === 'running') {
      const left = remaining(latest, steps);
      if (left !== undefined && left > 0) facts.push(`about ${timeWords(left)} left in this stage`);
    }
    if (data.best !== undefined) facts.push(`best at step ${data.best}`);
    return facts;
  }

  /** Why it ended, where it did not end well, and what else the reader should know. */
  private showTrouble(data: RunData): void {
    const last = data.log.at(-1);
    const lines: [symbol: string, text: string][] = [];
    if (data.state === 'failed') {
      lines.push([
        'error',
        data.log.findLast(({ kind }) => kind === 'failed')?.text ?? 'The run failed; its log says why.',
      ]);
    } else if (data.state === 'stopped' && last?.kind === 'stopped') lines.push(['info', last.text]);
    else if (data.state === 'stopped' && data.details !== undefined) {
      const saved = data.details.checkpoints.at(-1)?.step;
      const where =
        saved === undefined
          ? 'It has saved nothing yet and begins anew.'
          : `It is saved at step ${saved}; resume any time.`;
      lines.push(['info', `The process that trained it has ended before the run was done. ${where}`]);
    }
    if (data.damaged > 0) {
      lines.push([
        'warning',
        `${data.damaged} line${data.damaged === 1 ? '' : 's'} of metrics.jsonl cannot be understood and ${data.damaged === 1 ? 'is' : 'are'} left out.`,
      ]);
    }
    fill(
      this.trouble,
      ...lines.map(([symbol, text]) => h('p', { class: `note ${symbol}` }, icon(symbol), h('span', {}, text))),
    );
  }
}

/** Of the stage that is under way, or was last. */
export function currentFindings(data: RunData): Finding[] {
  const from = data.stages.at(-1)?.before ?? 0;
  const { steps, evaluations } = data.rows;
  const own = <T extends { readonly step: number }>(rows: readonly T[]) => rows.filter(({ step }) => step >= from);
  return findings({ steps: own(steps), evaluations: own(evaluations), usage: own(data.usage) });
}
