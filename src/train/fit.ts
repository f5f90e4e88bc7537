/** What there is to read about a run spec: whether it fits into memory, and what its settings mean. */
import { basename } from 'node:path';
import { ProgressLocation, window } from 'vscode';
import { fitSpec, specDocs } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import type { Reports } from '../runs/report.ts';
import type { Studio } from '../studio.ts';
import { fitReport } from './fit-report.ts';
import { specFrom } from './specs.ts';

export function registerFit(studio: Studio, reports: Reports): void {
  registerCommand(studio, 'cola.willItFit', async (target) => {
    const spec = await specFrom(target);
    if (spec === undefined) return;
    const name = basename(spec.fsPath);
    const title = `Will ${name} fit?`;
    const fit = await window.withProgress(
      { location: ProgressLocation.Notification, title, cancellable: true },
      (_, token) => studio.request(fitSpec, { specFile: spec.fsPath }, token),
    );
    await reports.show('Will it fit', fitReport(name, fit));
  });
  registerCommand(studio, 'cola.specDocs', async () => {
    const { markdown } = await studio.request(specDocs, {});
    await reports.show('Docs of run specs', markdown);
  });
}
