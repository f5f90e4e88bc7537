/** What there is to read about a run spec: whether it fits into memory, and what its settings mean. */
import { basename } from 'node:path';
import { ProgressLocation, window } from 'vscode';
import { fitSpec, type ResultOf, specDocs } from '../server/protocol/index.ts';
import { registerCommand } from './commands.ts';
import { escaped } from './markdown.ts';
import { markdownTable, type Reports } from './report.ts';
import { specFrom } from './specs.ts';
import { gigabytes } from './status-text.ts';
import type { Studio } from './studio.ts';

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

/** The most each part takes, against what is free. */
export function fitReport(file: string, { parts, free, fits, source: place }: ResultOf<typeof fitSpec>): string {
  const name = escaped(file);
  const source = escaped(place);
  const most = Math.max(0, ...parts.map(({ bytes }) => bytes));
  const verdict =
    free === null
      ? `Whether ${name} fits is not known: ${source}. It takes **${gigabytes(most)}** at its largest.`
      : fits === true
        ? `${name} **fits**: it takes ${gigabytes(most)} at its largest, and ${gigabytes(free)} are free.`
        : `${name} **does not fit**: it takes ${gigabytes(most)} at its largest, and ${gigabytes(free)} are free.`;
  const rows = parts.map(({ what, bytes }) => [
    what,
    gigabytes(bytes),
    ...(free === null ? [] : [bytes <= free ? 'fits' : 'too much']),
  ]);
  const table = markdownTable([['part', 'memory', ...(free === null ? [] : [''])], ...rows]);
  const remedy =
    fits === false
      ? '\n\nSmaller `batch`, `group`, `length` or `max_new` take less; `accumulate` cuts a batch into parts and changes nothing else.'
      : '';
  return `# Will it fit\n\n${verdict}\n\n${table}\n\nFree: ${source}. Weights, gradients, moments and activations are counted.${remedy}\n`;
}
