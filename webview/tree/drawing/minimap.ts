/** The whole tree, small, with the part that is seen; a press or a drag goes there. */
import { hueOf } from '../../../server/protocol/figures/hue.ts';
import { h } from '../../ui/elements.ts';
import type { Colours } from './colours.ts';
import type { Picture } from './drawing.ts';
import { seen, type Viewport } from './viewport.ts';

const size = { width: 180, height: 84 };

export class Minimap {
  readonly element = h('canvas', { class: 'minimap', 'aria-hidden': 'true' });
  /** The tree alone; redrawn only when it changes. */
  private readonly tree = document.createElement('canvas');
  private scale = 1;
  private offset = { x: 0, y: 0 };

  /** @param go brings a point of the plane to the middle of the view */
  constructor(go: (x: number, y: number) => void) {
    const ratio = devicePixelRatio;
    for (const canvas of [this.element, this.tree]) {
      canvas.width = size.width * ratio;
      canvas.height = size.height * ratio;
    }
    const aim = (event: PointerEvent) => {
      if (event.buttons === 0) return;
      go(event.offsetX / this.scale + this.offset.x, event.offsetY / this.scale + this.offset.y);
    };
    this.element.addEventListener('pointerdown', (event) => {
      this.element.setPointerCapture(event.pointerId);
      aim(event);
    });
    this.element.addEventListener('pointermove', aim);
  }

  redraw({ scene, model, principal }: Picture, colours: Colours): void {
    const { bounds } = scene;
    const context = this.tree.getContext('2d');
    if (context === null) return;
    this.scale = Math.min(size.width / Math.max(1, bounds.width), size.height / Math.max(1, bounds.height), 0.2) * 0.94;
    this.offset = {
      x: bounds.x + bounds.width / 2 - size.width / this.scale / 2,
      y: bounds.y + bounds.height / 2 - size.height / this.scale / 2,
    };
    const ratio = devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.tree.width, this.tree.height);
    const zoom = this.scale * ratio;
    context.setTransform(zoom, 0, 0, zoom, -this.offset.x * zoom, -this.offset.y * zoom);
    const least = 1.2 / this.scale;
    for (let place = 0; place < scene.count; place++) {
      if (scene.shown.folded[place] > 0) continue;
      const { x, y, width, height } = scene.rect(place);
      const node = scene.firstOf(place);
      context.fillStyle = node === 0 || principal.has(node) ? colours.text : hueOf(model.action[node]).colour;
      context.fillRect(x, y, Math.max(least, width), Math.max(least, height));
    }
  }

  /** Draws the frame of what is seen, in pixels of the stage. */
  frame(view: Viewport, width: number, height: number, colours: Colours): void {
    const context = this.element.getContext('2d');
    if (context === null) return;
    const ratio = devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.element.width, this.element.height);
    context.drawImage(this.tree, 0, 0);
    const part = seen(view, width, height);
    context.strokeStyle = colours.mark;
    context.lineWidth = ratio;
    const zoom = this.scale * ratio;
    // Of a view that reaches beyond the tree, the frame stays inside.
    const inside = (value: number, most: number) => Math.min(most - ratio, Math.max(ratio, value));
    const x = (at: number) => inside((at - this.offset.x) * zoom, this.element.width);
    const y = (at: number) => inside((at - this.offset.y) * zoom, this.element.height);
    const [left, top] = [x(part.x), y(part.y)];
    context.strokeRect(left, top, x(part.x + part.width) - left, y(part.y + part.height) - top);
  }
}
