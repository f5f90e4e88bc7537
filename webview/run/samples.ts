/** The samples of a run as a table; a row unfolds to the whole text. */
import type { RunSample } from '../../server/protocol/history.ts';
import { actionStrip } from '../ui/actions.ts';
import { button, dropdown, textField } from '../ui/controls.ts';
import { fill, h, icon } from '../ui/elements.ts';
import { short } from './findings.ts';
import {
  chosenSamples,
  everySample,
  lengthOf,
  type SampleKind,
  type SampleOrder,
  type SampleWish,
} from './sample-list.ts';

/** Rows that are shown at first, and more at a press. */
const pageSize = 50;

const orderNames: Record<SampleOrder, string> = {
  newest: 'newest first',
  oldest: 'oldest first',
  best: 'highest reward first',
  worst: 'lowest reward first',
  longest: 'longest first',
  shortest: 'shortest first',
};
const kindNames: Record<SampleKind, string> = {
  all: 'all samples',
  rewarded: 'with reward',
  unrewarded: 'without reward',
  unscored: 'without a score',
};

const optionsOf = <T extends string>(names: Record<T, string>) =>
  (Object.entries(names) as [T, string][]).map(([value, label]) => ({ value, label }));

export interface SampleActions {
  open(sample: RunSample): void;
  toTree(sample: RunSample): void;
  /** Shows its turns. */
  toConversation(sample: RunSample): void;
  /** Reads samples from before those that are there. */
  earlier(): void;
  /** What is shown has been chosen anew. */
  onWish(wish: SampleWish): void;
}

export class SamplesView {
  readonly element: HTMLElement;
  private readonly body = h('tbody');
  private readonly count = h('p', { class: 'soft', 'aria-live': 'polite' });
  private readonly more = button({ label: 'Show more', onPress: () => this.grow() });
  private readonly earlier = button({ label: 'Read earlier samples', onPress: () => this.actions.earlier() });
  private readonly table: HTMLElement;
  private samples: readonly RunSample[] = [];
  private total = 0;
  private room = pageSize;
  private opened: string | undefined;
  private wish: SampleWish;

  constructor(
    private readonly actions: SampleActions,
    wish: SampleWish = everySample,
  ) {
    this.wish = wish;
    const set = (change: Partial<SampleWish>) => {
      this.wish = { ...this.wish, ...change };
      this.room = pageSize;
      actions.onWish(this.wish);
      this.render();
    };
    const find = textField({
      label: 'Find in samples; #17 finds action 17',
      placeholder: 'Find, or #17 for an action',
      value: wish.text,
      size: 26,
      onInput: (text) => set({ text }),
    });
    const headings = ['step', 'reward', 'tokens'].map((name) => h('th', { class: 'number', scope: 'col' }, name));
    this.table = h(
      'table',
      { class: 'samples' },
      h(
        'thead',
        {},
        h('tr', {}, ...headings, h('th', { scope: 'col' }, 'prompt'), h('th', { scope: 'col' }, 'completion')),
      ),
      this.body,
    );
    this.element = h(
      'section',
      { 'aria-label': 'Samples' },
      h(
        'div',
        { class: 'section-head' },
        h('h2', {}, 'Samples'),
        find,
        dropdown({
          label: 'Which samples',
          options: optionsOf(kindNames),
          value: wish.kind,
          onChange: (kind) => set({ kind }),
        }),
        dropdown({
          label: 'Order',
          options: optionsOf(orderNames),
          value: wish.order,
          onChange: (order) => set({ order }),
        }),
        this.count,
      ),
      this.table,
      h('div', { class: 'toolbar-group' }, this.more, this.earlier),
    );
  }

  /** @param total samples there are in all, of which the newest are given */
  show(samples: readonly RunSample[], total: number): void {
    this.samples = samples;
    this.total = total;
    this.element.hidden = total === 0;
    this.render();
  }

  private grow(): void {
    this.room += pageSize;
    this.render();
  }

  private render(): void {
    const found = chosenSamples(this.samples, this.wish);
    const shown = found.slice(0, this.room);
    const of =
      this.total > this.samples.length ? `the newest ${this.samples.length} of ${this.total}` : `${this.total}`;
    this.count.textContent = found.length === this.samples.length ? `${of} samples` : `${found.length} found in ${of}`;
    this.more.hidden = found.length <= shown.length;
    this.earlier.hidden = this.samples.length >= this.total;
    this.table.hidden = found.length === 0;
    fill(this.body, ...shown.flatMap((sample) => this.rowsOf(sample)));
  }

  private rowsOf(sample: RunSample): HTMLElement[] {
    const key = keyOf(sample);
    const open = this.opened === key;
    const toggle = () => {
      this.opened = open ? undefined : key;
      this.render();
      this.body.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
    };
    const unfold = h(
      'button',
      {
        class: 'fold',
        'data-key': key,
        'aria-expanded': String(open),
        'aria-label': `Sample of step ${sample.step}`,
        on: { click: toggle },
      },
      icon(open ? 'chevron-down' : 'chevron-right'),
      h('span', { class: 'number' }, sample.step),
    );
    const row = h(
      'tr',
      { class: 'sample' },
      h('td', { class: 'number' }, unfold),
      h('td', { class: 'number', 'data-name': 'reward' }, rewardWords(sample)),
      h('td', { class: 'number', 'data-name': 'tokens' }, lengthOf(sample)),
      h('td', { class: 'code' }, h('div', { class: 'last-lines' }, lineOf(sample.prompt, true))),
      h(
        'td',
        { class: 'code' },
        h('div', { class: 'cut' }, lineOf(sample.completion, false)),
        actionStrip(
          sample.actions.map((action) => ({ action })),
          24,
        ),
      ),
    );
    return open ? [row, this.detail(sample)] : [row];
  }

  private detail(sample: RunSample): HTMLElement {
    const part = (name: string, value: string) =>
      h('span', { class: 'part' }, `${name} `, h('b', { class: 'number' }, value));
    const parts = Object.entries(sample.parts ?? {}).map(([name, value]) =>
      part(name, value === null ? 'none' : short(value)),
    );
    return h(
      'tr',
      { class: 'sample-detail' },
      h(
        'td',
        { colspan: 5 },
        h('h3', {}, 'Prompt'),
        h('pre', {}, sample.prompt),
        h('h3', {}, 'Completion'),
        h('pre', {}, sample.completion),
        actionStrip(
          sample.actions.map((action) => ({ action })),
          512,
        ),
        h('p', { class: 'parts' }, part('reward', rewardWords(sample)), ...parts),
        sample.noScore !== undefined && h('p', { class: 'soft' }, `No score: ${sample.noScore}.`),
        h(
          'div',
          { class: 'toolbar-group' },
          sample.turns !== undefined &&
            button({
              label: 'Show the conversation',
              icon: 'comment-discussion',
              onPress: () => this.actions.toConversation(sample),
            }),
          button({ label: 'Open in editor', icon: 'go-to-file', onPress: () => this.actions.open(sample) }),
          button({ label: 'Search from this prompt', icon: 'list-tree', onPress: () => this.actions.toTree(sample) }),
        ),
      ),
    );
  }
}

const keyOf = ({ step, prompt, completion, actions }: RunSample) =>
  `${step}:${actions.join('.')}:${prompt.length}:${completion.slice(0, 40)}`;

function rewardWords({ reward, noScore }: RunSample): string {
  if (noScore !== undefined) return 'no score';
  return reward === undefined || reward === null ? 'none' : short(reward);
}

/** One line of a text; of a prompt the end matters more. */
function lineOf(text: string, end: boolean): string {
  const line = text.replaceAll('\n', '⏎');
  if (line.length <= 160) return line;
  return end ? `…${line.slice(-160)}` : `${line.slice(0, 160)}…`;
}
