/** How much of what was accepted is still there. Knows nothing of the editor. */

const words = (text: string) => text.match(/[\p{L}\p{N}_$]+|[^\s\p{L}\p{N}_$]/gu) ?? [];

/** Share of the accepted text's words and signs, by characters, that the text has in the same order, 0 to 1. */
export function survival(accepted: string, now: string): number {
  if (now.includes(accepted)) return 1;
  const wanted = words(accepted);
  const there = words(now);
  const total = wanted.reduce((n, { length }) => n + length, 0);
  if (total === 0) return 1;
  // Heaviest common subsequence, one row at a time.
  let row = new Array<number>(there.length + 1).fill(0);
  for (const word of wanted) {
    const next = [0];
    for (const [j, other] of there.entries())
      next.push(Math.max(row[j + 1], next[j], other === word ? row[j] + word.length : 0));
    row = next;
  }
  return Math.min(1, row[there.length] / total);
}
