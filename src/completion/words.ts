/** Latent actions and modes in words, the same in status bar, list, and hover. */
import type { ActionControl, Status } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { escaped } from '../markdown.ts';

/** What is known of an action: its label, and what it wrote or would write where it was seen last. */
export interface Named {
  readonly label: string | null;
  readonly text: string;
}
export type Names = (action: number) => Named;

export const percent = (probability: number) => {
  const value = 100 * probability;
  if (value > 0 && value < 1) return '<1 %';
  return `${value > 99 && value < 100 ? 99 : Math.round(value)} %`;
};

/** `17 declare const`; where it has no label what it writes, then its number: `"const total" 17`. */
export function actionName(action: number, label: string | null, writes = ''): string {
  if (label !== null && label !== '') return `${action} ${label}`;
  const text = oneLine(writes, 16);
  return text === '' ? `${action}` : `"${text}" ${action}`;
}

/** One line of an editor: no line breaks, no more than `most` characters. */
export function oneLine(text: string, most = 80): string {
  const flat = text.trim().replace(/\s+/g, (blank) => (blank.includes('\n') ? ' ⏎ ' : blank));
  return flat.length <= most ? flat : `${flat.slice(0, most - 1)}…`;
}

/** `Pinned: 17 declare const`, `Sequence: 17 3 3 41`, `Banned: 5`, `Free`. */
export function modeOf(control: ActionControl, names: Names): string {
  switch (control.mode) {
    case 'free':
      return t('Free');
    case 'pinned':
      return t('Pinned: {0}{1}', named(control.action, names), without(control.banned));
    case 'sequence':
      return t('Sequence: {0}{1}', control.actions.join(' '), without(control.banned));
    case 'banned':
      return t('Banned: {0}', control.actions.join(' '));
  }
}

const named = (action: number, names: Names) => {
  const { label, text } = names(action);
  return actionName(action, label, text);
};

const without = (banned: readonly number[] = []) =>
  banned.length === 0 ? '' : ` · ${t('Banned: {0}', banned.join(' '))}`;

/** The mode as Markdown: labels come with a model, and count as text. */
export function modeMarkdown(control: ActionControl, names: Names): string {
  return t('Latent actions: **{0}**. Click to pick one.', escaped(modeOf(control, names)));
}

const modeIcons = { free: '', pinned: '$(pinned) ', sequence: '$(list-ordered) ', banned: '$(circle-slash) ' } as const;

/**
 * What the second item of the status bar says of the ghost text: `◆ 17 declare const · 31 % · 2/8`; where other files have more to do
 * with its beginning than the model, that in place of the probability.
 */
export function ghostText(
  control: ActionControl,
  shown: {
    readonly action: number;
    readonly label: string | null;
    readonly probability: number;
    readonly text?: string;
    readonly files?: true | undefined;
  },
  position: { readonly at: number; readonly of: number } | undefined,
): string {
  const why = shown.files === true ? t('other files') : percent(shown.probability);
  const parts = [`◆ ${actionName(shown.action, shown.label, shown.text)}`, why];
  if (position !== undefined) parts.push(`${position.at}/${position.of}`);
  return modeIcons[control.mode] + parts.join(' · ');
}

/** And without ghost text: the mode, until it is free again; empty then. */
export function modeText(control: ActionControl, names: Names): string {
  if (control.mode === 'free') return '';
  const text = modeOf(control, names);
  return modeIcons[control.mode] + oneLine(text, 40);
}

/** Why a completion takes long, in words. */
export function reasonToWait(status: Pick<Status, 'lane' | 'loading'> | undefined): string {
  if (status?.loading != null) return t('waiting for the model');
  if (status?.lane === 'train') return t('waiting for the training step');
  return status?.lane === 'search' ? t('waiting for the search') : t('completing');
}
