/** What is said of data in the questions of `CoLA: Train…`. Knows nothing of the editor. */
import type { InspectedData, SurveyedFiles } from '../../server/protocol/index.ts';

/** Patterns that are proposed, and the share of all text from which on a language is among them. */
const most = 6;
const share = 0.02;
/** Less text than this teaches little. */
const little = 50_000;

/** Patterns of the languages that make up a folder; none where it has no text. */
export function proposedGlobs({ languages, bytes }: SurveyedFiles): string[] {
  return languages
    .filter((language) => language.bytes >= share * bytes)
    .slice(0, most)
    .map(({ glob }) => glob);
}

const size = (bytes: number): string =>
  bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
const count = (files: number): string => `${files} ${files === 1 ? 'file' : 'files'}`;

const reasons: Readonly<Record<string, string>> = {
  'data.rowsFile': 'with rows',
  'data.generatedFile': 'generated',
  'data.minifiedFile': 'minified',
  'data.notUtf8': 'not UTF-8',
  'data.binaryFile': 'binary',
  'data.emptyFile': 'empty',
};

/** Files, size and languages of a folder, and what is left out. */
export function surveyWords({ files, bytes, languages, leftOut, complete }: SurveyedFiles): string {
  if (files === 0) return 'No text files were found here.';
  const parts = languages.slice(0, most).map(({ name, files: own }) => `${name} ${own}`);
  const others = leftOut.map(({ reason, files: own }) => `${own} ${reasons[reason] ?? reason}`);
  return [
    `${complete ? '' : 'More than '}${count(files)}, ${size(bytes)}: ${parts.join(', ')}`,
    ...(others.length === 0 ? [] : [`left out: ${others.join(', ')}`]),
    ...(bytes < little && complete ? ['little to learn from'] : []),
  ].join('; ');
}

/** Which column plays which role, in words. */
export function mapWords(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([role, column]) => (role === column ? role : `${role} from ${column}`))
    .join(', ');
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** A row in two lines: what it asks, and what is to be said and is right. */
export function rowWords({ asks, says, right }: InspectedData['rows'][number]): { label: string; detail: string } {
  const said = oneLine(says);
  const answer = oneLine(right);
  const detail = [...(said === '' ? [] : [said]), ...(answer === '' || answer === said ? [] : [`right: ${answer}`])];
  return asks === '' ? { label: said, detail: '' } : { label: oneLine(asks), detail: detail.join(' | ') };
}
