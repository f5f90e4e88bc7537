/** The workers of a run: where each is, what it did in the last step, and how often another took its place. */
import { type Arrival, arrivalIn, type WorkerFigures } from '../../server/protocol/figures/workers.ts';
import { fill, h } from '../ui/elements.ts';

/** Rows that are shown; the others are counted. */
const mostRows = 64;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

export class WorkersView {
  readonly element = h('section', { class: 'workers', 'aria-label': 'Workers', hidden: true });
  private readonly place = h('div');

  constructor() {
    this.element.append(h('h2', {}, 'Workers'), this.place);
  }

  /**
   * @param figures of the last step
   * @param log of the run, which says where workers are
   */
  show(figures: WorkerFigures | undefined, log: readonly { readonly text: string }[]): void {
    const count = figures?.worker_shards?.length ?? 0;
    this.element.hidden = count === 0;
    if (figures === undefined || count === 0) return;
    const arrivals = new Map<number, Arrival>();
    for (const { text } of log) {
      const arrival = arrivalIn(text);
      if (arrival !== undefined) arrivals.set(arrival.number, arrival);
    }
    const titles = [
      ...['Worker', 'Node', 'Processor', 'Shards', 'Shards/s', 'Rollout', 'Gradient', 'Transfer', 'Waiting'],
      ...['Replaced', 'Sent to it', 'From it'],
    ];
    const rows = Array.from({ length: Math.min(count, mostRows) }, (_, i) =>
      h('tr', {}, ...cellsOf(figures, i, arrivals.get(i + 1)).map((text) => h('td', {}, text))),
    );
    const head = h('tr', {}, ...titles.map((title) => h('th', { scope: 'col' }, title)));
    const more = count > mostRows ? h('p', { class: 'soft' }, `And ${count - mostRows} more.`) : undefined;
    fill(
      this.place,
      h('div', { class: 'workers-table' }, h('table', {}, h('thead', {}, head), h('tbody', {}, ...rows))),
      more,
    );
  }
}

function cellsOf(figures: WorkerFigures, i: number, arrival: Arrival | undefined): string[] {
  const of = (name: keyof WorkerFigures) => figures[name]?.[i] ?? 0;
  const seconds = (['rollout', 'gradient', 'transfer', 'waiting'] as const).map((what) => of(`worker_seconds_${what}`));
  const whole = seconds.reduce((a, b) => a + b, 0);
  const computing = of('worker_seconds_rollout');
  return [
    String(i + 1),
    arrival === undefined ? '–' : `${arrival.host}, process ${arrival.process}`,
    arrival?.device ?? '–',
    String(of('worker_shards')),
    computing > 0 ? (of('worker_shards') / computing).toPrecision(2) : '–',
    ...seconds.map((part) => (whole > 0 ? `${Math.round((100 * part) / whole)} %` : '–')),
    String(of('worker_replaced')),
    megabytes(of('worker_bytes_sent')),
    megabytes(of('worker_bytes_received')),
  ];
}
