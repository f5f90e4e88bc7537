/** Runs by their tags. Knows nothing of the editor. */
import type { ListedRun } from '../../server/protocol/index.ts';
import { tagsOf } from './run-text.ts';

type Noted = Pick<ListedRun, 'note'>;

export interface TagCount {
  readonly tag: string;
  readonly runs: number;
}

/** Every tag with the runs that have it: the most used first, those alike by name. */
export function tagCounts(runs: readonly Noted[]): TagCount[] {
  const counts = new Map<string, number>();
  for (const tag of runs.flatMap(({ note }) => tagsOf(note))) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  const all = [...counts].map(([tag, count]) => ({ tag, runs: count }));
  return all.sort((a, b) => b.runs - a.runs || a.tag.localeCompare(b.tag));
}

/** Runs that have all of the tags. */
export function taggedWith<R extends Noted>(runs: readonly R[], tags: readonly string[]): R[] {
  return runs.filter(({ note }) => {
    const own = new Set(tagsOf(note));
    return tags.every((tag) => own.has(tag));
  });
}
