/** The view Searches: trees that were grown in the open folders. */
import {
  type Event,
  EventEmitter,
  FileType,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  Uri,
  window,
  workspace,
} from 'vscode';
import { closeSearch, type SearchKey, searchId, searchKey } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import { folderWords } from '../folders.ts';
import { t } from '../l10n.ts';
import { diskFolders, type RunBook } from '../runs/runs.ts';
import { searchTime, searchTitle } from '../search-name.ts';
import type { Studio } from '../studio.ts';
import { listOr } from './listing.ts';

export interface SavedSearch extends SearchKey {
  /** When it was last written, in milliseconds since 1970. */
  readonly updated: number;
}

export class SearchesView implements TreeDataProvider<SavedSearch> {
  private readonly changed = new EventEmitter<void>();
  readonly onDidChangeTreeData: Event<void> = this.changed.event;
  /** The list as it was drawn last, as text; null where it was not. */
  private drawn: string | null = null;

  constructor(studio: Studio, book: RunBook) {
    book.onDidChangeList(() => void this.update());
    registerCommand(studio, 'cola.deleteSearch', async (target) => {
      const key = keyOf(target);
      if (key === undefined) return;
      const question = t('Delete the search {search}?', { search: key.search });
      const detail = t('Its tree is deleted from the disk. This cannot be undone.');
      if ((await window.showWarningMessage(question, { modal: true, detail }, t('Delete'))) === undefined) return;
      // The engine may hold it, and would write it again.
      await listOr(studio.request(closeSearch, key));
      await workspace.fs.delete(fileOf(key));
      this.changed.fire();
    });
  }

  async getChildren(element?: SavedSearch): Promise<SavedSearch[]> {
    if (element !== undefined) return [];
    const searches = await savedSearches();
    this.drawn = JSON.stringify(searches);
    return searches;
  }

  /** Draws it again where it has changed: a run that goes on tells of files again and again. */
  private async update(): Promise<void> {
    if (this.drawn !== null && JSON.stringify(await savedSearches()) === this.drawn) return;
    this.changed.fire();
  }

  getTreeItem({ root, search, updated }: SavedSearch): TreeItem {
    const item = new TreeItem(searchTitle(search));
    item.id = searchId({ root, search });
    item.description = [searchTime(updated), ...folderWords(root)].join(' · ');
    item.tooltip = search;
    item.iconPath = new ThemeIcon('list-tree');
    item.contextValue = 'search';
    item.command = { title: t('Open Tree'), command: 'cola.openTree', arguments: [{ root, search }] };
    return item;
  }
}

const folderOf = (root: Uri) => Uri.joinPath(root, '.cola', 'searches');
const fileOf = ({ root, search }: SearchKey) => Uri.joinPath(folderOf(Uri.file(root)), `${search}.json`);

/** The searches of the open folders, the latest first. */
export async function savedSearches(): Promise<SavedSearch[]> {
  const lists = await Promise.all(diskFolders().map(({ uri }) => searchesIn(uri)));
  return lists.flat().sort((a, b) => b.updated - a.updated);
}

function keyOf(target: unknown): SearchKey | undefined {
  if (typeof target !== 'object' || target === null || !('root' in target) || !('search' in target)) return undefined;
  return searchKey.safeParse({ root: target.root, search: target.search }).data;
}

async function searchesIn(root: Uri): Promise<SavedSearch[]> {
  let entries: [string, FileType][];
  try {
    // A repository may have put a link here: what is behind it is not shown, and so not deleted.
    for (const folder of [Uri.joinPath(root, '.cola'), folderOf(root)])
      if ((await workspace.fs.stat(folder)).type !== FileType.Directory) return [];
    entries = await workspace.fs.readDirectory(folderOf(root));
  } catch {
    // Nothing was searched here.
    return [];
  }
  const keys = entries.flatMap(([name, type]) => {
    const key = { root: root.fsPath, search: name.replace(/\.json$/, '') };
    return type === FileType.File && name.endsWith('.json') ? (keyOf(key) ?? []) : [];
  });
  return Promise.all(keys.map(async (key) => ({ ...key, updated: (await workspace.fs.stat(fileOf(key))).mtime })));
}
