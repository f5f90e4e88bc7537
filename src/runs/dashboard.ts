/** The pages about runs and actions, and the commands that open them. */
import { type QuickPickItem, window } from 'vscode';
import { z } from 'zod';
import { historyLimits, type ListedRun, type RunKey, runId, runKey } from '../../server/protocol/index.ts';
import { ActionMarks } from '../action-marks.ts';
import { registerCommand } from '../commands.ts';
import { studioErrors } from '../errors.ts';
import { folderWords } from '../folders.ts';
import { t } from '../l10n.ts';
import { actionsPanels } from '../panels/actions-panel.ts';
import { comparePanels } from '../panels/compare-panel.ts';
import type { conversationPanels } from '../panels/conversation-panel.ts';
import { runPanels } from '../panels/run-panel.ts';
import type { Studio } from '../studio.ts';
import { registerBeforeAfter } from './before-after.ts';
import type { Reports } from './report.ts';
import { keyFrom } from './run-key.ts';
import { describeRun } from './run-text.ts';
import type { RunBook } from './runs.ts';

const actionTarget = z.looseObject({ action: z.int().nonnegative() });

export function registerDashboard(
  studio: Studio,
  runs: RunBook,
  reports: Reports,
  conversations: ReturnType<typeof conversationPanels>,
): void {
  const choice = new RunChoice(runs);
  registerBeforeAfter(studio, choice, reports);
  const marks = new ActionMarks(studio);
  const actions = actionsPanels(studio, marks);
  const comparisons = comparePanels(studio, choice);
  const dashboards = runPanels(studio, choice, {
    compare: (keys) => void comparisons.show(keys),
    conversation: (run, sample) => void conversations.show({ kind: 'sample', run, sample }),
  });
  registerCommand(studio, 'cola.openDashboard', async (target) => {
    const key = keyFrom(target) ?? (await choice.one(t('look at')));
    if (key !== undefined) dashboards.show(key);
  });
  registerCommand(studio, 'cola.compareRuns', async (...targets) => {
    const given = targets.flat().flatMap((target) => keyFrom(target) ?? []);
    const keys = given.length > 1 ? given.slice(0, historyLimits.runs) : await choice.several(given);
    if (keys.length > 0) comparisons.show(keys);
  });
  registerCommand(studio, 'cola.showActions', (target) => {
    const action = actionTarget.safeParse(target).data?.action ?? null;
    return actions.show(action);
  });
  registerCommand(studio, 'cola.markActions', (target) =>
    marks.mark(actionTarget.safeParse(target).data?.action ?? null),
  );
  registerCommand(studio, 'cola.markBetterMoves', () => marks.mark(null, true));
  registerCommand(studio, 'cola.clearActionMarks', () => marks.clear());
}

/** Lets a person choose among the runs of the open folders. */
export class RunChoice {
  constructor(private readonly runs: RunBook) {}

  /** @returns undefined where the person chose none. @throws studio.noRun */
  async one(what: string, can: (run: ListedRun) => boolean = () => true): Promise<RunKey | undefined> {
    const items = await this.items(what, can);
    return (
      await window.showQuickPick(items, { placeHolder: t('Which run to {what}?', { what }), matchOnDescription: true })
    )?.key;
  }

  /**
   * @param before those that are ticked at first
   * @returns none where the person thought better of it
   * @throws studio.noRun
   */
  async several(before: readonly RunKey[]): Promise<RunKey[]> {
    const ticked = new Set(before.map(runId));
    const items = (await this.items(t('compare'))).map((item) => ({ ...item, picked: ticked.has(runId(item.key)) }));
    const placeHolder = t('Which runs to compare? Up to {runs}', { runs: historyLimits.runs });
    const chosen = await window.showQuickPick(items, { placeHolder, canPickMany: true, matchOnDescription: true });
    return (chosen ?? []).slice(0, historyLimits.runs).map(({ key }) => key);
  }

  private async items(
    what: string,
    can: (run: ListedRun) => boolean = () => true,
  ): Promise<(QuickPickItem & { readonly key: RunKey })[]> {
    const all = (await this.runs.list()).filter(can);
    if (all.length === 0) throw studioErrors.noRun(what);
    return all.map((run) => ({
      label: run.run,
      description: [describeRun(run, this.runs.progress(run)), ...folderWords(run.root)].join(' · '),
      key: keyOf(run),
    }));
  }
}

const keyOf = ({ root, run }: ListedRun): RunKey => runKey.parse({ root, run });
