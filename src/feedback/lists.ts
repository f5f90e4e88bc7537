/** Feedback and policy versions as lists one can search, with what can be done to each row. */
import { ConfigurationTarget, type QuickInputButton, type QuickPickItem, ThemeIcon, window, workspace } from 'vscode';
import {
  chooseVersion,
  correctFeedback,
  eraseFeedback,
  type FeedbackItem,
  type ListedVersion,
  listFeedback,
  listVersions,
} from '../../server/protocol/index.ts';
import { reportFailure } from '../commands.ts';
import { t } from '../l10n.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';

const button = (icon: string, tooltip: string): QuickInputButton => ({ iconPath: new ThemeIcon(icon), tooltip });
const good = button('thumbsup', t('This was good: reward 1'));
const bad = button('thumbsdown', t('This was bad: reward -1'));
const back = button('discard', t('Take the correction back'));
const away = button('trash', t('Delete the whole entry for good'));
const pin = button('pin', t('Use this version and pin it: nothing replaces it'));
const unpin = button('pinned', t('Unpin'));

const line = (text: string) => text.replaceAll('\n', '⏎').trim();

type FeedbackPick = QuickPickItem & { readonly item: FeedbackItem; readonly index: number };

function rowsOf(item: FeedbackItem): FeedbackPick[] {
  return item.alternatives.flatMap(({ text, actions, outcome, reward, corrected }, index) => {
    if (outcome === '' && !corrected) return [];
    const value =
      reward === null
        ? t('not judged')
        : corrected
          ? t('corrected to {0}', reward.toFixed(2))
          : t('reward {0}', reward.toFixed(2));
    return [
      {
        label: line(text),
        description: t('{0} · {1} · action {2} · {3}', outcome, value, actions[0] ?? '-', item.version),
        detail: `${new Date(item.at).toLocaleString()}   …${line(item.before.slice(-80))}`,
        buttons: [good, bad, ...(corrected ? [back] : []), away],
        item,
        index,
      },
    ];
  });
}

/** What feedback is, for whoever does not record any. */
const turnOn: QuickPickItem = {
  label: t('$(record) Record what I do with completions'),
  detail: t(
    'On this computer alone, so that the policy can be tuned from what you accept and reject. Nothing is recorded now.',
  ),
  alwaysShow: true,
};

/** Everything that was recorded, newest first: to read, filter by typing, correct and delete. */
export async function showFeedback(studio: Studio, root: string): Promise<void> {
  const pick = window.createQuickPick<FeedbackPick | typeof turnOn>();
  pick.title = t('Feedback');
  pick.matchOnDescription = true;
  pick.matchOnDetail = true;
  const load = async () => {
    const { items, count, bytes } = await studio.request(listFeedback, { root, limit: 1000 });
    pick.placeholder =
      count === 0
        ? t('Nothing is recorded here yet.')
        : t('{0} entries, {1} kB. Type to filter; the buttons correct and delete.', count, (bytes / 1000).toFixed(1));
    pick.items = [...(setting('cola.feedback.enabled') ? [] : [turnOn]), ...items.flatMap(rowsOf)];
  };
  pick.onDidAccept(async () => {
    if (!pick.selectedItems.includes(turnOn)) return;
    try {
      await workspace.getConfiguration().update('cola.feedback.enabled', true, ConfigurationTarget.Global);
      await load();
    } catch (error) {
      await reportFailure(studio, error);
    }
  });
  pick.onDidTriggerItemButton(async ({ item: row, button: pressed }) => {
    if (!('item' in row)) return;
    const { item, index } = row;
    try {
      if (pressed === away) await studio.request(eraseFeedback, { root, moments: [item.id] });
      else {
        const reward = pressed === good ? 1 : pressed === bad ? -1 : null;
        await studio.request(correctFeedback, { root, moment: item.id, alternative: index, reward });
      }
      await load();
    } catch (error) {
      await reportFailure(studio, error);
    }
  });
  pick.onDidHide(() => pick.dispose());
  pick.show();
  await load();
}

const share = (x: number | null) => (x === null ? '-' : `${(100 * x).toFixed(0)} %`);

type VersionRow = QuickPickItem & { readonly id: string };

function versionRow(
  { id, at, acceptance, moments, verdict, why, parent }: ListedVersion,
  current: string,
  pinned: boolean,
): VersionRow {
  const own = id === current;
  const kept = verdict !== 'refused';
  // Of too little a share says nothing.
  const judged =
    verdict === 'unjudged' ? '' : t(' · acceptance {0} → {1}', share(acceptance.before), share(acceptance.after));
  return {
    id,
    label: `${own ? '$(check) ' : kept ? '' : '$(error) '}${id}`,
    description: t('{0} · from {1} · {2} moments{3}', new Date(at).toLocaleString(), parent, moments, judged),
    detail: kept ? why : t('Refused. {why}', { why }),
    buttons: kept ? [own && pinned ? unpin : pin] : [],
  };
}

/** Policy versions, newest first: Enter puts one in use, the button pins it. @returns whether another one is in use */
export async function showVersions(studio: Studio, root: string): Promise<boolean> {
  const { current, pinned, versions } = await studio.request(listVersions, { root });
  const pick = window.createQuickPick<VersionRow>();
  pick.title = t('Policy versions');
  pick.placeholder = t('Enter puts a version in use. What was refused can only be read.');
  const original: VersionRow = {
    id: 'original',
    label: `${current === 'original' ? '$(check) ' : ''}original`,
    description: t("the model's own policy, before anything was learned from feedback"),
    buttons: [current === 'original' && pinned ? unpin : pin],
  };
  pick.items = [...versions.toReversed().map((version) => versionRow(version, current, pinned)), original];
  const done = new Promise<boolean>((resolve) => {
    const choose = async (version: string, pinning: boolean) => {
      try {
        await studio.request(chooseVersion, { root, version, pinned: pinning });
        resolve(true);
      } catch (error) {
        await reportFailure(studio, error);
      }
      pick.hide();
    };
    pick.onDidAccept(() => {
      const [row] = pick.selectedItems;
      if (row !== undefined) void choose(row.id, pinned && row.id === current);
    });
    pick.onDidTriggerItemButton(({ item, button: pressed }) => void choose(item.id, pressed === pin));
    pick.onDidHide(() => {
      pick.dispose();
      resolve(false);
    });
  });
  pick.show();
  return done;
}
