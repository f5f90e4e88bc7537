/** The run dashboard. It reads the run from disk when it opens, and goes on with what the run tells. */
import { z } from 'zod';
import type { MetricRow } from '../../server/protocol/figures/down-sampling.ts';
import { runDetails, runMetrics, runSamples } from '../../server/protocol/history.ts';
import {
  chooseRun,
  compareWith,
  dashboardSubject,
  openRunFile,
  openSample,
  sampleToConversation,
  sampleToTree,
  showAction,
} from '../../server/protocol/pages/run.ts';
import { listRuns, pauseRun, type RunKey, resumeRun, runEvent, runKey, stopRun } from '../../server/protocol/runs.ts';
import { button } from '../ui/controls.ts';
import { fill, h, icon } from '../ui/elements.ts';
import { ask, on, saved } from '../ui/host.ts';
import '../ui/base.css';
import { chartsOf } from './chart-list.ts';
import { ChartsView, onTheme } from './charts.ts';
import { CodebookView } from './codebook.ts';
import { failureWords } from './failure.ts';
import { HeadView } from './head.ts';
import { RunData } from './run-data.ts';
import './run.css';
import { everySample } from './sample-list.ts';
import { SamplesView } from './samples.ts';
import { WorkersView } from './workers.ts';

/** The page is drawn anew at most so often while a run goes on, in milliseconds. */
const drawInterval = 400;
/** How often the files of a run of another process are looked at. */
const pollInterval = 2000;

const kept = z.object({
  subject: runKey.optional(),
  smoothing: z.number().default(0),
  wish: z
    .object({
      order: z.enum(['newest', 'oldest', 'best', 'worst', 'longest', 'shortest']),
      kind: z.enum(['all', 'rewarded', 'unrewarded', 'unscored']),
      text: z.string(),
    })
    .default(everySample),
});
type Kept = z.infer<typeof kept>;

class Dashboard {
  private readonly place: HTMLElement;
  private readonly message = h('div');
  private readonly content = h('main', { class: 'run-content' });
  private readonly events = h('details', { class: 'events' });
  private readonly head: HeadView;
  private readonly charts: ChartsView;
  private readonly codebook: CodebookView;
  private readonly workers = new WorkersView();
  private readonly samples: SamplesView;
  private view: Kept = kept.safeParse(saved.get()).data ?? kept.parse({});
  private subject: RunKey | undefined;
  private data = new RunData();
  /** Rows of the steps that are looked at closely, where not all are there. */
  private close: { readonly steps: readonly MetricRow[]; readonly evaluations: readonly MetricRow[] } | undefined;
  private sampleRoom = 300;
  private timer: number | undefined;
  private loading: AbortController | undefined;

  constructor(place: HTMLElement) {
    this.place = place;
    this.head = new HeadView({
      pause: () => this.steer(async (key) => void (await ask(pauseRun, key))),
      resume: () => this.steer(async (key) => void (await ask(resumeRun, key))),
      stop: () =>
        this.steer(async (key) => {
          const { step } = await ask(stopRun, key);
          this.tell(
            step === null ? 'Stopped before there was anything to save.' : `Saved at step ${step}, resume any time.`,
          );
        }),
      compare: () => this.steer(async (key) => void (await ask(compareWith, key))),
      choose: () => this.attempt(() => this.choose()),
      file: (file) => this.attempt(async () => void (await ask(openRunFile, { file }))),
    });
    this.charts = new ChartsView({
      smoothing: this.view.smoothing,
      onSmoothing: (smoothing) => this.keep({ smoothing }),
      onRange: (range) => this.attempt(() => this.lookCloser(range)),
    });
    this.codebook = new CodebookView((action) => this.attempt(async () => void (await ask(showAction, { action }))));
    this.samples = new SamplesView(
      {
        open: (sample) => this.attempt(async () => void (await ask(openSample, { sample }))),
        toConversation: (sample) => this.attempt(async () => void (await ask(sampleToConversation, { sample }))),
        toTree: ({ prompt, actions }) => this.attempt(async () => void (await ask(sampleToTree, { prompt, actions }))),
        earlier: () => {
          this.sampleRoom = 1000;
          this.attempt(() => this.readSamples());
        },
        onWish: (wish) => this.keep({ wish }),
      },
      this.view.wish,
    );
    this.content.append(
      this.charts.element,
      this.workers.element,
      this.codebook.element,
      this.samples.element,
      this.events,
    );
    onTheme(() => {
      this.charts.repaint();
      this.codebook.paint();
    });
    on(runEvent, ({ root, run, event }) => {
      if (root !== this.subject?.root || run !== this.subject.run) return;
      this.data.apply(event, Date.now());
      this.drawSoon();
    });
    setInterval(() => this.attempt(() => this.follow()), pollInterval);
  }

  async start(): Promise<void> {
    const { subject } = await ask(dashboardSubject, {});
    if (subject === null) this.showNothing();
    else await this.turnTo(subject);
  }

  private async choose(): Promise<void> {
    const { subject } = await ask(chooseRun, {});
    if (subject !== null) await this.turnTo(subject);
  }

  private async turnTo(subject: RunKey): Promise<void> {
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    this.subject = subject;
    this.data = new RunData();
    this.close = undefined;
    this.keep({ subject });
    fill(this.place, h('p', { class: 'loading soft' }, 'Reading the run…'));
    const { data } = this;
    try {
      data.setDetails(await ask(runDetails, subject, signal));
      data.addMetrics(await ask(runMetrics, subject, signal));
      await this.readState();
      await this.readSamples();
    } catch (error) {
      if (signal.aborted) return;
      this.showTrouble(error);
      return;
    }
    fill(this.place, this.head.element, this.message, this.content);
    this.draw();
  }

  private async readState(): Promise<void> {
    const { subject, data } = this;
    if (subject === undefined) return;
    const { runs } = await ask(listRuns, { roots: [subject.root] });
    const found = runs.find(({ run }) => run === subject.run);
    if (found === undefined) return;
    data.elsewhere = found.elsewhere;
    const last = data.log.at(-1)?.kind;
    data.state = found.elsewhere ? 'running' : found.state === 'stopped' && last === 'failed' ? 'failed' : found.state;
  }

  private async readSamples(): Promise<void> {
    const { subject, data } = this;
    if (subject === undefined) return;
    data.addSamples(await ask(runSamples, { ...subject, count: this.sampleRoom }));
    this.drawSoon();
  }

  /** A run of another process tells nothing, but its files do. */
  private async follow(): Promise<void> {
    const { subject, data } = this;
    if (subject === undefined || !data.elsewhere || document.hidden) return;
    const after = data.cursor === undefined ? {} : { after: data.cursor };
    data.addMetrics(await ask(runMetrics, { ...subject, ...after }));
    data.setDetails(await ask(runDetails, subject));
    await this.readState();
    await this.readSamples();
  }

  private async lookCloser(range: readonly [number, number] | undefined): Promise<void> {
    const { subject, data } = this;
    this.close = undefined;
    if (range !== undefined && subject !== undefined && data.stride > 1) {
      const { rows } = await ask(runMetrics, { ...subject, from: range[0], to: range[1] });
      this.close = { steps: rows.filter((row) => !row.evaluation), evaluations: rows.filter((row) => row.evaluation) };
    }
    this.draw();
  }

  private drawSoon(): void {
    this.timer ??= window.setTimeout(() => this.draw(), drawInterval);
  }

  private draw(): void {
    window.clearTimeout(this.timer);
    this.timer = undefined;
    const { data, subject } = this;
    if (subject === undefined || !this.head.element.isConnected) return;
    this.head.show(subject.run, data);
    const codes = data.usage.at(-1)?.counts.length;
    const stages = data.stages.map(({ before, name }) => ({ step: before, label: name, kind: 'stage' as const }));
    const best = data.best === undefined ? [] : [{ step: data.best, label: 'best', kind: 'best' as const }];
    const rows = this.close ?? data.rows;
    const marks = stages.length > 1 ? [...stages, ...best] : best;
    this.charts.offerStages(data.stages);
    this.charts.show(chartsOf(rows, codes), data.last, marks, this.close === undefined ? data.stride : 1);
    this.workers.show(data.workers, data.log);
    this.codebook.show(data.usage);
    this.samples.show(data.samples, data.sampleCount);
    this.showEvents();
    if (data.rows.steps.length === 0) {
      const under = data.state === 'running' || data.state === 'resuming';
      this.tell(
        under ? 'No step is done yet: the model is being prepared and measured.' : 'This run has not made a step.',
      );
    } else if (this.message.dataset.kind === 'waiting') fill(this.message);
  }

  private showEvents(): void {
    const { log } = this.data;
    const open = this.events.open;
    this.events.hidden = log.length === 0;
    const rows = log.map(({ time, kind, text }) =>
      h(
        'tr',
        {},
        h('td', { class: 'number soft' }, new Date(time).toLocaleTimeString()),
        h('td', { class: 'soft' }, kind === 'other' ? '' : kind),
        h('td', {}, h('pre', {}, text)),
      ),
    );
    fill(
      this.events,
      h('summary', {}, h('h2', {}, 'Events '), h('span', { class: 'soft' }, log.length)),
      h('table', {}, h('tbody', {}, ...rows.reverse())),
    );
    this.events.open = open;
  }

  private showNothing(): void {
    fill(
      this.place,
      h(
        'div',
        { class: 'empty' },
        h('h1', {}, 'No run is open'),
        h('p', {}, 'A run trains the policy of a model; here you watch its reward, its codes and its samples.'),
        h('p', { class: 'soft' }, 'The command “CoLA: Train…” starts one.'),
        button({
          label: 'Choose a run',
          kind: 'primary',
          icon: 'folder-opened',
          onPress: () => this.attempt(() => this.choose()),
        }),
      ),
    );
  }

  private showTrouble(error: unknown): void {
    const { message, remedy } = failureWords(error);
    fill(
      this.place,
      h(
        'div',
        { class: 'empty' },
        h('h1', {}, 'The run cannot be shown'),
        h('p', {}, `${message} ${remedy}`),
        h(
          'div',
          { class: 'toolbar-group' },
          button({
            label: 'Try again',
            kind: 'primary',
            onPress: () => this.attempt(async () => this.subject && this.turnTo(this.subject)),
          }),
          button({ label: 'Choose another run', onPress: () => this.attempt(() => this.choose()) }),
        ),
      ),
    );
  }

  private keep(change: Partial<Kept>): void {
    this.view = { ...this.view, ...change };
    saved.set(this.view);
  }

  private tell(text: string): void {
    const waiting = this.data.rows.steps.length === 0;
    this.message.dataset.kind = waiting ? 'waiting' : 'said';
    fill(this.message, h('p', { class: 'note info', role: 'status' }, icon('info'), h('span', {}, text)));
  }

  private steer(work: (key: RunKey) => Promise<void>): void {
    this.attempt(async () => {
      if (this.subject !== undefined) await work(this.subject);
    });
  }

  /** What goes wrong is said on the page, with what to do. */
  private attempt(work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      const { message, remedy } = failureWords(error);
      fill(
        this.message,
        h(
          'div',
          { class: 'trouble', role: 'alert' },
          h('span', {}, `${message} ${remedy}`),
          button({ label: 'Dismiss', kind: 'icon', icon: 'close', onPress: () => fill(this.message) }),
        ),
      );
      this.message.dataset.kind = 'trouble';
    });
  }
}

const place = document.getElementById('page');
if (place !== null) void new Dashboard(place).start();
