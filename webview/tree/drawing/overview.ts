/**
 * The whole tree where its cards would be too small to read: every box as wide as its share of the visits, beside its parent
 * and within it, so that two thousand nodes fit any room. What hardly anybody visited is too thin to be drawn, and its room
 * stays empty.
 */
import { hueOf } from '../../../server/protocol/figures/hue.ts';
import { fold } from '../folding.ts';
import type { Moment, TreeModel } from '../model.ts';
import type { Orientation } from '../navigation.ts';
import { beginningOf } from '../words.ts';
import type { Colours } from './colours.ts';
import type { Picture } from './drawing.ts';
import type { Rect } from './scene.ts';

/** In pixels of the screen. */
export const smallest = 2;
const widest = 220;
const margin = 12;
const font = 12;
/** A text in a box needs so much room; less would be no text but noise. */
const readable = { width: 34, height: 15 };

export interface OverviewBox extends Rect {
  /** The node that it stands for, the last of its chain, and all that share it. */
  readonly node: number;
  readonly chain: readonly number[];
}

/** Boxes that are not too thin, parents first. @param width of the room, as `height` in pixels */
export function overviewOf(
  model: TreeModel,
  moment: Moment,
  orientation: Orientation,
  width: number,
  height: number,
): OverviewBox[] {
  const nobody = new Set<number>();
  const shown = fold(model, moment, { least: 1, chosen: new Map(), kept: nobody, own: nobody, apart: nobody });
  const right = orientation === 'right';
  const room = (right ? height : width) - 2 * margin;
  const length = (right ? width : height) - 2 * margin;
  const visits = (node: number) => moment.visits[node];
  /** By place: where it begins across, how wide it is, and how many are before it. */
  const spans: { readonly start: number; readonly width: number; readonly depth: number }[] = [];
  /** By place: where its next child begins. */
  const next: number[] = [];
  let deepest = 0;
  for (const [place, parent] of shown.parent.entries()) {
    const [first] = shown.chain[place];
    if (parent < 0) spans.push({ start: 0, width: room, depth: 0 });
    else {
      const above = spans[parent];
      const of = Math.max(1, visits(shown.node[parent]));
      const share = first === undefined ? 0 : Math.min(1, visits(first) / of);
      spans.push({ start: next[parent], width: above.width * share, depth: above.depth + 1 });
      next[parent] += above.width * share;
    }
    next.push(spans[place].start);
    if (spans[place].width >= smallest) deepest = Math.max(deepest, spans[place].depth);
  }
  const step = Math.min(widest, length / (deepest + 1));
  return spans.flatMap(({ start, width: across, depth }, place) => {
    const chain = shown.chain[place];
    if (across < smallest || chain.length === 0) return [];
    const [from, along] = [margin + start, margin + depth * step];
    const rect = right
      ? { x: along, y: from, width: step, height: across }
      : { x: from, y: along, width: across, height: step };
    return [{ ...rect, node: shown.node[place], chain }];
  });
}

/** @param text of a box, as far as it is known */
export function drawOverview(
  canvas: HTMLCanvasElement,
  { model, principal, selected, found }: Picture,
  boxes: readonly OverviewBox[],
  colours: Colours,
  code: string,
  text: (box: OverviewBox) => string,
): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const ratio = devicePixelRatio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = `${font}px ${code}`;
  context.textBaseline = 'middle';
  const letter = context.measureText('m').width;
  for (const box of boxes) {
    const { colour, ink } =
      box.node === 0 ? { colour: colours.raised, ink: colours.text } : hueOf(model.action[box.chain[0]]);
    context.fillStyle = colour;
    context.fillRect(box.x, box.y, box.width - 1, box.height - 1);
    if (box.width < readable.width || box.height < readable.height) continue;
    const words = beginningOf(text(box), Math.floor((box.width - 10) / letter));
    context.fillStyle = ink;
    context.fillText(words, box.x + 4, box.y + Math.min(box.height / 2, 14));
  }
  for (const box of boxes) {
    const marked = box.chain.includes(selected) || box.chain.some((node) => found.has(node));
    if (!marked && !principal.has(box.chain[0])) continue;
    context.strokeStyle = marked ? colours.mark : colours.text;
    context.lineWidth = marked ? 3 : 2;
    context.strokeRect(box.x, box.y, box.width - 1, box.height - 1);
  }
}

/** The box at a point; the one nearest to it within a finger's breadth where there is none. */
export function boxAt(boxes: readonly OverviewBox[], x: number, y: number): OverviewBox | undefined {
  let nearest: OverviewBox | undefined;
  let least = 6;
  for (const box of boxes) {
    const dx = Math.max(box.x - x, 0, x - box.x - box.width);
    const dy = Math.max(box.y - y, 0, y - box.y - box.height);
    const distance = Math.hypot(dx, dy);
    if (distance < least) [nearest, least] = [box, distance];
  }
  return nearest;
}
