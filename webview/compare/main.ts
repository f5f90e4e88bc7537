/** Up to five runs on the same charts, and the settings in which they differ. */
import { z } from 'zod';
import type { ResultOf } from '../../server/protocol/channel/request.ts';
import { compareSettings, type RunMetrics, runMetrics } from '../../server/protocol/history.ts';
import { chooseRuns, comparedRuns, compareSubject, openDashboard } from '../../server/protocol/pages/run.ts';
import type { RunKey } from '../../server/protocol/runs.ts';
import { chartsOf, dashes, lineColours, overlaid } from '../run/chart-list.ts';
import { keyLine } from '../run/chart-view.ts';
import { ChartsView, onTheme } from '../run/charts.ts';
import { failureWords } from '../run/failure.ts';
import { timeWords } from '../run/head.ts';
import '../run/run.css';
import { button } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { ask, saved } from '../ui/host.ts';
import '../ui/base.css';
import './compare.css';

const kept = z.object({ subject: comparedRuns.default([]), smoothing: z.number().default(0) });

/** How often runs are read again, as some of them may go on, in milliseconds. */
const readInterval = 5000;

type Settings = ResultOf<typeof compareSettings>;

class Comparison {
  private view = kept.safeParse(saved.get()).data ?? kept.parse({});
  private readonly charts = new ChartsView({
    smoothing: this.view.smoothing,
    onSmoothing: (smoothing) => this.keep({ smoothing }),
    onRange: () => {},
  });
  private readonly legend = h('ul', { class: 'runs' });
  private readonly settings = h('section', { 'aria-label': 'Settings that differ' });
  private readonly message = h('div');
  private runs: RunKey[] = [];
  private metrics: RunMetrics[] = [];

  constructor(private readonly place: HTMLElement) {
    onTheme(() => this.charts.repaint());
    setInterval(() => {
      if (!document.hidden && this.runs.length > 0) this.attempt(() => this.readAgain());
    }, readInterval);
  }

  async start(): Promise<void> {
    const { subject } = await ask(compareSubject, {});
    await this.turnTo(subject);
  }

  private async turnTo(runs: RunKey[]): Promise<void> {
    this.runs = runs;
    this.keep({ subject: runs });
    if (runs.length === 0) {
      this.showNothing();
      return;
    }
    fill(this.place, h('p', { class: 'loading soft' }, 'Reading the runs…'));
    try {
      const settings = await ask(compareSettings, { runs });
      this.metrics = await Promise.all(runs.map((key) => ask(runMetrics, { ...key, rows: 2000 })));
      fill(
        this.place,
        h(
          'header',
          { class: 'run-head' },
          h(
            'div',
            { class: 'run-title' },
            h('h1', {}, 'Runs beside each other'),
            h('span', { class: 'toolbar-space' }),
            button({ label: 'Choose runs', icon: 'list-selection', onPress: () => this.attempt(() => this.choose()) }),
          ),
          this.legend,
        ),
        this.message,
        h('main', { class: 'run-content' }, this.charts.element, this.settings),
      );
      this.draw();
      this.showSettings(settings);
    } catch (error) {
      const { message, remedy } = failureWords(error);
      this.showNothing(`${message} ${remedy}`);
    }
  }

  private async choose(): Promise<void> {
    const { subject } = await ask(chooseRuns, {});
    await this.turnTo(subject);
  }

  /** Only what was written since the last time is read. */
  private async readAgain(): Promise<void> {
    const more = await Promise.all(
      this.runs.map((key, i) => ask(runMetrics, { ...key, rows: 2000, after: this.metrics[i].cursor })),
    );
    if (more.every(({ rows, whole }) => rows.length === 0 && !whole)) return;
    this.metrics = await Promise.all(this.runs.map((key) => ask(runMetrics, { ...key, rows: 2000 })));
    this.draw();
  }

  private draw(): void {
    const names = namesOf(this.runs);
    const runs = this.metrics.map(({ rows, usage }, i) => {
      const split = { steps: rows.filter((row) => !row.evaluation), evaluations: rows.filter((row) => row.evaluation) };
      return { label: names[i], charts: chartsOf(split, usage.at(-1)?.counts.length) };
    });
    const last = Math.max(1, ...this.metrics.flatMap(({ rows }) => rows.map(({ step }) => step)));
    this.charts.show(overlaid(runs), last, [], 1);
    const items = this.runs.map((key, i) => {
      const seconds = this.metrics[i].stages.reduce((sum, span) => sum + span.seconds, 0);
      const stages = this.metrics[i].stages.map(({ name }) => name).join(', ');
      return h(
        'li',
        { style: { '--key': `var(--chart-${lineColours[i % lineColours.length]})` } },
        keyLine(dashes[i % dashes.length]),
        button({
          label: names[i],
          title: 'Open its dashboard',
          onPress: () => this.attempt(() => ask(openDashboard, key)),
        }),
        h('span', { class: 'soft' }, seconds > 0 ? `${stages} · ${timeWords(seconds)} of training` : 'no step yet'),
      );
    });
    fill(this.legend, ...items);
  }

  private showSettings({ differing, same }: Settings): void {
    const names = namesOf(this.runs);
    const rows = differing.map(({ name, values }) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row', class: 'code' }, name),
        ...values.map((value, i) =>
          h('td', { class: 'code', 'data-name': names[i] }, value ?? h('span', { class: 'soft' }, 'not there')),
        ),
      ),
    );
    const heads = names.map((name) => h('th', { scope: 'col' }, name));
    const table = h(
      'table',
      { class: 'settings' },
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'setting'), ...heads)),
      h('tbody', {}, ...rows),
    );
    const words = `${same} settings are the same in all.`;
    fill(
      this.settings,
      h('div', { class: 'section-head' }, h('h2', {}, 'Settings that differ'), h('p', { class: 'soft' }, words)),
      differing.length === 0
        ? h(
            'p',
            {},
            this.runs.length > 1
              ? 'None: what differs between these runs is chance, data or the program.'
              : 'Choose another run to compare with.',
          )
        : table,
    );
  }

  private showNothing(
    text = 'Choose up to five runs: their curves are drawn over each other, and the settings in which they differ are listed.',
  ): void {
    fill(
      this.place,
      h(
        'div',
        { class: 'empty' },
        h('h1', {}, 'Compare runs'),
        h('p', {}, text),
        button({
          label: 'Choose runs',
          kind: 'primary',
          icon: 'list-selection',
          onPress: () => this.attempt(() => this.choose()),
        }),
        this.message,
      ),
    );
  }

  private keep(change: Partial<z.infer<typeof kept>>): void {
    this.view = { ...this.view, ...change };
    saved.set(this.view);
  }

  private attempt(work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      const { message, remedy } = failureWords(error);
      fill(this.message, h('div', { class: 'trouble', role: 'alert' }, h('span', {}, `${message} ${remedy}`)));
    });
  }
}

/** Names of runs; of equal ones with their folder. */
function namesOf(runs: readonly RunKey[]): string[] {
  return runs.map(({ root, run }) => {
    const twin = runs.some((other) => other.run === run && other.root !== root);
    return twin ? `${run} in ${root.split(/[\\/]/).at(-1)}` : run;
  });
}

const place = document.getElementById('page');
if (place !== null) void new Comparison(place).start();
