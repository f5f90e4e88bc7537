/** The view Actions: the codes of the model that completes, with what they are called and how often they are chosen. */
import { type Event, EventEmitter, type TreeDataProvider, TreeItem, Uri } from 'vscode';
import { currentModel, hueOf, type ModelInfo } from '../../server/protocol/index.ts';
import { typicalTexts } from '../completion/typical.ts';
import { t } from '../l10n.ts';
import type { Studio } from '../studio.ts';
import { listOr } from './listing.ts';

export class CodesView implements TreeDataProvider<number> {
  private readonly changed = new EventEmitter<void>();
  private info: ModelInfo | null = null;
  private typical: ReadonlyMap<number, string> = new Map();
  readonly onDidChangeTreeData: Event<void> = this.changed.event;

  constructor(private readonly studio: Studio) {
    let shown: string | null | undefined;
    studio.onStatus(({ model, loading }) => {
      if (loading !== null || model === shown) return;
      shown = model;
      this.changed.fire();
    });
  }

  async getChildren(element?: number): Promise<number[]> {
    if (element !== undefined) return [];
    this.info = (await listOr(this.studio.request(currentModel, {})))?.model ?? null;
    if (this.info !== null) this.typical = (await listOr(typicalTexts(this.studio, this.info))) ?? new Map();
    return Array.from({ length: this.info?.codes ?? 0 }, (_, code) => code);
  }

  getTreeItem(code: number): TreeItem {
    const label = this.info?.labels[code] ?? null;
    const usage = this.info?.usage[code] ?? null;
    const typical = this.typical.get(code);
    const item = new TreeItem(label === null ? `${typical ?? ''}  ${code}`.trim() : `${code}  ${label}`);
    item.id = String(code);
    item.description = usage === null ? '' : usage === 0 ? t('unused') : t('{0} of tokens', percent(usage));
    item.iconPath = chip(code);
    const writes = typical === undefined ? '' : `\n${t('Typically {typical}', { typical })}`;
    item.tooltip = `${t('Latent action {code}', { code })}${label === null ? '' : `: ${label}`}${writes}`;
    item.command = { title: t('Show Action'), command: 'cola.showActions', arguments: [{ action: code }] };
    return item;
  }
}

/** The code's own colour; its number stands beside it. */
function chip(code: number): Uri {
  const shape = `<rect x="2" y="2" width="12" height="12" rx="3" fill="${hueOf(code).colour}"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16">${shape}</svg>`;
  return Uri.parse(`data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`);
}

const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
