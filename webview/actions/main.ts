/** The latent actions of a model: all of them as cards, and one of them large. */
import { z } from 'zod';
import type { ResultOf } from '../../server/protocol/channel/request.ts';
import { hueOf } from '../../server/protocol/figures/hue.ts';
import { actionProfiles } from '../../server/protocol/pages/actions.ts';
import {
  actionAsked,
  actionsSubject,
  historyWithYou,
  makeProfiles,
  markActions,
  readActionsSubject,
  turnToAction,
} from '../../server/protocol/pages/run.ts';
import { failureWords } from '../run/failure.ts';
import { actionChip, percent, visibleToken } from '../ui/actions.ts';
import { button, dropdown, textField } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { ask, on, saved } from '../ui/host.ts';
import { roveGrid } from '../ui/roving.ts';
import '../ui/base.css';
import './actions.css';
import { evidenceFor } from './evidence.ts';
import { answers, type CodeCard, type CodeOrder, cardsOf, orderedCards } from './profile-list.ts';

const kept = z.object({
  subject: actionsSubject.default({ model: null, action: null }),
  order: z.enum(['code', 'used', 'label', 'effect']).default('code'),
});

type Profiles = ResultOf<typeof actionProfiles>;

const columns = 8;
/** So much of the large card is in sight, at least, in pixels. */
const leastOfLarge = 200;
class ActionsPage {
  private view = kept.safeParse(saved.get()).data ?? kept.parse({});
  private readonly message = h('div');
  private readonly grid = h('div', { class: 'cards', role: 'group', 'aria-label': 'All actions' });
  private readonly large = h('aside', { class: 'large', 'aria-live': 'polite' });
  private readonly count = h('p', { class: 'soft' });
  private model = '';
  private profiles: Profiles | undefined;
  private text = '';

  constructor(private readonly place: HTMLElement) {
    on(actionAsked, ({ action }) => this.choose(action));
  }

  async start(): Promise<void> {
    const { action, model } = await ask(readActionsSubject, {});
    this.model = model;
    this.keep({ subject: { model: null, action: action ?? this.view.subject.action } });
    await this.read();
  }

  private async read(): Promise<void> {
    fill(this.place, h('p', { class: 'loading soft' }, 'Reading what the actions do…'));
    try {
      this.profiles = await ask(actionProfiles, { model: this.model });
    } catch (error) {
      const { message, remedy } = failureWords(error);
      this.showTrouble(message, remedy);
      return;
    }
    this.show(this.profiles);
  }

  private show({ codes, file, trouble, folder }: Profiles): void {
    const orders = [
      { value: 'code', label: 'by number' },
      { value: 'used', label: 'most used first' },
      { value: 'label', label: 'by label' },
      { value: 'effect', label: 'map: alike beside each other' },
    ] as const;
    const measured =
      file === null
        ? ''
        : `Measured on ${file.measured.positions.toLocaleString('en').replaceAll(',', ' ')} tokens of ${file.measured.text}.`;
    fill(
      this.place,
      h(
        'header',
        { class: 'actions-head' },
        h('h1', {}, 'Latent actions'),
        h('p', { class: 'soft', title: folder }, `${codes} codes of ${folder.split(/[\\/]/).at(-1)}. ${measured}`),
        h(
          'div',
          { class: 'actions-tools' },
          textField({
            label: 'Find an action by number, label or token',
            placeholder: 'Find: 17, const, …',
            size: 20,
            onInput: (text) => this.find(text),
          }),
          dropdown<CodeOrder>({
            label: 'Order',
            options: orders,
            value: this.view.order,
            onChange: (order) => {
              this.keep({ order });
              this.drawGrid();
            },
          }),
          button({
            label: 'Where in this file',
            icon: 'paintcan',
            title: 'Mark in the open editor which action every token comes from',
            onPress: () => this.attempt(() => ask(markActions, { action: null })),
          }),
          button({
            label: 'Read again',
            icon: 'refresh',
            kind: 'icon',
            onPress: () => this.attempt(() => this.read()),
          }),
        ),
      ),
      this.message,
      file === null && this.missing(trouble),
      h('main', { class: 'actions-content' }, h('div', {}, this.count, this.grid), this.large),
    );
    this.drawGrid();
    const { action } = this.view.subject;
    if (action !== null && action < codes) this.drawLarge(action);
    else this.drawNone(file !== null);
  }

  private missing(trouble: Profiles['trouble']): HTMLElement {
    const why =
      trouble === null
        ? 'What these actions do has not been measured yet, so they have numbers only. It takes a few minutes and writes actions.json beside the model.'
        : `${trouble.message} ${trouble.remedy}`;
    return h(
      'div',
      { class: 'missing' },
      h('p', {}, why),
      button({
        label: 'Measure in a terminal',
        kind: 'primary',
        icon: 'terminal',
        title: 'Runs cola actions; a terminal shows how far it is',
        onPress: () => this.attempt(() => ask(makeProfiles, {})),
      }),
    );
  }

  private find(text: string): void {
    this.text = text;
    this.drawGrid();
  }

  private drawGrid(): void {
    const { profiles } = this;
    if (profiles === undefined) return;
    const all = orderedCards(
      cardsOf(profiles.codes, profiles.file?.actions ?? [], profiles.labels),
      this.view.order,
      columns,
    );
    const found = all.filter((card) => answers(card, this.text));
    this.count.textContent = found.length === all.length ? '' : `${found.length} of ${all.length} actions`;
    this.count.hidden = found.length === all.length;
    const most = Math.max(1e-9, ...found.map(({ profile }) => profile?.usage.policy ?? 0));
    const cells = found.map((card) => this.cardOf(card, most));
    if (cells.length === 0) fill(this.grid, h('p', { class: 'none' }, 'No action answers what you look for.'));
    else fill(this.grid, ...cells);
    this.grid.classList.toggle('bare', profiles.file === null);
    roveGrid(this.grid, cells, columns);
  }

  private cardOf({ code, profile, label }: CodeCard, most: number): HTMLElement {
    const share = profile?.usage.policy ?? 0;
    const tokens = profile?.tokens.slice(0, 3) ?? [];
    const name = label ?? tokens.map(({ text }) => JSON.stringify(text)).join(' ');
    const known = profile === null ? [] : [...(name === '' ? [] : [name]), `${percent(share)} of the tokens`];
    const words = [`Action ${code}`, ...known].join(', ');
    return h(
      'button',
      {
        class: profile !== null && share === 0 ? 'card unused' : 'card',
        'data-code': code,
        'aria-label': words,
        'aria-pressed': String(this.view.subject.action === code),
        title: words,
        style: { '--hue': hueOf(code).colour, '--share': Math.sqrt(share / most) },
        on: { click: () => this.choose(code) },
      },
      h(
        'span',
        { class: 'card-head' },
        actionChip({ action: code, label }),
        profile !== null && h('span', { class: 'soft number' }, percent(share)),
      ),
      h('span', { class: 'card-label' }, label ?? ''),
      h(
        'span',
        { class: 'card-tokens code' },
        ...tokens.map(({ text }) => h('span', { class: 'card-token' }, visibleToken(text))),
      ),
      h('span', { class: 'card-bar', 'aria-hidden': 'true' }),
    );
  }

  private choose(action: number): void {
    const { profiles } = this;
    if (profiles === undefined || action >= profiles.codes) return;
    this.keep({ subject: { ...this.view.subject, action } });
    for (const card of this.grid.querySelectorAll<HTMLElement>('.card')) {
      card.setAttribute('aria-pressed', String(card.dataset.code === String(action)));
    }
    this.drawLarge(action);
    // Below the cards it may be out of sight, and the press would seem to have done nothing.
    const { top } = this.large.getBoundingClientRect();
    if (top < 0 || top > window.innerHeight - leastOfLarge) this.large.scrollIntoView();
    this.attempt(() => ask(turnToAction, { action }));
  }

  private drawNone(measured: boolean): void {
    const what = 'when it fires, which tokens it stands for, and what changes when it is forced.';
    fill(
      this.large,
      h(
        'p',
        { class: 'soft' },
        measured ? `Choose an action to see ${what}` : `Once it is measured, an action shows ${what}`,
      ),
    );
  }

  private drawLarge(action: number): void {
    const { profiles } = this;
    if (profiles === undefined) return;
    const profile = profiles.file?.actions.find(({ code }) => code === action) ?? null;
    fill(
      this.large,
      h(
        'div',
        { class: 'large-head' },
        actionChip({ action, label: profiles.labels[action] }),
        h('h2', {}, profiles.labels[action] ?? `Action ${action}`),
        h('span', { class: 'toolbar-space' }),
        button({
          label: 'Where it fires',
          icon: 'paintcan',
          title: `Mark in the open editor the tokens that come from action ${action}`,
          onPress: () => this.attempt(() => ask(markActions, { action })),
        }),
      ),
      ...(profile === null
        ? [h('p', { class: 'soft' }, 'Nothing has been measured about it.')]
        : evidenceFor(profile, profiles, (code) => this.choose(code))),
    );
    this.large.scrollTop = 0;
    this.attempt(() => this.drawHistory(action));
  }

  /** What the person did with it; nothing where nothing was recorded. */
  private async drawHistory(action: number): Promise<void> {
    const { history } = await ask(historyWithYou, { action });
    if (history === null || this.view.subject.action !== action) return;
    const { shown, accepted, rejected } = history;
    const words = `Shown to you ${times(shown)}, accepted ${times(accepted)}, rejected ${times(rejected)}.`;
    this.large.append(h('section', { class: 'history' }, h('h3', {}, 'History with you'), h('p', {}, words)));
  }

  private showTrouble(message: string, remedy: string): void {
    fill(
      this.place,
      h(
        'div',
        { class: 'empty' },
        h('h1', {}, 'No latent actions to show'),
        h('p', {}, `${message} ${remedy}`),
        button({ label: 'Try again', kind: 'primary', onPress: () => this.attempt(() => this.start()) }),
      ),
    );
  }

  private keep(change: Partial<z.infer<typeof kept>>): void {
    this.view = { ...this.view, ...change };
    saved.set(this.view);
  }

  private attempt(work: () => Promise<unknown>): void {
    fill(this.message);
    work().catch((error: unknown) => {
      const { message, remedy } = failureWords(error);
      fill(this.message, h('div', { class: 'trouble', role: 'alert' }, h('span', {}, `${message} ${remedy}`)));
    });
  }
}

const times = (count: number) => (count === 0 ? 'never' : count === 1 ? 'once' : `${count} times`);

const place = document.getElementById('page');
if (place !== null) void new ActionsPage(place).start();
