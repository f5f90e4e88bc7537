/** A branch of a search as text to read: the prompt and what was written after it, beside the tree, on no disk. */
import { type Disposable, languages, Range, Uri, ViewColumn, window, workspace } from 'vscode';
import { z } from 'zod';
import { describeSearch, inspectNode, type SearchKey, searchKey } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { searchTitle } from '../search-name.ts';
import type { Studio } from '../studio.ts';

export const branchScheme = 'cola-branch';
/** Which branch it is stands in the address: the editor asks again when the window was loaded anew. */
const branch = searchKey.extend({ node: z.int().nonnegative() });

export class BranchTexts implements Disposable {
  private readonly provider: Disposable;

  constructor(private readonly studio: Studio) {
    this.provider = workspace.registerTextDocumentContentProvider(branchScheme, {
      provideTextDocumentContent: async ({ query }) => {
        const { node, ...key } = branch.parse(JSON.parse(query));
        const { prompt, text } = await this.read(key, node);
        return prompt + text;
      },
    });
  }

  /** @param language of the editor that the prompt came from, where it is known */
  async show(key: SearchKey, node: number, language: string): Promise<void> {
    const name = t('{search}, branch {node}', { search: searchTitle(key.search), node });
    const uri = Uri.from({ scheme: branchScheme, path: `/${name}`, query: JSON.stringify({ ...key, node }) });
    const [{ prompt }, opened] = await Promise.all([this.read(key, node), workspace.openTextDocument(uri)]);
    const known = language !== '' && (await languages.getLanguages()).includes(language);
    const document = known ? await languages.setTextDocumentLanguage(opened, language) : opened;
    // One reads on from where the prompt ends.
    const start = document.positionAt(prompt.length);
    const selection = new Range(start, start);
    await window.showTextDocument(document, { viewColumn: ViewColumn.Beside, preview: true, selection });
  }

  dispose(): void {
    this.provider.dispose();
  }

  private async read(key: SearchKey, node: number): Promise<{ readonly prompt: string; readonly text: string }> {
    const [{ prompt, world }, { path }] = await Promise.all([
      this.studio.request(describeSearch, key),
      this.studio.request(inspectNode, { ...key, node }),
    ]);
    // A turn has a line of its own.
    return { prompt: world === null ? prompt : `${prompt}\n`, text: path.map(({ text }) => text).join('') };
  }
}
