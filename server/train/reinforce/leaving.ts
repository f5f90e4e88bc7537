/** Which rows go on when answers have come to their end: half of them or a quarter, and so on, so that few programs are compiled. */
import type { KeptRows } from '../../model/cache/compaction.ts';

/** With fewer rows a product is made another way and rounds differently, and hardly faster. */
const fewestRows = 8;
/** The same of the rows that are multiplied by the prompt that they share. */
const fewestSharers = 2;

/**
 * The rows that go on, filled up with some that are done; undefined as long as more than half of them are needed.
 *
 * @param done of each row, whether it chooses no more
 * @param sharers rows that stand behind one prompt, side by side; 1 where each has its own
 */
export function rowsThatStay(done: readonly boolean[], sharers: number): KeptRows | undefined {
  const live = done.filter((each) => !each).length;
  let target = done.length;
  while (target % 2 === 0 && target / 2 >= Math.max(live, fewestRows)) target /= 2;
  for (; target < done.length; target *= 2) {
    for (let each = sharers; each >= Math.min(sharers, fewestSharers); each /= 2) {
      const rows = target % each === 0 ? inLots(done, sharers, each) : [];
      if (rows.length > 0 && rows.length <= target) {
        const left = Array<number>(target - rows.length).fill(done.indexOf(true));
        return { rows: [...rows, ...left], sharers: each };
      }
      if (each % 2 !== 0) break;
    }
  }
  return undefined;
}

/** The live rows of each prompt in lots of `each`, the last of them filled up with rows of that prompt that are done. */
function inLots(done: readonly boolean[], sharers: number, each: number): number[] {
  const rows: number[] = [];
  for (let first = 0; first < done.length; first += sharers) {
    const group = Array.from({ length: sharers }, (_, i) => first + i);
    const live = group.filter((row) => !done[row]);
    const missing = (each - (live.length % each)) % each;
    rows.push(...live, ...group.filter((row) => done[row]).slice(0, missing));
  }
  return rows;
}
