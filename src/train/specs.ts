/** Which run spec a command is about. */
import { type TextDocument, Uri, window, workspace } from 'vscode';
import { studioErrors } from '../errors.ts';
import { folderWords } from '../folders.ts';
import { t } from '../l10n.ts';

export const isSpec = (path: string): boolean => /\.cola\.ya?ml$/i.test(path);

/**
 * The spec that a command was given, that is open, or that the person chooses; saved if it was changed.
 *
 * @param target a uri, also as text
 * @returns undefined where the person chose none
 * @throws studio.noSpec, studio.unsaved
 */
export async function specFrom(target: unknown): Promise<Uri | undefined> {
  const uri = uriOf(target) ?? openSpec()?.uri ?? (await pickSpec());
  if (uri !== undefined) await save(uri);
  return uri;
}

function uriOf(target: unknown): Uri | undefined {
  if (target instanceof Uri) return target;
  return typeof target === 'string' ? Uri.parse(target, true) : undefined;
}

function openSpec(): TextDocument | undefined {
  const documents = [window.activeTextEditor, ...window.visibleTextEditors].flatMap((editor) => editor?.document ?? []);
  return documents.find(({ fileName }) => isSpec(fileName));
}

/** The run specs of the workspace, two hundred at most. */
export const findSpecs = (): Thenable<Uri[]> =>
  workspace.findFiles('**/*.cola.{yaml,yml}', '**/{node_modules,.cola}/**', 200);

async function pickSpec(): Promise<Uri | undefined> {
  const found = await findSpecs();
  if (found.length === 0) throw studioErrors.noSpec();
  const items = found.map((uri) => {
    const [description] = folderWords(uri.fsPath);
    return { label: workspace.asRelativePath(uri, false), ...(description === undefined ? {} : { description }), uri };
  });
  items.sort((a, b) => a.label.localeCompare(b.label));
  return (await window.showQuickPick(items, { placeHolder: t('Which run spec?') }))?.uri;
}

async function save(uri: Uri): Promise<void> {
  const document = workspace.textDocuments.find((each) => each.uri.toString() === uri.toString());
  const saved = uri.scheme === 'file' && (document?.isDirty !== true || (await document.save()));
  if (!saved) throw studioErrors.unsaved(document?.fileName ?? uri.path);
}
