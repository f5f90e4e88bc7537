/** Rows of the list of actions: codes that would write the same here are one choice, and one row. Knows nothing of the editor. */
import type { CodePreview } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';

export interface ActionRow {
  /** The most probable code of the row, which it is named by. */
  readonly preview: CodePreview;
  /** Of all codes of the row together. */
  readonly probability: number;
  /** The other codes of the row, the most probable first. */
  readonly others: readonly CodePreview[];
}

/** The rows, the most probable first. Every code is in one of them. */
export function foldedRows(previews: readonly CodePreview[]): ActionRow[] {
  const groups = new Map<number, CodePreview[]>();
  for (const preview of previews) groups.set(preview.like, [...(groups.get(preview.like) ?? []), preview]);
  const rows = [...groups.values()].map((group): ActionRow => {
    const [preview, ...others] = [...group].sort(
      (a, b) => Number(b.action === b.like) - Number(a.action === a.like) || b.probability - a.probability,
    );
    return { preview, probability: group.reduce((sum, each) => sum + each.probability, 0), others };
  });
  return rows.sort((a, b) => b.probability - a.probability);
}

/** `also 4 9`: which other codes write the same. Their numbers find the row. */
export function otherCodes(others: readonly CodePreview[]): string {
  return others.length === 0 ? '' : t('also {0}', others.map(({ action }) => action).join(' '));
}
