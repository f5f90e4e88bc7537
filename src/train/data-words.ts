/** What is said of data in the questions of `CoLA: Train…`. Knows nothing of the editor. */
import type { InspectedData, SurveyedFiles } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';

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
const count = (files: number): string => (files === 1 ? t('1 file') : t('{files} files', { files }));

const reasons: Readonly<Record<string, string>> = {
  'data.rowsFile': t('with rows'),
  'data.generatedFile': t('generated'),
  'data.minifiedFile': t('minified'),
  'data.notUtf8': t('not UTF-8'),
  'data.binaryFile': t('binary'),
  'data.emptyFile': t('empty'),
};

/** "about 310 k tokens", "12 400 tokens" */
function tokenWords({ tokens }: SurveyedFiles): string[] {
  if (tokens === null) return [];
  const { count: number, counted } = tokens;
  const about = counted === 'part' || number >= 10_000;
  const text =
    number < 10_000 ? `${number}` : number < 1e6 ? `${Math.round(number / 1e3)} k` : `${(number / 1e6).toFixed(1)} M`;
  const words = number === 1 ? t('1 token') : t('{text} tokens', { text });
  return [about ? t('about {words}', { words }) : words];
}

/** What a folder holds in two lines: files, size and tokens; then languages, and what is left out. */
export function surveyWords(survey: SurveyedFiles): { description: string; detail: string } {
  const { files, bytes, languages, leftOut, complete } = survey;
  if (files === 0) return { description: '', detail: t('No text files were found here.') };
  const description = `${complete ? '' : `${t('More than')} `}${[count(files), size(bytes), ...tokenWords(survey)].join(', ')}`;
  const parts = languages.slice(0, most).map(({ name, files: own }) => `${name} ${own}`);
  const others = leftOut.map(({ reason, files: own }) => `${own} ${reasons[reason] ?? reason}`);
  const detail = [
    parts.join(', '),
    ...(others.length === 0 ? [] : [t('left out: {0}', others.join(', '))]),
    ...(bytes < little && complete ? [t('little to learn from')] : []),
  ].join('; ');
  return { description, detail };
}

/** How many rows of a file cannot be used, in words. */
export function brokenWords({ rows, of }: NonNullable<InspectedData['broken']>): string {
  return t('{rows} of {of} rows cannot be used', { rows, of });
}

/** Which column plays which role, in words. */
export function mapWords(map: Readonly<Record<string, string>>): string {
  // An answer is also what somebody says; this one is compared with.
  const name = (role: string) => (role === 'answer' ? t('right answer') : role);
  return Object.entries(map)
    .map(([role, column]) => (name(role) === column ? column : t('{0} from {1}', name(role), column)))
    .join(', ');
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** A row in two lines: what it asks, and what is to be said and is right. */
export function rowWords({ asks, says, right }: InspectedData['rows'][number]): { label: string; detail: string } {
  const said = oneLine(says);
  const answer = oneLine(right);
  const detail = [
    ...(said === '' ? [] : [said]),
    ...(answer === '' || answer === said ? [] : [t('right: {answer}', { answer })]),
  ];
  return asks === '' ? { label: said, detail: '' } : { label: oneLine(asks), detail: detail.join(' | ') };
}
