/** The comparison of runs: which they are, the extension knows; everything else comes from the server. */
import { commands, Disposable } from 'vscode';
import {
  chooseRuns,
  comparedRuns,
  compareSettings,
  compareSubject,
  listRuns,
  openDashboard,
  type RunKey,
  runMetrics,
} from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import type { RunChoice } from '../runs/dashboard.ts';
import type { Studio } from '../studio.ts';
import { PagePanels } from './page-panels.ts';

export function comparePanels(studio: Studio, choice: RunChoice): PagePanels<readonly RunKey[]> {
  return new PagePanels<readonly RunKey[]>(studio, {
    viewType: 'cola.compare',
    page: 'compare',
    subject: comparedRuns,
    nothing: [],
    title: (runs) => (runs.length === 0 ? t('Compare Runs') : t('Compare {0}', runs.map(({ run }) => run).join(', '))),
    key: () => undefined,
    attach(page) {
      const { host } = page;
      host.answer(compareSubject, async () => ({ subject: [...page.subject] }));
      host.answer(chooseRuns, async () => {
        const chosen = await choice.several(page.subject);
        if (chosen.length > 0) page.turnTo(chosen);
        return { subject: [...page.subject] };
      });
      host.answer(compareSettings, (params) => studio.request(compareSettings, params));
      host.answer(runMetrics, (params) => studio.request(runMetrics, params));
      host.answer(listRuns, (params) => studio.request(listRuns, params));
      host.answer(openDashboard, async (key) => {
        await commands.executeCommand('cola.openDashboard', key);
        return {};
      });
      return Disposable.from();
    },
  });
}
