/** The row above the tree: what the search is about, its budget, and how it is shown. */
import type { SearchDescription, TreeEvent } from '../../server/protocol/index.ts';
import { button, setDisabled, textField } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { type Menu, menu, menuItem } from '../ui/menu.ts';
import type { Orientation } from './navigation.ts';
import { rewardName } from './rewards.ts';
import { ending } from './words.ts';

export interface ToolbarHandlers {
  extend(simulations: number): void;
  pause(): void;
  /** Another search, with this one's prompt to begin with. */
  begin(): void;
  find(text: string): void;
  findNext(): void;
  leave(): void;
  least(visits: number): void;
  turn(): void;
  fit(): void;
  zoom(factor: number): void;
  save(format: 'json' | 'html' | 'svg'): void;
  inspector(): void;
  help(): void;
}

/** Which world it is, and how far its episode had come. */
function worldWords({ environment, seed, side, behind }: NonNullable<SearchDescription['world']>): string {
  const where = `${environment}, ${side === 'seen' ? '' : 'unseen '}world ${seed}`;
  if (behind.length === 0) return where;
  return `${where}, after ${behind.length === 1 ? 'a turn' : `${behind.length} turns`}`;
}

/** So many simulations are not done in a lifetime. */
const untilStopped = 1_000_000;

export class Toolbar {
  readonly element: HTMLElement;
  private readonly extending: HTMLElement[];
  private readonly pause: HTMLElement;
  private readonly state = h('span', { class: 'state number' });
  private readonly matches = h('span', { class: 'soft number' });
  private readonly search: ReturnType<typeof textField>;

  constructor(about: SearchDescription, least: number, orientation: Orientation, handlers: ToolbarHandlers) {
    const extend = (label: string, title: string, simulations: number, icon?: string) =>
      button({ label, title, icon, onPress: () => handlers.extend(simulations) });
    this.extending = [
      extend('+64', 'Search on for 64 simulations', 64),
      extend('+256', 'Search on for 256 simulations', 256),
      extend('Until stopped', 'Search on until you pause it', untilStopped, 'play'),
    ];
    this.pause = button({ label: 'Pause', icon: 'debug-pause', onPress: handlers.pause });
    this.search = textField({
      label: 'Search in the text (/)',
      placeholder: 'Search',
      size: 14,
      onInput: handlers.find,
    });
    this.search.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') handlers.findNext();
      else if (event.key === 'Escape') handlers.leave();
      else return;
      event.preventDefault();
    });
    const fold = textField({
      label: 'Fold branches with fewer visits than this',
      value: String(least),
      size: 3,
      onInput: (value) => {
        if (/^\d+$/.test(value)) handlers.least(Number(value));
      },
    });
    const tool = (label: string, icon: string, onPress: () => void) => button({ label, icon, kind: 'icon', onPress });
    const group = (...children: HTMLElement[]) => h('div', { class: 'toolbar-group' }, ...children);
    const item = (label: string, icon: string, act: () => void) =>
      menuItem(label, icon, () => {
        more.close();
        act();
      });
    const right = orientation === 'right';
    const more: Menu = menu('More', [
      h(
        'dl',
        { class: 'search-facts' },
        h('dt', {}, 'Reward'),
        h('dd', { title: JSON.stringify(about.reward) }, rewardName(about.reward)),
        h('dt', {}, 'Breadth'),
        h('dd', {}, `${String(about.options.breadth ?? '–')} branches at each node`),
      ),
      h('label', { class: 'fold-below menu-part' }, 'Fold below', fold, 'visits'),
      item(right ? 'Grow downwards' : 'Grow to the right', right ? 'arrow-down' : 'arrow-right', handlers.turn),
      item('Export as JSON', 'json', () => handlers.save('json')),
      item('Export as SVG', 'file-media', () => handlers.save('svg')),
      item('Export as HTML page', 'browser', () => handlers.save('html')),
      item('Keys (?)', 'question', handlers.help),
    ]);
    this.element = h(
      'header',
      { class: 'toolbar tree-toolbar', role: 'toolbar', 'aria-label': 'Search' },
      group(
        ...(about.world === null
          ? [
              h('span', { class: 'prompt-end code', title: about.prompt }, ending(about.prompt, 30)),
              h('span', { class: 'tag', title: JSON.stringify(about.reward) }, `reward ${rewardName(about.reward)}`),
              tool('New search from this prompt', 'add', handlers.begin),
            ]
          : [h('span', { class: 'prompt-end', title: about.prompt }, worldWords(about.world))]),
      ),
      group(...this.extending, this.pause, this.state),
      h('span', { class: 'toolbar-space' }),
      group(this.search, this.matches),
      group(
        h(
          'span',
          { class: 'zooming' },
          tool('Zoom out', 'zoom-out', () => handlers.zoom(0.8)),
          tool('Zoom in', 'zoom-in', () => handlers.zoom(1.25)),
        ),
        tool('Show all', 'screen-full', handlers.fit),
        tool('Inspector', 'layout-sidebar-right', handlers.inspector),
        more.button,
      ),
      more.panel,
    );
  }

  show(event: TreeEvent | null, waiting: boolean): void {
    const running = event !== null && event.end === null;
    for (const control of this.extending) {
      setDisabled(control, waiting);
      control.hidden = running;
    }
    this.pause.hidden = !running;
    if (event !== null) this.count(event.simulations, event.nodes, event.end);
  }

  /** @param end why the search stands still; null while it runs */
  count(simulations: number, nodes: number, end: TreeEvent['end'] = 'cancelled'): void {
    fill(
      this.state,
      end === null && h('span', { class: 'searching' }, 'searching · '),
      end === 'solved' && 'nothing earns more · ',
      `${simulations} simulations`,
      h('span', { class: 'node-count' }, ` · ${nodes} nodes`),
    );
  }

  showMatches(at: number, count: number | undefined): void {
    fill(this.matches, count === undefined ? '' : count === 0 ? 'none' : `${at + 1} of ${count}`);
  }

  focusSearch(): void {
    this.search.focus();
  }
}
