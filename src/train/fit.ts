/** What there is to read about a run spec: whether it fits into memory, how long it takes, and what its settings mean. */
import { basename } from 'node:path';
import { type CancellationToken, ProgressLocation, type Uri, window, workspace } from 'vscode';
import { ColaError } from '../../server/protocol/errors.ts';
import { fitSpec, type SpecTime, specDocs, timeSpec } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import { rootOf } from '../folders.ts';
import { t } from '../l10n.ts';
import type { Reports } from '../runs/report.ts';
import type { Studio } from '../studio.ts';
import { fitReport } from './fit-report.ts';
import { specFrom } from './specs.ts';

/** How long the run of a spec takes, tried out where it is not known. A reason in words where that cannot be. */
export async function timeOf(studio: Studio, spec: Uri, token?: CancellationToken): Promise<SpecTime | string | null> {
  if (!workspace.isTrusted) return null;
  try {
    const asked = { root: rootOf(spec), specFile: spec.fsPath, trial: true };
    const { time } = await studio.request(timeSpec, asked, token);
    return time ?? t('its first steps did not end within three minutes');
  } catch (error) {
    if (!(error instanceof ColaError) || error.id === 'protocol.cancelled') throw error;
    return `${error.message} ${error.remedy}`;
  }
}

export function registerFit(studio: Studio, reports: Reports): void {
  registerCommand(studio, 'cola.willItFit', async (target) => {
    const spec = await specFrom(target);
    if (spec === undefined) return;
    const name = basename(spec.fsPath);
    const title = t('Will {name} fit?', { name });
    const [fit, time] = await window.withProgress(
      { location: ProgressLocation.Notification, title, cancellable: true },
      async (progress, token) => {
        const found = await studio.request(fitSpec, { specFile: spec.fsPath }, token);
        progress.report({ message: t('taking its first steps, to see how long it takes') });
        return [found, found.fits === false ? null : await timeOf(studio, spec, token)] as const;
      },
    );
    await reports.show(t('Will it fit'), fitReport(name, fit, time));
  });
  registerCommand(studio, 'cola.specDocs', async () => {
    const { markdown } = await studio.request(specDocs, {});
    await reports.show(t('Docs of run specs'), markdown);
  });
}
