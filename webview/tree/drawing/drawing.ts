/** Edges, and cards too small to be read, on a canvas. */

import { hueOf } from '../../../server/protocol/figures/hue.ts';
import { nodeFlags } from '../../../server/protocol/search.ts';
import type { Moment, TreeModel } from '../model.ts';
import { beginningOf, share } from '../words.ts';
import type { Colours } from './colours.ts';
import type { Scene } from './scene.ts';
import { readableScale, seen, type Viewport } from './viewport.ts';

export interface Picture {
  readonly model: TreeModel;
  readonly moment: Moment;
  readonly scene: Scene;
  readonly principal: ReadonlySet<number>;
  readonly found: ReadonlySet<number>;
  readonly selected: number;
  readonly range: readonly [number, number];
}

/** Of an edge, in pixels of the plane; its square is what the visits add. */
export function edgeWidth(visits: number, most: number): number {
  return 1 + 6 * Math.sqrt(visits / Math.max(1, most));
}

/** Of texts in boxes, in pixels of the screen: one that is smaller is not read. */
const boxFont = 11;

/**
 * @param text of the card at a place, as far as it is known
 * @returns places whose edges were drawn
 */
export function draw(
  canvas: HTMLCanvasElement,
  picture: Picture,
  view: Viewport,
  colours: Colours,
  code: string,
  text: (place: number) => string,
): readonly number[] {
  const context = canvas.getContext('2d');
  if (context === null) return [];
  const { model, moment, scene } = picture;
  const ratio = devicePixelRatio;
  const [width, height] = [canvas.width / ratio, canvas.height / ratio];
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const zoom = ratio * view.scale;
  context.setTransform(zoom, 0, 0, zoom, -view.x * zoom, -view.y * zoom);
  const { cards, edges } = scene.meeting(seen(view, width, height));
  const thin = 1 / view.scale;
  const right = scene.orientation === 'right';
  for (const place of edges) {
    const stub = scene.shown.folded[place] > 0;
    const node = scene.firstOf(place);
    const banned = !stub && model.has(node, nodeFlags.banned);
    const { from, to } = scene.edge(place);
    const middle = right ? (from[0] + to[0]) / 2 : (from[1] + to[1]) / 2;
    context.beginPath();
    context.moveTo(from[0], from[1]);
    if (view.scale < 0.15) context.lineTo(to[0], to[1]);
    else if (right) context.bezierCurveTo(middle, from[1], middle, to[1], to[0], to[1]);
    else context.bezierCurveTo(from[0], middle, to[0], middle, to[0], to[1]);
    context.lineWidth = Math.max(thin, stub ? 1 : edgeWidth(moment.visits[node], moment.visits[0]));
    context.strokeStyle = stub || banned ? colours.soft : hueOf(model.action[node]).colour;
    context.setLineDash(stub || banned ? [4, 4] : []);
    context.stroke();
  }
  context.setLineDash([]);
  if (view.scale >= readableScale) return edges;
  context.font = `${boxFont / view.scale}px ${code}`;
  context.textBaseline = 'top';
  const letter = context.measureText('m').width;
  for (const place of cards) {
    box(context, picture, place, thin, colours);
    const { x, y, width, height } = scene.rect(place);
    const most = Math.floor((width - 28) / letter);
    // Above the bar.
    if (scene.shown.folded[place] > 0 || most < 4 || (height - 30) * view.scale < boxFont + 2) continue;
    context.fillStyle = colours.text;
    context.fillText(beginningOf(text(place), most), x + 22, y + 3 / view.scale);
  }
  return edges;
}

/** A card as a box with its value as a bar: what is left of it when it is far away. */
function box(
  context: CanvasRenderingContext2D,
  { model, moment, scene, principal, found, selected, range }: Picture,
  place: number,
  thin: number,
  colours: Colours,
): void {
  const { x, y, width, height } = scene.rect(place);
  const node = scene.shown.node[place];
  context.lineWidth = thin;
  context.strokeStyle = colours.line;
  if (scene.shown.folded[place] > 0) {
    context.strokeRect(x, y, width, height);
    return;
  }
  context.fillStyle = colours.raised;
  context.fillRect(x, y, width, height);
  const hue = node === 0 ? colours.soft : hueOf(model.action[scene.firstOf(place)]).colour;
  context.fillStyle = hue;
  context.fillRect(x, y, 14, height);
  const bar = share(moment.q[node], range);
  if (bar > 0) context.fillRect(x + 24, y + height - 26, bar * (width - 34), 16);
  const best = principal.has(scene.firstOf(place));
  const strong = node === selected || best || found.has(node);
  if (strong) {
    context.strokeStyle = node === selected || found.has(node) ? colours.mark : colours.text;
    context.lineWidth = (node === selected ? 3 : 2) * thin;
  }
  context.strokeRect(x, y, width, height);
}
