/** The actions page's side in the extension. */
import { dirname, join } from 'node:path';
import { Disposable, workspace } from 'vscode';
import {
  type ActionsSubject,
  actionAsked,
  actionHistory,
  actionProfiles,
  actionsSubject,
  historyWithYou,
  makeProfiles,
  markActions,
  readActionsSubject,
  turnToAction,
} from '../../server/protocol/index.ts';
import type { ActionMarks } from '../action-marks.ts';
import { startCola } from '../cola-task.ts';
import { t } from '../l10n.ts';
import { askText } from '../runs/evaluate.ts';
import { rootsOfWorkspace } from '../runs/runs.ts';
import { actionsArguments } from '../runs/task-arguments.ts';
import { setting } from '../settings.ts';
import { absoluteModel, type Studio } from '../studio.ts';
import { PagePanels } from './page-panels.ts';

export interface ActionsPanels {
  /** @param action that is shown large; null for all of them */
  show(action: number | null): void;
}

export function actionsPanels(studio: Studio, marks: ActionMarks): ActionsPanels {
  const modelOf = (subject: ActionsSubject) => subject.model ?? studio.status?.model ?? setting('cola.model');
  const panels = new PagePanels<ActionsSubject>(studio, {
    viewType: 'cola.actions',
    page: 'actions',
    subject: actionsSubject,
    nothing: { model: null, action: null },
    title: ({ action }) => (action === null ? t('Latent Actions') : t('Latent Action {action}', { action })),
    // One page, whatever it shows.
    key: () => 'actions',
    attach(page) {
      const { host } = page;
      host.answer(readActionsSubject, async () => ({ ...page.subject, model: modelOf(page.subject) }));
      host.answer(turnToAction, async ({ action }) => {
        page.turnTo({ ...page.subject, action });
        return {};
      });
      host.answer(actionProfiles, (params) => studio.request(actionProfiles, params));
      host.answer(historyWithYou, async ({ action }) => {
        const roots = workspace.isTrusted ? rootsOfWorkspace() : [];
        const asked = roots.map((root) => studio.request(actionHistory, { root, action }));
        const found = await Promise.all(asked);
        const sum = (of: 'shown' | 'accepted' | 'rejected') => found.reduce((n, each) => n + each[of], 0);
        const history = { shown: sum('shown'), accepted: sum('accepted'), rejected: sum('rejected') };
        return { history: history.shown + history.accepted + history.rejected === 0 ? null : history };
      });
      host.answer(markActions, async ({ action }) => {
        await marks.mark(action);
        return {};
      });
      host.answer(makeProfiles, async () => {
        const model = absoluteModel(modelOf(page.subject));
        // A run knows what it held out.
        const ofRun = rootsOfWorkspace().some((root) => dirname(dirname(model)) === join(root, '.cola', 'runs'));
        const text = ofRun ? undefined : await askText(t('Latent actions'));
        if (ofRun || text !== undefined) {
          const args = (cola: string) => actionsArguments(cola, model, text);
          await startCola(studio, {
            kind: 'actions',
            name: t('measure latent actions'),
            what: t('Measuring latent actions'),
            args,
          });
        }
        return {};
      });
      return Disposable.from();
    },
  });
  return {
    show(action) {
      const known = panels.pages.length > 0;
      const page = panels.show({ model: null, action });
      if (known && action !== null) {
        page.turnTo({ ...page.subject, action });
        page.host.tell(actionAsked, { action });
      }
    },
  };
}
