/** Figures and texts as the tree shows them. */
import { nodeFlags } from '../../server/protocol/search.ts';
import type { Moment, TreeModel } from './model.ts';

export const figure = (value: number | null | undefined): string => {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return value.toFixed(digits).replace('-', '−');
};

/** `N 128  Q 0.61  V 0.48`; what is not known is left out. */
export function figures(visits: number, q: number, value: number | null | undefined): string {
  const parts = [`N ${visits}`];
  if (!Number.isNaN(q)) parts.push(`Q ${figure(q)}`);
  if (value !== null && value !== undefined) parts.push(`V ${figure(value)}`);
  return parts.join('  ');
}

/** The end of a text that is too long, on one line. */
export function ending(text: string, most: number): string {
  const line = text.replaceAll('\n', '⏎').replaceAll('\t', '⇥');
  const chars = [...line];
  return chars.length <= most ? line : `…${chars.slice(chars.length - most + 1).join('')}`;
}

/** The beginning of a text that is too long, on one line: of a branch it says where it goes. */
export function beginningOf(text: string, most: number): string {
  const line = text.trimStart().replaceAll('\n', '⏎').replaceAll('\t', '⇥');
  const chars = [...line];
  return chars.length <= most ? line : `${chars.slice(0, most - 1).join('')}…`;
}

/** The largest span of values there was, with 0 and 1 always inside. */
export function valueRange(model: TreeModel): readonly [number, number] {
  let [low, high] = [0, 1];
  for (const values of [model.value, model.reward]) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

/** Where a value lies in a range, 0 to 1. */
export function share(value: number, [low, high]: readonly [number, number]): number {
  return Number.isNaN(value) || high === low ? 0 : Math.min(1, Math.max(0, (value - low) / (high - low)));
}

/** What became of a node, in words. */
export function states(model: TreeModel, id: number): string[] {
  const words = { terminal: 'ended', banned: 'banned', forced: 'forced', unscored: 'no score' } as const;
  return (['terminal', 'banned', 'forced', 'unscored'] as const)
    .filter((name) => model.has(id, nodeFlags[name]))
    .map((name) => words[name]);
}

/**
 * One sentence for a screen reader.
 *
 * @param chain the nodes of the card, the one it stands for last
 * @param chosen what is chosen on the edge to the first of them
 */
export function spoken(
  model: TreeModel,
  moment: Moment,
  chain: readonly number[],
  text: string,
  chosen: string,
): string {
  const id = chain[chain.length - 1];
  const more = chain.length > 1 ? ` and ${chain.length - 1} more in a row` : '';
  const visits = moment.visits[id];
  const known = Number.isNaN(moment.q[id]) ? '' : `, Q ${figure(moment.q[id])}`;
  return [`${chosen}${more}: ${text}`, `${visits} visits${known}`, ...states(model, id)].join('. ');
}
