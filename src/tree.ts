/** Commands that open the tree explorer: on a search there is, or on a text to begin from. */
import { Position, Range, type TextEditor, window } from 'vscode';
import { z } from 'zod';
import { searchKey, type TreeDraft, treeDraft } from '../server/protocol/index.ts';
import { registerCommand } from './commands.ts';
import { studioErrors } from './errors.ts';
import { folderWords, needTrust } from './folders.ts';
import { t } from './l10n.ts';
import { noDraft, TreePanels } from './panels/tree-panel.ts';
import { searchTime, searchTitle } from './search-name.ts';
import type { Studio } from './studio.ts';
import { savedSearches } from './views/searches-view.ts';

/** Most of a file that a search reads before the cursor, in characters: the model reads less. */
const mostPrompt = 4000;
/** Columns that may hold the prompt of a data row, the likeliest first. */
const promptColumns = ['prompt', 'question', 'problem', 'input', 'instruction', 'text'];
const given = z.union([searchKey.strip(), treeDraft.partial().required({ prompt: true })]);

export function registerTree(studio: Studio): void {
  const panels = new TreePanels(studio);
  const begin = ({ prompt, row, language }: Beginning) =>
    panels.show({
      key: null,
      draft: { prompt: prompt ?? noDraft.prompt, row: row ?? noDraft.row, language: language ?? noDraft.language },
    });
  const trusted = (name: Parameters<typeof registerCommand>[1], work: (...args: unknown[]) => unknown) =>
    registerCommand(studio, name, (...args) => {
      needTrust(t('A search'));
      return work(...args);
    });
  trusted('cola.openTree', async (target) => {
    const asked = given.safeParse(target).data;
    if (asked !== undefined) return 'search' in asked ? panels.show({ key: asked, draft: noDraft }) : begin(asked);
    return pick(panels, begin);
  });
  trusted('cola.searchFromSelection', () => {
    const editor = activeEditor();
    const prompt = editor.document.getText(editor.selection);
    if (prompt === '') throw studioErrors.noSelection();
    begin({ prompt, language: editor.document.languageId });
  });
  trusted('cola.searchFromCursor', () => {
    const { document, selection } = activeEditor();
    const text = document.getText(new Range(new Position(0, 0), selection.active));
    begin({ prompt: lastLines(text), language: document.languageId });
  });
  trusted('cola.searchFromPrompt', async () => {
    const options = {
      title: t('Search From Prompt'),
      prompt: t('Text to continue from'),
      placeHolder: 'const total = ',
    };
    const prompt = await window.showInputBox(options);
    if (prompt !== undefined) begin({ prompt });
  });
  trusted('cola.searchFromRow', () => {
    const { document, selection } = activeEditor();
    begin(dataRow(document.lineAt(selection.active.line).text, selection.active.line + 1));
  });
  // The page itself moves; the editor must not go back and forth with the same key.
  registerCommand(studio, 'cola.moveInTree', () => {});
}

/** What a new search begins with, as far as it is known. */
interface Beginning {
  readonly prompt?: string;
  readonly row?: TreeDraft['row'] | undefined;
  readonly language?: string | undefined;
}

/** A search of the open folders, or a new one. */
async function pick(panels: TreePanels, begin: (draft: Beginning) => void): Promise<void> {
  const searches = await savedSearches();
  const editor = window.activeTextEditor;
  const prompt = editor === undefined ? '' : editor.document.getText(editor.selection);
  const draft = { prompt, language: editor?.document.languageId ?? '' };
  if (searches.length === 0) return begin(draft);
  const items = [
    { label: t('$(add) New Search'), description: '', key: null },
    ...searches.map(({ root, search, updated }) => ({
      label: searchTitle(search),
      description: [searchTime(updated), ...folderWords(root)].join(' · '),
      key: { root, search },
    })),
  ];
  const chosen = await window.showQuickPick(items, { placeHolder: t('Which search?') });
  if (chosen === undefined) return;
  if (chosen.key === null) begin(draft);
  else panels.show({ key: chosen.key, draft: noDraft });
}

/** @throws studio.noEditor */
function activeEditor(): TextEditor {
  const editor = window.activeTextEditor;
  if (editor === undefined) throw studioErrors.noEditor();
  return editor;
}

/** The end of a text, from the beginning of a line where it is long. */
function lastLines(text: string): string {
  if (text.length <= mostPrompt) return text;
  const end = text.slice(-mostPrompt);
  return end.slice(end.indexOf('\n') + 1);
}

/** @throws studio.noRow */
function dataRow(line: string, number: number): Partial<TreeDraft> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw studioErrors.noRow(number, error instanceof Error ? error.message : String(error));
  }
  const row = z.record(z.string(), z.unknown()).safeParse(json).data;
  if (row === undefined) throw studioErrors.noRow(number, t('it is not an object'));
  const column = promptColumns.find((name) => typeof row[name] === 'string');
  if (column === undefined) throw studioErrors.noRow(number, t('it has none of {0}', promptColumns.join(', ')));
  return { prompt: String(row[column]), row };
}
