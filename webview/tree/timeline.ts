/** Best reward and value of the root by simulation; a handle shows the tree as it was. */
import { fill, h, s } from '../ui/elements.ts';
import type { TreeModel } from './model.ts';
import { figure, share, valueRange } from './words.ts';

const height = 56;
const inset = 4;
/** Points of a curve, at most. */
const resolution = 400;

export class Timeline {
  private readonly drawing = s('svg', { class: 'timeline-chart', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  private readonly handle = h('div', { class: 'timeline-handle' });
  private readonly track: HTMLElement;
  private readonly caption = h('div', { class: 'timeline-caption number' });
  private readonly live: HTMLButtonElement;
  readonly element: HTMLElement;
  private total = 0;
  private done = 0;

  /** @param scrub simulations done at the moment to show; null for now */
  constructor(private readonly scrub: (done: number | null) => void) {
    this.track = h(
      'div',
      {
        class: 'timeline-track',
        role: 'slider',
        tabindex: 0,
        'aria-label': 'The tree as it was after so many simulations',
      },
      this.handle,
    );
    this.track.prepend(this.drawing);
    this.live = h(
      'button',
      { class: 'link', type: 'button', on: { click: () => scrub(null) } },
      'Show it as it is now',
    );
    this.element = h(
      'div',
      { class: 'timeline' },
      this.track,
      h('div', { class: 'timeline-foot' }, this.caption, this.live),
    );
    const aim = (event: PointerEvent) => {
      if (event.buttons === 0) return;
      const { left, width } = this.track.getBoundingClientRect();
      this.set(Math.round((this.total * (event.clientX - left)) / width));
    };
    this.track.addEventListener('pointerdown', (event) => {
      this.track.setPointerCapture(event.pointerId);
      aim(event);
    });
    this.track.addEventListener('pointermove', aim);
    this.track.addEventListener('keydown', (event) => this.pressed(event));
  }

  /** @param done simulations done at the moment that is shown; null for now */
  show(model: TreeModel, done: number | null): void {
    this.total = model.simulations;
    this.done = done ?? this.total;
    const range = valueRange(model);
    const width = 1000;
    this.drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const line = (values: readonly number[]) => curve(values, width, range);
    const at = Math.min(this.done, this.total) - 1;
    fill(
      this.drawing,
      s('path', { class: 'curve root', d: line(model.rootValue) }),
      s('path', { class: 'curve best', d: line(model.best) }),
    );
    this.handle.style.left = this.total === 0 ? '0' : `${(100 * this.done) / this.total}%`;
    const best = at < 0 ? Number.NaN : model.best[at];
    const root = at < 0 ? Number.NaN : model.rootValue[at];
    fill(
      this.caption,
      h('span', {}, `simulation ${this.done} of ${this.total}`),
      h('span', { class: 'key best' }, `best reward ${figure(best)}`),
      h('span', { class: 'key root' }, `root value ${figure(root)}`),
    );
    this.live.hidden = done === null;
    const aria = { valuemin: 0, valuemax: this.total, valuenow: this.done };
    for (const [name, value] of Object.entries(aria)) this.track.setAttribute(`aria-${name}`, String(value));
    this.track.setAttribute(
      'aria-valuetext',
      `simulation ${this.done}, best reward ${figure(best)}, root value ${figure(root)}`,
    );
    this.element.classList.toggle('past', done !== null);
  }

  private set(done: number): void {
    const inside = Math.min(this.total, Math.max(0, done));
    this.scrub(inside === this.total ? null : inside);
  }

  private pressed(event: KeyboardEvent): void {
    if (event.altKey) return;
    const leap = Math.max(1, Math.round(this.total / 20));
    const moves: Readonly<Record<string, number>> = {
      ArrowLeft: this.done - 1,
      ArrowDown: this.done - 1,
      ArrowRight: this.done + 1,
      ArrowUp: this.done + 1,
      PageDown: this.done - leap,
      PageUp: this.done + leap,
      Home: 0,
      End: this.total,
    };
    const next = moves[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.set(next);
  }
}

/** A path through at most {@link resolution} of the values; what is not known is left out. */
function curve(values: readonly number[], width: number, range: readonly [number, number]): string {
  const step = Math.max(1, Math.floor(values.length / resolution));
  const points: string[] = [];
  const last = values.length - 1;
  for (let i = 0; i <= last; i = i === last ? last + 1 : Math.min(last, i + step)) {
    if (Number.isNaN(values[i])) continue;
    const x = last === 0 ? width : (width * (i + 1)) / (last + 1);
    const y = height - inset - share(values[i], range) * (height - 2 * inset);
    points.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
  }
  return points.length === 0 ? '' : `M${points.join('L')}`;
}
