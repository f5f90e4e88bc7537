/** The selected node: its text, its figures, what can be done with it, and all codes, tried or not. */

import { hueOf } from '../../server/protocol/figures/hue.ts';
import { type ResultOf, type treeInspect, treeSimulations } from '../../server/protocol/index.ts';
import { nodeFlags } from '../../server/protocol/search.ts';
import { actionChip, percent, strippedText, visibleToken } from '../ui/actions.ts';
import { button } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { ask } from '../ui/host.ts';
import { type CodeRow, codeRows } from './code-rows.ts';
import type { Moment, TreeModel } from './model.ts';
import { rewardView } from './reward-view.ts';
import { figure, states } from './words.ts';

export type Inspection = ResultOf<typeof treeInspect>;

/** What the letters of a node's figures stand for. */
const meanings: Readonly<Record<string, string>> = {
  N: 'Visits',
  Q: 'Mean value of what was found from here on',
  P: 'Prior: how likely the policy is to choose this action',
  V: 'What the value head expects from here on',
};
/** Shares below are not told apart. */
const seen = 0.001;

/** What there is to say of nodes of a search. */
export interface Kinds {
  /** The reward as a run spec has it. */
  readonly reward: unknown;
  readonly canTune: boolean;
  /** Whether an edge is a turn in a world. */
  readonly turns: boolean;
  /** Whether what is chosen are latent actions. */
  readonly named: boolean;
}

export interface InspectorHandlers {
  label(action: number): string | null;
  /** What the edge to a node wrote, as far as it is known. */
  wrote(node: number): string | undefined;
  select(node: number): void;
  /** Tries an action at the node that is shown. */
  force(action: number): void;
  /** Bans an action there, tried or not. */
  ban(action: number): void;
  /** Bans a child of the node that is shown. */
  banNode(node: number): void;
  mark(mark: 'force' | 'ban' | 'release'): void;
  score(score: number | null): void;
  insert(): void;
  copy(): void;
  read(): void;
  tune(): void;
}

export class Inspector {
  private readonly head = h('div', { class: 'inspector-head' });
  private readonly text = h('div', { class: 'inspector-text' });
  private readonly reward = h('div', { class: 'inspector-reward' });
  private readonly doing = h('div', { class: 'inspector-actions' });
  private readonly stars = h('input', {
    type: 'range',
    min: 0,
    max: 1,
    step: 0.05,
    'aria-label': 'Your score, 0 to 1',
  });
  private readonly starred = h('span', { class: 'number' });
  private readonly clear: HTMLElement;
  private readonly codes = h('tbody');
  /** Tokens whose codes have a row each. */
  private readonly unfolded = new Set<number>();
  private last: { readonly inspection: Inspection; readonly model: TreeModel } | undefined;
  readonly element: HTMLElement;
  private shown = -1;
  private order = -1;

  constructor(
    private readonly handlers: InspectorHandlers,
    private readonly kinds: Kinds,
  ) {
    const { turns, named } = kinds;
    this.stars.addEventListener('change', () => handlers.score(Number(this.stars.value)));
    this.clear = button({
      label: 'Take the score back',
      icon: 'discard',
      kind: 'icon',
      onPress: () => handlers.score(null),
    });
    const heads = [turns ? 'Turn' : 'Writes', 'Prior', 'Visits', 'Q', ...(named ? ['Action'] : [])];
    this.codes.addEventListener('click', (event) => this.clicked(event));
    this.codes.addEventListener('keydown', (event) => this.pressed(event));
    this.element = h(
      'aside',
      { class: 'inspector', 'aria-label': 'Selected node' },
      this.head,
      this.text,
      this.doing,
      h(
        'div',
        { class: 'score' },
        h('span', { class: 'codicon codicon-star-full', 'aria-hidden': 'true' }),
        this.stars,
        this.starred,
        this.clear,
      ),
      this.reward,
      h('h2', {}, turns ? 'Turns from here' : 'All actions here'),
      h(
        'p',
        { class: 'soft' },
        turns
          ? 'What was tried from here. Click a turn to go there; Shift-click bans it.'
          : 'One row for each next token. Click it to go there, or to force it where it is untried; Shift-click bans it. + shows each action that writes it.',
      ),
      h(
        'table',
        { class: 'codes', 'aria-label': turns ? 'Turns from this node' : 'All actions at this node' },
        h(
          'thead',
          {},
          h('tr', {}, ...heads.map((name, i) => h('th', { class: i > 0 && i < 4 ? 'number' : '' }, name))),
        ),
        this.codes,
      ),
    );
  }

  /** What the page knows by itself; the rest comes with {@link inspected}. */
  show(model: TreeModel, moment: Moment, node: number): void {
    const visits = moment.visits[node] ?? 0;
    const facts: readonly (readonly [string, string])[] = [
      ['N', String(visits)],
      ['Q', figure(moment.q[node])],
      ...(Number.isNaN(model.prior[node]) ? [] : [['P', percent(model.prior[node])] as const]),
      ['depth', String(model.depth[node])],
    ];
    const action = model.action[node];
    const { turns, named } = this.kinds;
    fill(
      this.head,
      node === 0 || !named
        ? h('h2', {}, node === 0 ? (turns ? 'Start' : 'Prompt') : 'Turn')
        : actionChip({ action, label: this.handlers.label(action), token: this.handlers.wrote(node) }, { label: true }),
      ...states(model, node).map((word) => h('span', { class: 'tag' }, word)),
      h(
        'dl',
        { class: 'facts number' },
        ...facts.flatMap(([name, value]) => [h('dt', { title: meanings[name] }, name), h('dd', {}, value)]),
      ),
    );
    this.showDoing(model, node);
    const score = model.score[node];
    if (document.activeElement !== this.stars) this.stars.value = String(Number.isNaN(score) ? 0.5 : score);
    this.stars.classList.toggle('unset', Number.isNaN(score));
    this.clear.hidden = Number.isNaN(score);
    fill(this.starred, Number.isNaN(score) ? 'no score' : figure(score));
    if (node !== this.shown) {
      this.shown = node;
      this.order = -1;
      fill(this.text);
      fill(this.codes);
      fill(this.reward);
      this.unfolded.clear();
      this.last = undefined;
    }
    this.showReward(model, moment, node);
  }

  /** What the engine knows of the node. */
  inspected(inspection: Inspection, model: TreeModel): void {
    const { path, value } = inspection;
    this.last = { inspection, model };
    const faces = path.map(({ action, text }) => ({ action, label: this.handlers.label(action), token: text }));
    const { turns } = this.kinds;
    const begins = turns ? 'Where the episode stands; branches begin here.' : 'The prompt; branches begin here.';
    if (faces.length === 0) fill(this.text, h('p', { class: 'soft' }, begins));
    else if (turns) fill(this.text, h('pre', { class: 'inspector-turns' }, path.map(({ text }) => text).join('')));
    else fill(this.text, strippedText(faces));
    if (value !== null) fill(this.head.querySelector('dl') ?? this.head, ...this.headFacts(value));
    this.list(inspection, model);
  }

  private list({ codes }: Inspection, model: TreeModel): void {
    const focused = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>('tr[data-action]')?.dataset;
    fill(this.codes, ...codeRows(codes, this.unfolded).map((row) => this.row(row, model)));
    const first = this.codes.querySelector<HTMLElement>('tr');
    // An action that has no row of its own any more is in that of its token.
    const again =
      focused === undefined
        ? null
        : (this.codes.querySelector<HTMLElement>(`tr[data-action="${focused.action}"]`) ??
          this.codes.querySelector<HTMLElement>(`tr[data-token="${focused.token}"]`));
    if (first !== null) first.tabIndex = 0;
    again?.focus();
  }

  focusScore(): void {
    this.stars.focus();
  }

  private headFacts(value: number): Node[] {
    const facts = [...(this.head.querySelector('dl')?.childNodes ?? [])].filter(
      (each) => !(each as HTMLElement).classList.contains('value'),
    );
    return [...facts, h('dt', { class: 'value', title: meanings.V }, 'V'), h('dd', { class: 'value' }, figure(value))];
  }

  private showDoing(model: TreeModel, node: number): void {
    const { handlers } = this;
    const forced = model.has(node, nodeFlags.forced);
    const banned = model.has(node, nodeFlags.banned);
    const mark = (name: 'force' | 'ban', is: boolean) =>
      button({
        label: is ? 'Release' : name === 'force' ? 'Force' : 'Ban',
        icon: is ? 'unlock' : name === 'force' ? 'pinned' : 'circle-slash',
        title: is
          ? 'Takes it back'
          : name === 'force'
            ? 'Visit only this branch here (F)'
            : 'Never visit this branch again (B)',
        onPress: () => handlers.mark(is ? 'release' : name),
      });
    fill(
      this.doing,
      node > 0 && mark('force', forced),
      node > 0 && mark('ban', banned),
      node > 0 &&
        !this.kinds.turns &&
        button({ label: 'Insert', icon: 'insert', title: 'Into the editor used last (I)', onPress: handlers.insert }),
      node > 0 && button({ label: 'Copy', icon: 'copy', onPress: handlers.copy }),
      node > 0 &&
        button({ label: 'Read', icon: 'book', title: 'As text, with the prompt (R)', onPress: handlers.read }),
      node > 0 && this.kinds.canTune && button({ label: 'Tune from this path', icon: 'wand', onPress: handlers.tune }),
    );
  }

  /** The parts of the reward of the first simulation that ended at the node. */
  private showReward(model: TreeModel, { done }: Moment, node: number): void {
    const order = model.simulated.indexOf(node);
    if (order < 0 || order >= done) {
      this.order = -1;
      fill(this.reward);
      return;
    }
    if (order === this.order) return;
    this.order = order;
    const judged = this.kinds.turns ? 'The whole episode' : 'The answer that was judged';
    ask(treeSimulations, { from: order, to: order + 1 }).then(
      ({ simulations: [simulation] }) => {
        if (this.order === order && simulation !== undefined)
          fill(this.reward, ...rewardView(simulation, this.kinds.reward, judged));
      },
      () => {
        this.order = -1;
      },
    );
  }

  private row({ code, others, probability, share }: CodeRow, model: TreeModel): HTMLElement {
    const { action, label, text, token, q, child } = code;
    const { colour } = hueOf(action);
    const tried = child !== null;
    const banned = tried && model.has(child, nodeFlags.banned);
    const bar = (value: number, name: string) =>
      h(
        'td',
        { class: `number bar ${name}` },
        h('i', { style: { width: `${100 * value}%`, '--hue': colour } }),
        h('span', {}, value > 0 && value < seen ? '<0.1 %' : percent(value)),
      );
    const word = banned ? 'banned' : tried ? 'tried' : 'untried';
    const all = [action, ...others.map((other) => other.action)];
    const { turns, named } = this.kinds;
    const name = turns ? 'turn' : (label ?? `action ${action}`);
    const title = `${name}, ${word}. ${tried ? 'Click to go there' : 'Click to force it'}, Shift-click to ban it.`;
    return h(
      'tr',
      {
        class: word,
        tabindex: -1,
        'data-action': action,
        'data-actions': all.join(' '),
        'data-token': token,
        'data-child': tried ? child : undefined,
        title,
      },
      h('td', { class: 'code next' }, turns ? text : visibleToken(text)),
      bar(probability, 'prior'),
      tried ? bar(share, 'share') : h('td', { class: 'number soft' }, '–'),
      h('td', { class: 'number' }, figure(q)),
      named &&
        h(
          'td',
          {},
          h(
            'div',
            { class: 'code-names' },
            // What it writes stands in front already.
            actionChip({ action, label, probability: code.probability }, { label: true }),
            others.length > 0 &&
              h(
                'button',
                {
                  class: 'unfold',
                  type: 'button',
                  tabindex: -1,
                  title: `Actions ${others.map((other) => other.action).join(', ')} write the same here. Show each (→)`,
                  'aria-label': `Show each of ${all.length} actions that write the same here`,
                },
                `+${others.length}`,
              ),
          ),
        ),
    );
  }

  /** Gives each code of a row one of its own, or takes that back. */
  private unfold({ dataset }: HTMLElement, open: boolean): void {
    const token = Number(dataset.token);
    if (open) this.unfolded.add(token);
    else this.unfolded.delete(token);
    if (this.last !== undefined) this.list(this.last.inspection, this.last.model);
  }

  private clicked(event: MouseEvent): void {
    const row = (event.target as Element).closest<HTMLElement>('tr[data-action]');
    if (row === null) return;
    if ((event.target as Element).closest('.unfold') !== null) this.unfold(row, true);
    else this.choose(row, event.shiftKey);
  }

  private choose({ dataset }: HTMLElement, ban: boolean): void {
    const action = Number(dataset.action);
    // What is not to be written is banned in all its names.
    if (ban && this.kinds.turns) this.handlers.banNode(Number(dataset.child));
    else if (ban) for (const each of dataset.actions?.split(' ') ?? []) this.handlers.ban(Number(each));
    else if (dataset.child === undefined) this.handlers.force(action);
    else this.handlers.select(Number(dataset.child));
  }

  private pressed(event: KeyboardEvent): void {
    const row = (event.target as Element).closest<HTMLElement>('tr[data-action]');
    if (row === null || event.altKey) return;
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    if (next instanceof HTMLElement) next.focus();
    else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') this.unfold(row, event.key === 'ArrowRight');
    else if (event.key === 'Enter' || event.key === ' ') this.choose(row, event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
