/** Line charts as SVG, without a script: read on paper as on a screen, in colour and without. */
import { escapeHtml } from '../search/page.ts';

export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  /** What the numbers are, with their unit. */
  readonly unit: string;
  readonly series: readonly Series[];
  /** Ends of the y axis, where the figure has natural ones. */
  readonly range?: readonly [number, number];
}

const size = { width: 420, height: 230, left: 48, right: 10, top: 10, bottom: 30 };

/** A figure element. Series are told apart by colour, dashes and the shape at their points. */
export function lineChart(chart: Chart): string {
  const series = chart.series.filter(({ points }) => points.length > 0);
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return '';
  const [x0, x1] = extent(all.map(([x]) => x));
  const [y0, y1] = chart.range ?? padded(extent(all.map(([, y]) => y)));
  const { width, height, left, right, top, bottom } = size;
  const x = (value: number) => left + ((value - x0) / (x1 - x0 || 1)) * (width - left - right);
  const y = (value: number) => height - bottom - ((value - y0) / (y1 - y0 || 1)) * (height - top - bottom);
  const grid = ticks(y0, y1).map(
    (value) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${fix(y(value))}" y2="${fix(y(value))}"/><text class="tick" x="${left - 6}" y="${fix(y(value) + 4)}" text-anchor="end">${short(value)}</text>`,
  );
  const below = ticks(x0, x1)
    .filter(Number.isInteger)
    .map(
      (value) =>
        `<text class="tick" x="${fix(x(value))}" y="${height - bottom + 16}" text-anchor="middle">${value}</text>`,
    );
  const lines = series.map(({ points }, i) => {
    const path = points.map(([a, b]) => `${fix(x(a))},${fix(y(b))}`).join(' ');
    const marks = points.length > 40 ? '' : points.map(([a, b]) => mark(i, x(a), y(b))).join('');
    return `<polyline class="line s${i % 4}" points="${path}"/>${marks}`;
  });
  const legend = series.map(
    ({ label, points }, i) =>
      `<li><svg class="key" viewBox="0 0 30 10" aria-hidden="true"><line class="line s${i % 4}" x1="0" x2="30" y1="5" y2="5"/>${mark(i, 15, 5)}</svg>${escapeHtml(label)} <small>${points.length > 1 ? `${short(points[0][1])} to ` : ''}${short(points[points.length - 1][1])}</small></li>`,
  );
  const words = series
    .map(({ label, points }) => `${label}: from ${short(points[0][1])} to ${short(points[points.length - 1][1])}`)
    .join('; ');
  return `<figure class="chart">
<figcaption><b>${escapeHtml(chart.title)}</b> <small>${escapeHtml(chart.unit)}</small></figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${chart.title}. ${words}`)}">
${grid.join('')}${below.join('')}<text class="tick" x="${width - right}" y="${height - 2}" text-anchor="end">step</text>
${lines.join('\n')}
</svg>
<ul class="legend">${legend.join('')}</ul>
</figure>`;
}

const fix = (value: number) => value.toFixed(1);

/** A number for a label: three digits at most. */
export function short(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1);
  if (size >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

function mark(series: number, x: number, y: number): string {
  const shape = series % 4;
  const name = `class="dot s${shape}"`;
  if (shape === 0) return `<circle ${name} cx="${fix(x)}" cy="${fix(y)}" r="3"/>`;
  if (shape === 1) return `<rect ${name} x="${fix(x - 3)}" y="${fix(y - 3)}" width="6" height="6"/>`;
  const corners =
    shape === 2
      ? [
          [0, -4],
          [4, 3],
          [-4, 3],
        ]
      : [
          [0, -4],
          [4, 0],
          [0, 4],
          [-4, 0],
        ];
  return `<polygon ${name} points="${corners.map(([a, b]) => `${fix(x + a)},${fix(y + b)}`).join(' ')}"/>`;
}

function extent(values: readonly number[]): [number, number] {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

function padded([low, high]: readonly [number, number]): [number, number] {
  const room = high === low ? Math.abs(high) * 0.1 || 1 : (high - low) * 0.08;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

/** Round numbers between two ends, about five. */
function ticks(low: number, high: number): number[] {
  const raw = (high - low) / 4;
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw) ?? raw;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
