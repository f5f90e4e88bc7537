/** The view Models: in the box, in the folders, made by runs, imported; the one that completes is marked. */
import {
  type Event,
  EventEmitter,
  MarkdownString,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
} from 'vscode';
import type { ListedModel } from '../../server/protocol/index.ts';
import type { ModelShelf } from '../models.ts';
import { modelName } from '../status-text.ts';
import type { Studio } from '../studio.ts';
import { listOr } from './listing.ts';

export class ModelsView implements TreeDataProvider<ListedModel> {
  private readonly changed = new EventEmitter<void>();
  private models: ListedModel[] | undefined;
  readonly onDidChangeTreeData: Event<void> = this.changed.event;

  constructor(
    private readonly studio: Studio,
    private readonly shelf: ModelShelf,
  ) {
    let shown: string | null | undefined;
    studio.onStatus(({ model }) => {
      if (model === shown) return;
      shown = model;
      this.changed.fire();
    });
    shelf.onDidChange(() => this.refresh());
  }

  refresh(): void {
    this.models = undefined;
    this.changed.fire();
  }

  async getChildren(element?: ListedModel): Promise<ListedModel[]> {
    if (element !== undefined) return [];
    this.models ??= await listOr(this.shelf.list());
    return this.models ?? [];
  }

  getTreeItem(model: ListedModel): TreeItem {
    const { folder, name, latent, source } = model;
    const loaded = this.studio.status?.model === folder;
    const item = new TreeItem(modelName(name));
    const facts = [...(loaded ? ['loaded'] : []), sources[source], ...(latent ? [] : ['no latent actions yet'])];
    item.id = `${source}\0${folder}`;
    item.description = facts.join(' · ');
    item.iconPath = loaded
      ? new ThemeIcon('pass-filled', new ThemeColor('charts.green'))
      : new ThemeIcon(latent ? 'package' : 'circle-outline');
    item.contextValue = [
      'model',
      ...(latent ? (loaded ? [] : ['usable']) : ['base']),
      ...(source === 'imported' ? ['imported'] : []),
    ].join(' ');
    item.accessibilityInformation = { label: `Model ${modelName(name)}, ${item.description}` };
    item.tooltip = new MarkdownString().appendText(`${item.description}\n\n${folder}`);
    return item;
  }
}

const sources: Readonly<Record<ListedModel['source'], string>> = {
  builtin: 'in the box',
  workspace: 'in this folder',
  run: 'from a run',
  imported: 'imported',
};
