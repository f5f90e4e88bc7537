/** What of a round is learned from: answers that were too long, and groups whose samples do not differ. */
import { type Judged, scoreOf } from './episode.ts';
import type { Numbered } from './starts.ts';

export interface OverlongSettings {
  readonly max_new: number;
  /** Tokens before the longest answer in which an answer loses up to 1 of its reward. */
  readonly overlong_buffer: number;
}

/**
 * Answers with what they lose for being long: nothing up to `max_new - overlong_buffer` tokens, then evenly more, 1 at the
 * longest (DAPO, arXiv 2503.14476, equation 13).
 */
export function shortened(rows: readonly Judged[], { max_new, overlong_buffer }: OverlongSettings): readonly Judged[] {
  if (overlong_buffer === 0) return rows;
  return rows.map((row) => {
    const over = row.tokens.length - (max_new - overlong_buffer);
    const { result } = row;
    if (over <= 0 || 'noScore' in result) return row;
    return { ...row, result: { ...result, value: result.value - Math.min(1, over / overlong_buffer) } };
  });
}

/** Samples of prompts, groups together; `rows[i].group` is the place of its prompt. */
export interface Drawn {
  readonly drawn: readonly Numbered[];
  readonly rows: readonly Judged[];
}

/** Places of the prompts whose samples did not all earn the same. */
export function mixedGroups(rows: readonly Pick<Judged, 'group' | 'result'>[]): ReadonlySet<number> {
  const first = new Map<number, number>();
  const mixed = new Set<number>();
  for (const { group, result } of rows) {
    const score = scoreOf(result);
    if (score === undefined) continue;
    const other = first.get(group);
    if (other === undefined) first.set(group, score);
    else if (other !== score) mixed.add(group);
  }
  return mixed;
}

/** Groups that teach nothing, replaced by as many of the others that do. */
export function replaced(round: Drawn, more: Drawn): Drawn {
  const kept = mixedGroups(round.rows);
  const better = [...mixedGroups(more.rows)].sort((a, b) => a - b);
  const taken = new Map<number, number>();
  for (let place = 0; place < round.drawn.length && better.length > taken.size; place++)
    if (!kept.has(place)) taken.set(place, better[taken.size]);
  const groupOf = ({ rows }: Drawn, group: number) => rows.filter((row) => row.group === group);
  const rows = round.drawn.flatMap((_, place) => {
    const from = taken.get(place);
    return from === undefined ? groupOf(round, place) : groupOf(more, from).map((row) => ({ ...row, group: place }));
  });
  const drawn = round.drawn.map((own, place) => more.drawn[taken.get(place) ?? -1] ?? own);
  return { drawn, rows };
}
