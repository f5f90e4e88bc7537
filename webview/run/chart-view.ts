/** A chart on the page: drawn by uPlot in the colours of the theme, with a legend that reads out the step under the cursor. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { fill, h } from '../ui/elements.ts';
import { type ChartModel, chartWords, type Line, smoothed, withUnit } from './chart-list.ts';

/** What all charts of a page share. */
export interface SharedView {
  /** Steps that are shown; undefined for all. */
  range: readonly [number, number] | undefined;
  /** Last step there is. */
  last: number;
  /** Values that are averaged; 0 for none. */
  smoothing: number;
  /** Vertical lines: where stages begin, and the best checkpoint. */
  marks: readonly { readonly step: number; readonly label: string; readonly kind: 'stage' | 'best' }[];
  /** The person has chosen other steps; undefined for all. */
  onRange(range: readonly [number, number] | undefined): void;
}

const height = 170;
const syncKey = 'run';

const colourOf = (name: string) => getComputedStyle(document.body).getPropertyValue(name).trim();
const lineColour = (line: Line) => colourOf(`--chart-${line.colour}`);

export class ChartView {
  readonly element: HTMLElement;
  private readonly plotPlace = h('div', { class: 'chart-plot' });
  private readonly legend = h('div', { class: 'chart-legend' });
  private readonly said = h('p', { class: 'spoken', 'aria-live': 'polite' });
  private plot: uPlot | undefined;
  private drawn = '';
  private at: number | undefined;
  private x: number[] = [];
  private model: ChartModel;
  private readonly resize: ResizeObserver;

  constructor(
    model: ChartModel,
    private readonly shared: SharedView,
  ) {
    this.model = model;
    this.element = h(
      'section',
      {
        class: 'chart',
        'data-chart': model.id,
        tabindex: 0,
        role: 'figure',
        on: { keydown: (event) => this.key(event) },
      },
      h('h3', {}, model.title, model.unit !== '' && h('span', { class: 'unit' }, ` in ${model.unit}`)),
      this.plotPlace,
      this.legend,
      this.said,
    );
    this.resize = new ResizeObserver(() => {
      const width = this.plotPlace.clientWidth;
      if (width > 0) this.plot?.setSize({ width, height });
    });
    this.resize.observe(this.plotPlace);
    this.show(model);
  }

  /** Draws other data. */
  show(model: ChartModel): void {
    this.model = model;
    this.element.setAttribute('aria-label', chartWords(model));
    const data = this.table();
    const shape = JSON.stringify([model.lines.map(({ label, colour }) => [label, colour]), this.shared.smoothing > 1]);
    if (this.plot === undefined || this.drawn !== shape) this.draw(data);
    else this.plot.setData(data, false);
    this.drawn = shape;
    this.setRange();
    this.readOut();
  }

  /** Draws everything anew: the theme has changed. */
  repaint(): void {
    this.draw(this.table());
    this.setRange();
    this.readOut();
  }

  setRange(): void {
    const [min, max] = this.shared.range ?? [0, Math.max(1, this.shared.last)];
    this.plot?.setScale('x', { min, max });
  }

  dispose(): void {
    this.resize.disconnect();
    this.plot?.destroy();
    this.element.remove();
  }

  /** Steps, then for every line its values, and where it has one its band. */
  private table(): uPlot.AlignedData {
    const { lines, stacked } = this.model;
    this.x = [...new Set(lines.flatMap(({ x }) => x))].sort((a, b) => a - b);
    const index = new Map(this.x.map((step, i) => [step, i]));
    const spread = (line: Line, values: readonly (number | null)[]) => {
      const row: (number | null)[] = new Array(this.x.length).fill(null);
      for (const [i, step] of line.x.entries()) row[index.get(step) ?? 0] = values[i];
      return row;
    };
    const below = new Array<number>(this.x.length).fill(0);
    const columns = lines.flatMap((line) => {
      const raw = spread(line, line.y);
      if (stacked) {
        return [
          raw.map((value, i) => {
            below[i] += value ?? 0;
            return value === null ? null : below[i];
          }),
        ];
      }
      const shown = this.shared.smoothing > 1 ? spread(line, smoothed(line.y, this.shared.smoothing)) : raw;
      const band =
        line.spread === undefined
          ? []
          : [1, -1].map((sign) => {
              const half = spread(line, line.spread ?? []);
              return raw.map((value, i) => (value === null ? null : value + sign * (half[i] ?? 0)));
            });
      return [shown, ...(this.shared.smoothing > 1 ? [raw] : []), ...band];
    });
    return [this.x, ...columns] as uPlot.AlignedData;
  }

  private draw(data: uPlot.AlignedData): void {
    this.plot?.destroy();
    const { lines, stacked, unit, fromZero, most } = this.model;
    const series: uPlot.Series[] = [{}];
    const bands: uPlot.Band[] = [];
    for (const line of lines) {
      const stroke = lineColour(line);
      const dash = line.dash === undefined ? {} : { dash: [...line.dash] };
      const own = series.length;
      series.push({
        stroke,
        width: 1.5,
        spanGaps: true,
        points: { show: line.points || line.x.length < 3, size: 5, fill: stroke },
        ...dash,
        ...(stacked ? { fill: faint(stroke, 0.35) } : {}),
      });
      if (stacked && own > 1) bands.push({ series: [own, own - 1] });
      if (!stacked && this.shared.smoothing > 1)
        series.push({ stroke: faint(stroke, 0.3), width: 1, spanGaps: true, points: { show: false } });
      if (!stacked && line.spread !== undefined) {
        bands.push({ series: [series.length, series.length + 1], fill: faint(stroke, 0.16) });
        for (let i = 0; i < 2; i++)
          series.push({ stroke: 'transparent', width: 0, spanGaps: true, points: { show: false } });
      }
    }
    const ink = colourOf('--vscode-descriptionForeground') || '#888';
    const grid = { stroke: faint(ink, 0.18), width: 1 };
    const font = `11px ${colourOf('--vscode-font-family') || 'sans-serif'}`;
    const axis = { stroke: ink, font, ticks: { show: false }, grid };
    const options: uPlot.Options = {
      width: this.plotPlace.clientWidth || 320,
      height,
      // At the right, half of the last step's number.
      padding: [14, 20, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: syncKey, scales: ['x', null] },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 },
      },
      scales: {
        x: { time: false },
        y: { range: (_, low, high) => rangeOf(low, high, fromZero, most) },
      },
      axes: [
        {
          ...axis,
          size: 24,
          space: 60,
          values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : '')),
        },
        { ...axis, size: 48, values: (_, ticks) => ticks.map((tick) => withUnit(tick, unit === '%' ? '%' : '')) },
      ],
      series,
      bands,
      hooks: {
        draw: [(plot) => this.drawMarks(plot, ink, font)],
        setCursor: [
          (plot) => {
            const { idx } = plot.cursor;
            this.at = idx === null || idx === undefined ? undefined : idx;
            this.readOut();
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width < 4) return;
            const [from, to] = [left, left + width].map((px) => Math.round(plot.posToVal(px, 'x')));
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            if (to > from) this.shared.onRange([from, to]);
          },
        ],
      },
    };
    this.plot = new uPlot(options, data, this.plotPlace);
    this.plot.over.addEventListener('dblclick', () => this.shared.onRange(undefined));
  }

  private drawMarks(plot: uPlot, ink: string, font: string): void {
    const { ctx } = plot;
    const { top, height: tall } = plot.bbox;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = font.replace('11px', `${Math.round(10 * scale)}px`);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'bottom';
    const [start, end] = [plot.bbox.left, plot.bbox.left + plot.bbox.width];
    // Labels that would lie over others are left out; the lines say enough. The best one goes first.
    const taken: { readonly from: number; readonly to: number }[] = [];
    const marks = this.shared.marks.toSorted((a, b) => Number(b.kind === 'best') - Number(a.kind === 'best'));
    for (const { step, label, kind } of marks) {
      const x = Math.round(plot.valToPos(step, 'x', true));
      if (x < start - 1 || x > end + 1) continue;
      const best = kind === 'best';
      const colour = best ? colourOf('--chart-green') : ink;
      ctx.strokeStyle = colour;
      ctx.fillStyle = colour;
      ctx.lineWidth = scale;
      ctx.setLineDash(best ? [] : [3 * scale, 3 * scale]);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + tall);
      ctx.stroke();
      const text = best ? `★ ${label}` : label;
      const width = ctx.measureText(text).width + 4 * scale;
      const left = Math.min(x, end - width);
      if (taken.some(({ from, to }) => left < to && left + width > from)) continue;
      taken.push({ from: left, to: left + width });
      // Above the chart, where no curve is.
      ctx.fillText(text, left, top - 1);
    }
    ctx.restore();
  }

  /** The numbers under the cursor, or the last ones. */
  private readOut(): void {
    const { lines, unit } = this.model;
    const step = this.at === undefined ? undefined : this.x[this.at];
    const entries = lines.map((line) => {
      const place = step === undefined ? lastOf(line) : nearest(line, step);
      const value = place === undefined ? null : line.y[place];
      const half = place === undefined ? undefined : line.spread?.[place];
      const spread = half === null || half === undefined ? '' : ` ± ${withUnit(half, unit === '%' ? '%' : '')}`;
      return h(
        'span',
        { class: 'chart-key', style: { '--key': `var(--chart-${line.colour})` } },
        keyLine(line.dash),
        `${line.label} `,
        h('b', { class: 'number' }, `${withUnit(value, unit)}${spread}`),
      );
    });
    fill(this.legend, ...entries, step !== undefined && h('span', { class: 'chart-step number' }, `step ${step}`));
  }

  /** Arrows move the cursor of all charts, Home and End jump, Escape shows all steps again. */
  private key(event: KeyboardEvent): void {
    const { plot } = this;
    if (plot === undefined || this.x.length === 0) return;
    // The third argument passes it on to the other charts; uPlot's types lack it.
    const setCursor: (at: { left: number; top: number }, fire: boolean, publish: boolean) => void = plot.setCursor;
    const now = this.at ?? this.x.length - 1;
    const jump = event.shiftKey ? 10 : 1;
    const targets: Record<string, number> = {
      ArrowLeft: now - jump,
      ArrowRight: now + jump,
      Home: 0,
      End: this.x.length - 1,
    };
    if (event.key === 'Escape') {
      this.shared.onRange(undefined);
      setCursor({ left: -10, top: -10 }, true, true);
      return;
    }
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const index = Math.min(this.x.length - 1, Math.max(0, target));
    setCursor({ left: plot.valToPos(this.x[index], 'x'), top: 10 }, true, true);
    this.said.textContent = this.legend.textContent;
  }
}

/** A piece of a line as it is drawn, for a legend; its colour is `--key`. */
export function keyLine(dash: readonly number[] = []): HTMLElement {
  let at = 0;
  const parts = dash.map((length, i) => {
    const from = at;
    at += length;
    return `${i % 2 === 0 ? 'var(--key)' : 'transparent'} ${from}px ${at}px`;
  });
  const background = parts.length === 0 ? 'var(--key)' : `repeating-linear-gradient(90deg, ${parts.join(', ')})`;
  return h('span', { class: 'key-line', 'aria-hidden': 'true', style: { background } });
}

/** A row of the line at the step, or the one before it. */
function nearest(line: Line, step: number): number | undefined {
  let found: number | undefined;
  for (let i = 0; i < line.x.length && line.x[i] <= step; i++) if (line.y[i] !== null) found = i;
  return found;
}

function lastOf(line: Line): number | undefined {
  const at = line.y.findLastIndex((value) => value !== null);
  return at < 0 ? undefined : at;
}

function rangeOf(
  low: number | null,
  high: number | null,
  fromZero: boolean,
  most: number | undefined,
): [number, number] {
  const bottom = fromZero ? Math.min(0, low ?? 0) : (low ?? 0);
  const top = Math.max(high ?? 1, most ?? Number.NEGATIVE_INFINITY);
  const room = (top - bottom) * 0.06 || Math.abs(top) * 0.1 || 1;
  return [fromZero && bottom === 0 ? 0 : bottom - room, top + room];
}

/** A colour of the theme with less weight. */
function faint(colour: string, alpha: number): string {
  return `color-mix(in srgb, ${colour} ${Math.round(100 * alpha)}%, transparent)`;
}
