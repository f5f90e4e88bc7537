/** The list of sources that ships with the model. */

import type { PackageReport } from './build.ts';

type Counts = Record<string, { files: number; bytes: number }>;

const summary = (counts: Counts): string =>
  Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, { files, bytes }]) => `${kind} ${files} texts, ${(bytes / 1e6).toFixed(2)} MB`)
    .join('; ');

const table = (reports: readonly PackageReport[]): string =>
  [
    '| package | version | licence | authors | files | bytes |',
    '|---|---|---|---|---:|---:|',
    ...reports.map(
      ({ name, version, licence, authors, files, bytes }) =>
        `| ${name} | ${version} | ${licence} | ${authors.join(', ')} | ${files} | ${bytes} |`,
    ),
  ].join('\n');

/** SOURCES.md: every package with version, licence, authors and how much of it was kept. */
export function sourcesDocument(reports: readonly PackageReport[], train: Counts, heldout: Counts): string {
  const of = (split: PackageReport['split']): PackageReport[] =>
    reports.filter((report) => report.split === split).sort((a, b) => (a.name < b.name ? -1 : 1));
  return `# What \`nano\` was trained on

Written by \`npm run corpus\` from \`scripts/corpus/packages.json\`. All texts are from published npm packages under
permissive licences (MIT, ISC, Apache-2.0, BSD, 0BSD, or a choice that includes one of them). Generated and minified
files, translation tables, change logs, near-duplicates, licence headers and lines that look like credentials or
addresses were left out. The held-out packages are by other authors than the training packages. \`chat\` texts are
countdown and arithmetic problems of this project's own generators; the held-out ones are of their test side.

Training: ${summary(train)}.
Held out: ${summary(heldout)}.

## Training packages

${table(of('train'))}

## Held-out packages

${table(of('heldout'))}
`;
}
