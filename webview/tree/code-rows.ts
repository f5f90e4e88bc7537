/** Rows of the list of codes at a node: codes that write the same token there lead to the same state, and are one row. */
import type { Inspection } from './inspector.ts';

type Code = Inspection['codes'][number];

export interface CodeRow {
  /** Whom the row is about: the most visited child, or else the most probable code. */
  readonly code: Code;
  /** The other codes of the row, the most probable first. */
  readonly others: readonly Code[];
  /** Of all codes of the row together. */
  readonly probability: number;
  readonly share: number;
}

/**
 * The rows, the most probable first.
 *
 * @param unfolded tokens whose codes have a row each
 */
export function codeRows(codes: readonly Code[], unfolded: ReadonlySet<number>): CodeRow[] {
  const groups = new Map<number, Code[]>();
  for (const code of codes) groups.set(code.token, [...(groups.get(code.token) ?? []), code]);
  const total = (group: readonly Code[], of: 'probability' | 'share') => group.reduce((sum, code) => sum + code[of], 0);
  const rows = [...groups.values()].map((group): CodeRow => {
    const [code, ...others] = [...group].sort(
      (a, b) =>
        Number(b.child !== null) - Number(a.child !== null) || b.share - a.share || b.probability - a.probability,
    );
    return { code, others, probability: total(group, 'probability'), share: total(group, 'share') };
  });
  rows.sort((a, b) => b.probability - a.probability);
  return rows.flatMap((row) =>
    unfolded.has(row.code.token)
      ? [row.code, ...row.others].map((code) => ({
          code,
          others: [],
          probability: code.probability,
          share: code.share,
        }))
      : [row],
  );
}
