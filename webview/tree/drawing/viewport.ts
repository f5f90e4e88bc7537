/** What part of the plane is seen, and how large. */
import type { Orientation } from '../navigation.ts';
import type { Rect } from './scene.ts';

export interface Viewport {
  /** The point of the plane at the left upper corner. */
  readonly x: number;
  readonly y: number;
  /** Pixels of the screen for one of the plane. */
  readonly scale: number;
}

export const scales = { least: 0.03, most: 2 };
/** Below, cards are too small to be read and are drawn as boxes. */
export const readableScale = 0.5;

/** Further away than this the whole tree is shown as an overview, and no card of it. */
export const overviewScale = 0.2;

/** Cards are read without effort from here on. */
const comfortableScale = 0.7;

export const clampScale = (scale: number): number => Math.min(scales.most, Math.max(scales.least, scale));

export const isOverview = ({ scale }: Viewport): boolean => scale < overviewScale;

export function seen({ x, y, scale }: Viewport, width: number, height: number): Rect {
  return { x, y, width: width / scale, height: height / scale };
}

/** Larger or smaller by a factor, while the point under the pointer stays where it is. */
export function zoomed(view: Viewport, factor: number, pointer: { readonly x: number; readonly y: number }): Viewport {
  const wanted = clampScale(view.scale * factor);
  // There is nothing between the overview and what can be made out.
  const scale = wanted < overviewScale ? scales.least : wanted;
  return {
    x: view.x + pointer.x / view.scale - pointer.x / scale,
    y: view.y + pointer.y / view.scale - pointer.y / scale,
    scale,
  };
}

/** Moved as little as needed for the rectangle to be seen, with a margin. */
export function revealing(view: Viewport, rect: Rect, width: number, height: number, margin = 24): Viewport {
  const part = seen(view, width, height);
  const shift = (from: number, length: number, start: number, room: number) => {
    if (length + 2 * margin > room) return from + length / 2 - room / 2 - start;
    return Math.min(0, from - margin - start) + Math.max(0, from + length + margin - start - room);
  };
  return {
    x: view.x + shift(rect.x, rect.width, part.x, part.width),
    y: view.y + shift(rect.y, rect.height, part.y, part.height),
    scale: view.scale,
  };
}

/** All of the rectangle, but no larger than life. */
export function fitting(rect: Rect, width: number, height: number, margin = 24): Viewport {
  const scale = clampScale(Math.min(1, (width - 2 * margin) / rect.width, (height - 2 * margin) / rect.height));
  return {
    x: rect.x + rect.width / 2 - width / scale / 2,
    y: rect.y + rect.height / 2 - height / scale / 2,
    scale,
  };
}

/** A rectangle in the middle, large enough to be read. */
export function reading(rect: Rect, width: number, height: number): Viewport {
  const scale = comfortableScale;
  return {
    x: rect.x + rect.width / 2 - width / scale / 2,
    y: rect.y + rect.height / 2 - height / scale / 2,
    scale,
  };
}

/**
 * The first rectangle with as many of the next as can be read at once: all of them if that is possible, else fewer, and at
 * the least the first two as small as can just be read. Where even these lie too far apart, the second is in the middle.
 */
export function beginning(
  chain: readonly Rect[],
  width: number,
  height: number,
  orientation: Orientation,
  margin = 24,
): Viewport {
  for (let count = chain.length; count > 0; count--) {
    const whole = around(chain.slice(0, count));
    const view = fitting(whole, width, height, margin);
    if (view.scale < (count > 2 ? comfortableScale : readableScale)) continue;
    // What is left of the room is for what comes after, not before.
    const start = margin / view.scale;
    if (count === 1 && chain.length > 1) break;
    return orientation === 'right' ? { ...view, x: whole.x - start } : { ...view, y: whole.y - start };
  }
  const { x, y, width: across, height: along } = chain[1] ?? chain[0];
  const scale = readableScale;
  return { x: x + across / 2 - width / scale / 2, y: y + along / 2 - height / scale / 2, scale };
}

function around(rects: readonly Rect[]): Rect {
  const x = Math.min(...rects.map((rect) => rect.x));
  const y = Math.min(...rects.map((rect) => rect.y));
  return {
    x,
    y,
    width: Math.max(...rects.map((rect) => rect.x + rect.width)) - x,
    height: Math.max(...rects.map((rect) => rect.y + rect.height)) - y,
  };
}
