/** The questions of `CoLA: Train…` about data: which files of a folder, and how the rows of a file are read. */
import { ProgressLocation, type QuickPickItem, QuickPickItemKind, window } from 'vscode';
import { type InspectedData, inspectData, type SurveyedFiles, surveyFiles } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { openPlace, placeOf } from '../runs/place.ts';
import type { Studio } from '../studio.ts';
import { brokenWords, mapWords, rowWords } from './data-words.ts';
import type { DataChoice } from './spec-templates.ts';

type FileChoice = Extract<DataChoice, { kind: 'file' }>;

/** What training would read of a folder, in tokens of a model. @throws studio.down, data.* */
export async function surveyOf(studio: Studio, root: string, model: string): Promise<SurveyedFiles> {
  const title = t('Looking for text to learn from');
  return window.withProgress({ location: ProgressLocation.Window, title }, () =>
    studio.request(surveyFiles, { root, model }),
  );
}

/**
 * Shows the first rows of a file and how they are read, and lets the person say otherwise.
 *
 * @param file where it is on disk
 * @param path as the spec names it
 * @returns undefined where the person broke off
 * @throws studio.down; data.* where the file cannot be read
 */
export async function askRows(studio: Studio, file: string, path: string): Promise<FileChoice | undefined> {
  const { inspection } = await studio.request(inspectData, { file });
  if (inspection === null) return { kind: 'file', path };
  const { shape, map, implied, rewards, broken } = inspection;
  const skipBadRows = broken === null ? false : await askBroken(broken, file, path);
  if (skipBadRows === undefined) return undefined;
  const accept = async (): Promise<FileChoice> => ({
    kind: 'file',
    path,
    rewards,
    skipBadRows,
    ...(implied ? { note: t('read as {0}: {1}', shape ?? t('follows'), mapWords(map)) } : { columns: map }),
  });
  type Item = QuickPickItem & { readonly value?: () => Promise<FileChoice | undefined> };
  const items: Item[] = [
    { label: t('$(check) Read as {0}', shape ?? t('follows')), detail: mapWords(map), value: accept },
    {
      label: t('$(list-selection) Choose the columns…'),
      detail: inspection.columns.join(', '),
      value: async () => {
        const chosen = await askColumns(inspection, path);
        return chosen === undefined ? undefined : { ...chosen, skipBadRows };
      },
    },
    { label: t('First rows'), kind: QuickPickItemKind.Separator },
    ...inspection.rows.map((row): Item => ({ ...rowWords(row), value: accept })),
  ];
  const title = t('Train: the rows of {path}', { path });
  const chosen = await window.showQuickPick(items, { title, placeHolder: t('Are the rows read as they are meant?') });
  return chosen?.value?.();
}

/** Whether rows that cannot be used are left out; undefined where the person goes to mend them, or broke off. */
async function askBroken(
  broken: NonNullable<InspectedData['broken']>,
  file: string,
  path: string,
): Promise<boolean | undefined> {
  const place = placeOf(broken.first);
  const leaveOut = { label: t('$(exclude) Leave them out, and count them'), detail: 'skip_bad_rows: true', skip: true };
  // The list shows the beginning of a sentence: that is not to be a path.
  const detail = broken.first.replace(`${file}, `, '');
  const open = {
    label: t('$(go-to-file) Open line {line} and correct it', { line: place?.line ?? 0 }),
    detail,
    skip: false,
  };
  const title = t('Train: {0} in {1}', brokenWords(broken), path);
  const items = [leaveOut, ...(place === undefined ? [] : [open])];
  const chosen = await window.showQuickPick(items, { title, placeHolder: t('What should become of them?') });
  if (chosen === open && place !== undefined) await openPlace(place);
  return chosen?.skip === true ? true : undefined;
}

const none = t('None');

/** Asks which column asks, which one is said, and which one is right. */
async function askColumns({ columns }: InspectedData, path: string): Promise<FileChoice | undefined> {
  const ask = (placeHolder: string, optional: boolean) =>
    window.showQuickPick(
      [
        ...(optional ? [{ label: none, column: undefined }] : []),
        ...columns.map((column) => ({ label: column, column })),
      ],
      { title: t('Train: the columns of {path}', { path }), placeHolder },
    );
  const prompt = await ask(t('Which column has the prompt?'), false);
  if (prompt === undefined) return undefined;
  const response = await ask(t('Which column has the response to learn?'), true);
  if (response === undefined) return undefined;
  const answer = await ask(t('Which column has the right answer, for a reward to compare with?'), true);
  if (answer === undefined) return undefined;
  const chosen = { prompt: prompt.column, response: response.column, answer: answer.column };
  const named = Object.entries(chosen).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { kind: 'file', path, columns: Object.fromEntries(named) };
}
