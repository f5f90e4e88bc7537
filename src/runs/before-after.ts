/** `CoLA: Compare Before and After…`: the same prompts by the model before a run and by the one that it made. */
import { ProgressLocation, window } from 'vscode';
import { beforeAfter } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import { needTrust } from '../folders.ts';
import { t } from '../l10n.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { beforeAfterReport } from './before-after-report.ts';
import type { RunChoice } from './dashboard.ts';
import type { Reports } from './report.ts';
import { keyFrom } from './run-key.ts';

export function registerBeforeAfter(studio: Studio, choice: RunChoice, reports: Reports): void {
  registerCommand(studio, 'cola.compareBeforeAfter', async (target) => {
    needTrust(t('A measurement'));
    const key = keyFrom(target) ?? (await choice.one(t('compare'), ({ done }) => done));
    if (key === undefined) return;
    const threads = setting('cola.threads');
    const params = { ...key, device: setting('cola.device'), ...(threads > 0 ? { threads } : {}) };
    const title = t('{run}: before and after', { run: key.run });
    const options = { location: ProgressLocation.Notification, title, cancellable: true };
    const compared = await window.withProgress(options, async (progress, token) =>
      studio.request(beforeAfter, params, token, ({ text }) => progress.report({ message: text })),
    );
    await reports.show(t('{run} before and after', { run: key.run }), beforeAfterReport(key.run, compared));
  });
}
