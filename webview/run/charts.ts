/** The charts of a page: one cursor, one range of steps, one smoothing for all of them. */
import { button, dropdown } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import type { ChartModel } from './chart-list.ts';
import { ChartView, type SharedView } from './chart-view.ts';

const smoothings = [
  { value: '0', label: 'no smoothing' },
  { value: '5', label: 'mean of 5' },
  { value: '20', label: 'mean of 20' },
  { value: '100', label: 'mean of 100' },
] as const;

export interface ChartsOptions {
  readonly smoothing: number;
  onSmoothing(span: number): void;
  /** The person has chosen a range of steps; undefined for the whole run. */
  onRange(range: readonly [number, number] | undefined): void;
}

export class ChartsView {
  readonly element: HTMLElement;
  private readonly grid = h('div', { class: 'charts' });
  private readonly views = new Map<string, ChartView>();
  private readonly whole = button({ label: 'Whole run', icon: 'zoom-out', onPress: () => this.range(undefined) });
  private readonly note = h('p', { class: 'soft' });
  private readonly stages = h('span');
  private staged = '';
  /** Last step of every stage, so far. */
  private ends: number[] = [];
  private readonly shared: SharedView;

  constructor(private readonly options: ChartsOptions) {
    this.shared = {
      range: undefined,
      last: 1,
      smoothing: options.smoothing,
      marks: [],
      onRange: (range) => this.range(range),
    };
    const smoothing = dropdown({
      label: 'Smoothing',
      options: smoothings,
      value: String(options.smoothing) as (typeof smoothings)[number]['value'],
      onChange: (value) => {
        this.shared.smoothing = Number(value);
        options.onSmoothing(this.shared.smoothing);
        for (const view of this.views.values()) view.repaint();
      },
    });
    this.whole.hidden = true;
    this.element = h(
      'section',
      { 'aria-label': 'Charts' },
      h('div', { class: 'section-head' }, h('h2', {}, 'Charts'), this.stages, smoothing, this.whole, this.note),
      this.grid,
    );
  }

  /** @param stride steps that one point stands for */
  show(charts: readonly ChartModel[], last: number, marks: SharedView['marks'], stride: number): void {
    Object.assign(this.shared, { last, marks });
    this.element.hidden = charts.length === 0;
    const thinned = stride > 1 ? ` Of every ${stride} steps the highest and lowest are drawn.` : '';
    this.note.textContent = `Drag over steps to look closer.${thinned}`;
    const wanted = new Set(charts.map(({ id }) => id));
    for (const [id, view] of this.views) {
      if (wanted.has(id)) continue;
      view.dispose();
      this.views.delete(id);
    }
    for (const model of charts) {
      const view = this.views.get(model.id);
      if (view === undefined) this.add(model);
      else view.show(model);
    }
    const elements = charts.flatMap(({ id }) => this.views.get(id)?.element ?? []);
    for (const [i, element] of elements.entries()) {
      if (this.grid.children[i] !== element) this.grid.insertBefore(element, this.grid.children[i] ?? null);
    }
  }

  /** Lets the person look at one stage; there is nothing to choose among fewer than two. */
  offerStages(stages: readonly { readonly name: string; readonly before: number; readonly last: number }[]): void {
    this.ends = stages.map(({ last }) => last);
    const known = JSON.stringify(stages.map(({ name, before }) => [name, before]));
    if (known === this.staged) return;
    this.staged = known;
    const each = stages.map(({ name }, i) => ({ value: String(i), label: `stage ${i + 1}, ${name}` }));
    const choice = dropdown({
      label: 'Steps that are shown',
      options: [{ value: 'all', label: 'whole run' }, ...each],
      value: 'all',
      onChange: (value) => {
        const stage = stages[Number(value)];
        this.range(
          stage === undefined ? undefined : [stage.before, Math.max(stage.before + 1, this.ends[Number(value)])],
        );
      },
    });
    fill(this.stages, stages.length > 1 && choice);
  }

  /** The theme has changed. */
  repaint(): void {
    for (const view of this.views.values()) view.repaint();
  }

  private add(model: ChartModel): void {
    const view = new ChartView(model, this.shared);
    this.views.set(model.id, view);
    this.grid.append(view.element);
    // It has a width from now on.
    view.repaint();
  }

  private range(range: readonly [number, number] | undefined): void {
    this.shared.range = range;
    this.whole.hidden = range === undefined;
    for (const view of this.views.values()) view.setRange();
    this.options.onRange(range);
  }
}

/** Calls back when the colours of the editor have changed. */
export function onTheme(changed: () => void): void {
  const observer = new MutationObserver(() => requestAnimationFrame(changed));
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-kind'] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
}
