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
import { folderWords } from '../folders.ts';
import { t } from '../l10n.ts';
import { modelFacts, sourceWords, titleOf } from '../model-words.ts';
import type { ModelShelf } from '../models.ts';
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
    const { folder, latent, source, problem } = model;
    const loaded = this.studio.status?.model === folder;
    const title = titleOf(model);
    const item = new TreeItem(title);
    const facts = [
      ...(loaded ? [t('loaded')] : []),
      sourceWords[source],
      ...folderWords(folder),
      ...(problem === undefined ? modelFacts(model) : [t('not read')]),
    ];
    item.id = `${source}\0${folder}`;
    item.description = facts.join(' · ');
    item.iconPath = loaded
      ? new ThemeIcon('pass-filled', new ThemeColor('charts.green'))
      : new ThemeIcon(problem === undefined ? (latent ? 'package' : 'circle-outline') : 'warning');
    item.contextValue = [
      'model',
      ...(problem === undefined ? (latent ? (loaded ? [] : ['usable']) : ['base']) : []),
      ...(source === 'imported' ? ['imported'] : []),
    ].join(' ');
    item.accessibilityInformation = {
      label: t('Model {title}, {description}', { title, description: item.description }),
    };
    item.tooltip = new MarkdownString().appendText(
      [item.description, folder, ...(problem === undefined ? [] : [problem])].join('\n\n'),
    );
    return item;
  }
}
