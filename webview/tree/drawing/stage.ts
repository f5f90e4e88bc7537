/** Where the tree is drawn: the view of the plane, with pointer and wheel; cards over edges. */
import { actionWords } from '../../ui/actions.ts';
import { custom, h } from '../../ui/elements.ts';
import type { NodeDetails } from '../details.ts';
import { ending, figures } from '../words.ts';
import { CardLayer, cardId } from './cards.ts';
import { type Colours, onThemeChange, readColours, reducesMotion } from './colours.ts';
import { draw, type Picture } from './drawing.ts';
import { Minimap } from './minimap.ts';
import { boxAt, drawOverview, type OverviewBox, overviewOf } from './overview.ts';
import type { Rect } from './scene.ts';
import {
  beginning,
  fitting,
  isOverview,
  readableScale,
  reading,
  revealing,
  scales,
  seen,
  type Viewport,
  zoomed,
} from './viewport.ts';

export interface StageHandlers {
  select(node: number): void;
  toggle(node: number): void;
  apart(node: number): void;
  /** The person moved the view. */
  moved(view: Viewport): void;
  label(action: number): string | null;
  /** Whether what is chosen are latent actions. */
  readonly named: boolean;
  prompt(): string;
}

/** Beyond the view, so that cards are there when it moves. */
const margin = 80;
/** Under the overview, in pixels. */
const noteHeight = 22;

export class Stage {
  readonly element: HTMLElement;
  private readonly canvas = h('canvas', { class: 'edges', 'aria-hidden': 'true' });
  private readonly cards: CardLayer;
  /** Shown beside the stage, where it covers nothing. */
  readonly minimap: Minimap;
  private readonly hint = h('div', { class: 'hint', hidden: true, 'aria-hidden': 'true' });
  private colours: Colours = readColours();
  private picture: Picture | undefined;
  private edges: readonly number[] = [];
  /** What the overview shows, and of which picture and room. */
  private overview: { readonly of: Picture; readonly size: object; readonly boxes: readonly OverviewBox[] } | undefined;
  private readonly note = h('p', { class: 'far-note soft', hidden: true });
  private size = { width: 0, height: 0 };
  private scheduled = false;
  private follow: number | undefined;

  constructor(
    private readonly details: NodeDetails,
    private readonly handlers: StageHandlers,
    private view: Viewport,
  ) {
    this.cards = new CardLayer(details, handlers);
    this.minimap = new Minimap((x, y) => {
      const { scale } = this.view;
      this.move({ x: x - this.size.width / scale / 2, y: y - this.size.height / scale / 2, scale });
    });
    const tree = { role: 'tree', tabindex: 0, 'aria-label': 'Search tree' };
    this.element = custom('div', { class: 'stage', ...tree }, this.canvas, this.cards.element, this.note, this.hint);
    new ResizeObserver(() => this.resize()).observe(this.element);
    onThemeChange(() => {
      this.colours = readColours();
      if (this.picture !== undefined) this.minimap.redraw(this.picture, this.colours);
      this.redraw();
    });
    this.listen();
  }

  /** Shows the tree. The selected card, where it was there before, stays where it was on the screen. */
  show(picture: Picture): void {
    const followed = [picture.selected, 0].find((node) => this.picture?.scene.placeOf(node) !== undefined) ?? 0;
    const before = rectOf(this.picture, followed);
    this.picture = picture;
    const after = rectOf(picture, followed);
    if (before !== undefined && after !== undefined) {
      const { x, y, scale } = this.view;
      this.view = { x: x + after.x - before.x, y: y + after.y - before.y, scale };
    }
    this.minimap.redraw(picture, this.colours);
    const own = picture.scene.placeOf(picture.selected);
    const selected = own === undefined ? null : cardId(picture.scene.shown.node[own]);
    if (selected === null) this.element.removeAttribute('aria-activedescendant');
    else this.element.setAttribute('aria-activedescendant', selected);
    if (this.follow !== undefined) {
      const follow = this.follow;
      this.follow = undefined;
      this.reveal(follow);
    }
    this.redraw();
  }

  /** Moves the view so that the card is seen; where it has none yet, when it has one. */
  reveal(node: number): void {
    const place = this.picture?.scene.placeOf(node);
    if (place === undefined || this.picture === undefined) {
      this.follow = node;
      return;
    }
    // The overview shows it anyway.
    if (isOverview(this.view)) this.redraw();
    else this.move(revealing(this.view, this.picture.scene.rect(place), this.size.width, this.size.height));
  }

  /** The whole tree: as an overview where its cards could not be made out. */
  fit(): void {
    if (this.picture === undefined) return;
    const whole = fitting(this.picture.scene.bounds, this.size.width, this.size.height);
    this.move(isOverview(whole) ? { ...this.view, scale: scales.least } : whole);
  }

  zoom(factor: number): void {
    if (isOverview(this.view) && this.picture !== undefined) this.leaveOverview(this.picture.selected, factor);
    else this.move(zoomed(this.view, factor, { x: this.size.width / 2, y: this.size.height / 2 }));
  }

  /** Out of the overview to a card, for who wants to come nearer. */
  private leaveOverview(node: number, factor: number): void {
    const rect = rectOf(this.picture, node);
    if (factor > 1 && rect !== undefined) this.move(reading(rect, this.size.width, this.size.height));
  }

  /** The first view: the prompt and, of what the search likes best, as much as can be read. */
  begin(): void {
    const { picture, size } = this;
    const root = rectOf(picture, 0);
    if (picture === undefined || root === undefined) return;
    const best = [...picture.principal].map((node) => rectOf(picture, node)).filter((rect) => rect !== undefined);
    this.move(beginning([root, ...best], size.width, size.height, picture.scene.orientation));
  }

  pulse(node: number): void {
    if (!reducesMotion()) this.cards.pulse(node);
  }

  /** Draws again, with what is known now. */
  redraw(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }

  private draw(): void {
    const { picture, view, size } = this;
    if (picture === undefined || size.width === 0) return;
    const far = isOverview(view);
    this.note.hidden = !far;
    if (far) this.drawOverview(picture);
    else
      this.edges = draw(this.canvas, picture, view, this.colours, this.code, (place) =>
        this.textOf(picture.scene.shown.node[place], picture.scene.shown.chain[place]),
      );
    const layer = this.cards.element;
    const readable = view.scale >= readableScale;
    layer.classList.toggle('far', !readable);
    layer.style.transform = `scale(${view.scale}) translate(${-view.x}px, ${-view.y}px)`;
    const { scene, selected } = picture;
    const part = seen(view, size.width, size.height);
    const wide = {
      x: part.x - margin,
      y: part.y - margin,
      width: part.width + 2 * margin,
      height: part.height + 2 * margin,
    };
    const places = readable ? scene.meeting(wide).cards.filter((place) => meets(scene.rect(place), wide)) : [];
    // A screen reader needs the selected one wherever it is.
    const own = scene.placeOf(selected);
    if (own !== undefined && !places.includes(own)) places.push(own);
    this.cards.update(picture, places);
    this.minimap.element.hidden = far;
    if (!far) this.minimap.frame(view, size.width, size.height, this.colours);
  }

  private drawOverview(picture: Picture): void {
    const { size } = this;
    const { model, moment, scene } = picture;
    if (this.overview?.of !== picture || this.overview.size !== size) {
      const boxes = overviewOf(model, moment, scene.orientation, size.width, size.height - noteHeight);
      this.overview = { of: picture, size, boxes };
    }
    this.edges = [];
    drawOverview(this.canvas, picture, this.overview.boxes, this.colours, this.code, ({ node, chain }) =>
      this.textOf(node, chain),
    );
    this.note.textContent = `${moment.count} nodes, each as large as its share of the visits; the best line is outlined. Zoom in or double-click to read.`;
  }

  /** The font of code, as a canvas takes it. */
  private get code(): string {
    return getComputedStyle(this.element).getPropertyValue('--code') || 'monospace';
  }

  private textOf(node: number, chain: readonly number[]): string {
    return node === 0 ? this.handlers.prompt() : this.details.textOf(chain);
  }

  private move(view: Viewport): void {
    this.view = view;
    this.handlers.moved(view);
    this.redraw();
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const selected = this.picture && rectOf(this.picture, this.picture.selected);
    const wasSeen = selected !== undefined && meets(selected, seen(this.view, this.size.width, this.size.height));
    this.size = { width, height };
    // In less room, what the person looks at must not fall out of it. A page that is hidden has no size.
    if (wasSeen && width > 0 && height > 0) this.move(revealing(this.view, selected, width, height));
    this.canvas.width = width * devicePixelRatio;
    this.canvas.height = height * devicePixelRatio;
    this.draw();
  }

  private listen(): void {
    const { element } = this;
    element.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const { left, top } = element.getBoundingClientRect();
        const pointer = { x: event.clientX - left, y: event.clientY - top };
        if (isOverview(this.view)) {
          const node = boxAt(this.overview?.boxes ?? [], pointer.x, pointer.y)?.node;
          if (node !== undefined && (event.ctrlKey || event.metaKey)) this.leaveOverview(node, -event.deltaY + 1);
          return;
        }
        if (event.ctrlKey || event.metaKey) {
          this.move(zoomed(this.view, Math.exp(-event.deltaY / 300), pointer));
          return;
        }
        const { x, y, scale } = this.view;
        const [dx, dy] = event.shiftKey && event.deltaX === 0 ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
        this.move({ x: x + dx / scale, y: y + dy / scale, scale });
      },
      { passive: false },
    );
    let held: { readonly x: number; readonly y: number } | undefined;
    element.addEventListener('pointerdown', (event) => {
      if (event.button > 1 || (event.target as Element).closest('.card, .stub') !== null) return;
      held = { x: event.clientX, y: event.clientY };
      element.setPointerCapture(event.pointerId);
      element.classList.add('held');
    });
    element.addEventListener('pointermove', (event) => {
      if (held === undefined) {
        this.point(event);
        return;
      }
      if (isOverview(this.view)) return;
      const { x, y, scale } = this.view;
      this.move({ x: x - (event.clientX - held.x) / scale, y: y - (event.clientY - held.y) / scale, scale });
      held = { x: event.clientX, y: event.clientY };
    });
    const release = () => {
      held = undefined;
      element.classList.remove('held');
    };
    element.addEventListener('pointerup', release);
    element.addEventListener('pointercancel', release);
    element.addEventListener('click', (event) => this.pick(event));
    element.addEventListener('dblclick', (event) => {
      const node = this.boxOf(event)?.node;
      if (node !== undefined) this.leaveOverview(node, 2);
    });
    element.addEventListener('pointerleave', () => {
      this.hint.hidden = true;
    });
  }

  /** A box that is too far away to be an element is found by where it is. */
  private pick(event: MouseEvent): void {
    if (this.view.scale >= readableScale || this.picture === undefined) return;
    if (isOverview(this.view)) {
      const node = this.boxOf(event)?.node;
      if (node !== undefined) this.handlers.select(node);
      return;
    }
    const { scene } = this.picture;
    const { x, y } = this.at(event);
    const place = scene
      .meeting({ x, y, width: 0, height: 0 })
      .cards.find((card) => meets(scene.rect(card), { x, y, width: 0, height: 0 }));
    if (place === undefined) return;
    const node = scene.shown.node[place];
    if (scene.shown.folded[place] > 0) this.handlers.toggle(node);
    else this.handlers.select(node);
  }

  private boxOf(event: MouseEvent): OverviewBox | undefined {
    if (!isOverview(this.view)) return undefined;
    const { left, top } = this.element.getBoundingClientRect();
    return boxAt(this.overview?.boxes ?? [], event.clientX - left, event.clientY - top);
  }

  private at(event: MouseEvent): { readonly x: number; readonly y: number } {
    const { left, top } = this.element.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return { x: x + (event.clientX - left) / scale, y: y + (event.clientY - top) / scale };
  }

  /** Says which action an edge is of, near the pointer. */
  private point(event: PointerEvent): void {
    const { picture } = this;
    this.hint.hidden = true;
    if (picture === undefined || (event.target as Element).closest('.card, .stub') !== null) return;
    const box = this.boxOf(event);
    if (box !== undefined) {
      const { moment } = picture;
      const text = this.textOf(box.node, box.chain);
      this.showHint(event, `${ending(text, 60)}   ${figures(moment.visits[box.node], moment.q[box.node], null)}`);
      return;
    }
    const { x, y } = this.at(event);
    const { scene, model } = picture;
    const right = scene.orientation === 'right';
    let nearest = { place: -1, distance: 8 / this.view.scale };
    for (const place of this.edges) {
      if (scene.shown.folded[place] > 0) continue;
      const { from, to } = scene.edge(place);
      const [along, across] = right ? [0, 1] : [1, 0];
      const point = [x, y];
      const t = (point[along] - from[along]) / (to[along] - from[along]);
      if (t < 0 || t > 1) continue;
      // The curve's smooth step from one end to the other.
      const where = from[across] + (to[across] - from[across]) * t * t * (3 - 2 * t);
      const distance = Math.abs(point[across] - where);
      if (distance < nearest.distance) nearest = { place, distance };
    }
    if (nearest.place < 0) return;
    const node = scene.firstOf(nearest.place);
    const action = model.action[node];
    const prior = model.prior[node];
    const text = this.details.get(node)?.text;
    const face = { action, label: this.handlers.label(action), token: text };
    if (!this.handlers.named) this.showHint(event, text?.trim() ?? '');
    else this.showHint(event, actionWords(Number.isNaN(prior) ? face : { ...face, probability: prior }));
  }

  /** Near the pointer, and inside the stage. */
  private showHint({ clientX, clientY }: PointerEvent, text: string): void {
    const { hint } = this;
    hint.textContent = text;
    hint.hidden = false;
    const { left, top } = this.element.getBoundingClientRect();
    const x = Math.max(0, Math.min(clientX - left + 12, this.size.width - hint.offsetWidth));
    const y = Math.max(0, Math.min(clientY - top + 12, this.size.height - hint.offsetHeight));
    hint.style.transform = `translate(${x}px, ${y}px)`;
  }
}

function rectOf(picture: Picture | undefined, node: number): Rect | undefined {
  const place = picture?.scene.placeOf(node);
  return place === undefined ? undefined : picture?.scene.rect(place);
}

function meets(a: Rect, b: Rect): boolean {
  return a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height;
}
