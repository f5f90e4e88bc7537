/** The codebook of a run: how much each code is used, at the start and now, and over time. */

import { hueOf } from '../../server/protocol/figures/hue.ts';
import type { CodeUsage } from '../../server/protocol/history.ts';
import { percent } from '../ui/actions.ts';
import { fill, h } from '../ui/elements.ts';
import { roveGrid } from '../ui/roving.ts';

/** Columns of a grid of N codes: rows that are easy to count in. */
const columnsOf = (codes: number) => (codes <= 64 ? 8 : 16);

const sharesOf = (counts: readonly number[]) => {
  const total = Math.max(
    1,
    counts.reduce((a, b) => a + b, 0),
  );
  return counts.map((count) => count / total);
};

export class CodebookView {
  readonly element = h('section', { class: 'codebook', 'aria-label': 'Codebook' });
  private readonly grids = h('div', { class: 'codebook-grids' });
  private readonly canvas = h('canvas', { class: 'heat', role: 'img' });
  private readonly tip = h('p', { class: 'soft heat-tip' });
  private readonly heat = h(
    'div',
    { class: 'heat-place' },
    h('h3', {}, 'Use of every code over time'),
    this.canvas,
    this.tip,
  );
  private columns: CodeUsage[] = [];

  /** @param onCode the person wants to see the page of an action */
  constructor(private readonly onCode: (code: number) => void) {
    this.element.append(h('h2', {}, 'Codebook'), h('div', { class: 'codebook-body' }, this.grids, this.heat));
    this.canvas.addEventListener('pointermove', (event) => this.point(event));
    this.canvas.addEventListener('pointerleave', () => this.describe());
  }

  /** @param usage of the stage that is shown, in order */
  show(usage: readonly CodeUsage[]): void {
    const measured = usage.filter(({ evaluation }) => evaluation);
    const trained = usage.filter(({ evaluation }) => !evaluation);
    const now = measured.at(-1) ?? trained.at(-1);
    this.element.hidden = now === undefined;
    if (now === undefined) return;
    const start = measured.find(({ counts }) => counts.length === now.counts.length) ?? now;
    const grids = [gridOf(`Now, step ${now.step}`, now, start, this.onCode)];
    if (start !== now) grids.unshift(gridOf(`At the start, step ${start.step}`, start, undefined, this.onCode));
    fill(this.grids, ...grids);
    // Training shows every step; where only measurements have counted codes, they are shown.
    const all = trained.length > 1 ? trained : measured;
    this.columns = all.filter(({ counts }) => counts.length === now.counts.length);
    this.heat.hidden = this.columns.length < 2;
    this.paint();
  }

  /** Also after the theme has changed. */
  paint(): void {
    const { canvas, columns } = this;
    const [first] = columns;
    if (first === undefined || columns.length < 2) return;
    const rows = first.counts.length;
    const [wide, tall] = [Math.max(2, Math.min(24, Math.floor(900 / columns.length))), rows > 128 ? 2 : 6];
    canvas.width = columns.length * wide;
    canvas.height = rows * tall;
    const context = canvas.getContext('2d');
    if (context === null) return;
    context.fillStyle = getComputedStyle(document.body).getPropertyValue('--vscode-editor-background') || '#000';
    context.fillRect(0, 0, canvas.width, canvas.height);
    const shares = columns.map(({ counts }) => sharesOf(counts));
    const most = Math.max(...shares.flat(), 1e-9);
    for (const [x, column] of shares.entries()) {
      for (const [y, share] of column.entries()) {
        if (share === 0) continue;
        // A root, or one busy code hides all others.
        context.globalAlpha = 0.12 + 0.88 * Math.sqrt(share / most);
        context.fillStyle = hueOf(y).colour;
        context.fillRect(x * wide, y * tall, wide, tall);
      }
    }
    context.globalAlpha = 1;
    this.describe();
  }

  private describe(): void {
    const [first] = this.columns;
    const last = this.columns.at(-1);
    if (first === undefined || last === undefined) return;
    const kind = last.evaluation ? 'most likely actions on held-back data' : 'actions sampled in training';
    const top = sharesOf(last.counts)
      .map((share, code) => ({ share, code }))
      .sort((a, b) => b.share - a.share)
      .slice(0, 3);
    const words = top.map(({ code, share }) => `${code} (${percent(share)})`).join(', ');
    this.tip.textContent = `Steps ${first.step} to ${last.step} from left to right, codes from top to bottom, ${kind}. Most used at the end: ${words}.`;
    this.canvas.setAttribute('aria-label', this.tip.textContent);
  }

  private point(event: PointerEvent): void {
    const box = this.canvas.getBoundingClientRect();
    const column = this.columns[Math.floor(((event.clientX - box.left) / box.width) * this.columns.length)];
    if (column === undefined) return;
    const code = Math.floor(((event.clientY - box.top) / box.height) * column.counts.length);
    const share = sharesOf(column.counts)[code];
    if (share !== undefined)
      this.tip.textContent = `Step ${column.step}, code ${code}: ${percent(share)} of ${column.counts.reduce((a, b) => a + b, 0)} choices.`;
  }
}

function gridOf(
  title: string,
  usage: CodeUsage,
  start: CodeUsage | undefined,
  onCode: (code: number) => void,
): HTMLElement {
  const shares = sharesOf(usage.counts);
  const before = start === undefined || start === usage ? undefined : sharesOf(start.counts);
  const most = Math.max(...shares, 1e-9);
  const columns = columnsOf(shares.length);
  const cells = shares.map((share, code) => {
    const { colour } = hueOf(code);
    const then = before === undefined ? '' : `, ${percent(before[code] ?? 0)} at the start`;
    const words = share === 0 ? `Code ${code}: not used${then}` : `Code ${code}: ${percent(share)}${then}`;
    return h(
      'button',
      {
        class: share === 0 ? 'code-cell unused' : 'code-cell',
        title: words,
        'aria-label': words,
        style: { '--hue': colour, '--share': Math.sqrt(share / most) },
        on: { click: () => onCode(code) },
      },
      h('span', {}, code),
    );
  });
  const grid = h(
    'div',
    { class: 'code-grid', role: 'group', 'aria-label': title, style: { '--columns': columns } },
    ...cells,
  );
  roveGrid(grid, cells, columns);
  const used = shares.filter((share) => share > 0).length;
  return h('figure', {}, h('figcaption', { class: 'soft' }, `${title}: ${used} of ${shares.length} used`), grid);
}
