/** The cards in view, as elements; one that leaves the view is used for another that comes in. */

import type { TreeNode } from '../../../server/protocol/index.ts';
import { nodeFlags } from '../../../server/protocol/search.ts';
import { actionStrip } from '../../ui/actions.ts';
import { custom, fill, h } from '../../ui/elements.ts';
import type { NodeDetails } from '../details.ts';
import { ending, figure, figures, share, spoken, states } from '../words.ts';
import type { Picture } from './drawing.ts';
import { linesOf } from './scene.ts';

/** Characters of a line on a card, chips of a strip. */
const lineLength = 23;
const chips = 7;

export interface CardHandlers {
  select(node: number): void;
  /** Folds or unfolds. */
  toggle(node: number): void;
  /** Shows the nodes that share a card one by one. */
  apart(node: number): void;
  label(action: number): string | null;
  /** Whether what is chosen are latent actions. */
  readonly named: boolean;
  /** The text of the prompt, which is on the root's card. */
  prompt(): string;
}

interface Card {
  readonly element: HTMLElement;
  /** What it shows; it is filled anew when this changes. */
  content: string;
}

export const cardId = (node: number) => `card-${node}`;

export class CardLayer {
  readonly element = custom('div', { class: 'cards', role: 'presentation' });
  private readonly shown = new Map<number, Card>();
  private spare: HTMLElement[] = [];

  constructor(
    private readonly details: NodeDetails,
    private readonly handlers: CardHandlers,
  ) {
    this.element.addEventListener('click', (event) => this.clicked(event));
    this.element.addEventListener('dblclick', (event) => {
      const node = this.nodeOf(event);
      if (node !== undefined) handlers.toggle(node);
    });
  }

  /** Shows exactly these places. */
  update(picture: Picture, places: readonly number[]): void {
    const wanted = new Map(places.map((place) => [keyOf(picture, place), place]));
    for (const [key, { element }] of this.shown) {
      if (wanted.has(key)) continue;
      this.shown.delete(key);
      element.remove();
      this.spare.push(element);
    }
    for (const [key, place] of wanted) {
      let card = this.shown.get(key);
      if (card === undefined) {
        card = { element: this.spare.pop() ?? h('div'), content: '' };
        this.shown.set(key, card);
        this.element.append(card.element);
      }
      this.put(card, picture, place);
    }
    this.spare = this.spare.slice(0, 100);
  }

  /** Lets a card light up once. */
  pulse(node: number): void {
    const element = this.shown.get(node)?.element;
    element?.classList.remove('pulse');
    // The browser must have seen it without, to begin anew.
    if (element !== undefined && element.offsetWidth > 0) element.classList.add('pulse');
  }

  private put(card: Card, picture: Picture, place: number): void {
    const { scene, model, moment, selected, principal, found } = picture;
    const { x, y, width, height } = scene.rect(place);
    const { style } = card.element;
    style.transform = `translate(${x}px, ${y}px)`;
    style.width = `${width}px`;
    style.height = `${height}px`;
    const node = scene.shown.node[place];
    const folded = scene.shown.folded[place];
    if (folded > 0) {
      this.fillStub(card, node, folded);
      return;
    }
    const chain = scene.shown.chain[place];
    const details = chain.map((each) => this.details.get(each));
    const best = principal.has(chain[0]);
    const marks = [node === selected, best, found.has(node), scene.stubOf(node) !== undefined];
    const figuresNow = [moment.visits[node], moment.q[node], model.flags[node], picture.range.join()];
    const known = details.map((each) => (each === undefined ? '' : serial(each)));
    const content = [chain.join(), ...known, ...figuresNow, ...marks].join('|');
    if (content !== card.content) {
      card.content = content;
      this.fillCard(card.element, picture, place, details);
    }
  }

  private fillStub(card: Card, node: number, folded: number): void {
    const content = `stub|${node}|${folded}`;
    if (content === card.content) return;
    card.content = content;
    const { element } = card;
    reset(element, 'stub');
    element.dataset.stub = String(node);
    element.setAttribute('role', 'none');
    element.title = `${folded} nodes with few visits. Click to unfold.`;
    fill(element, `+${folded}`);
  }

  /** @param all what is known of the nodes of the card */
  private fillCard(
    element: HTMLElement,
    picture: Picture,
    place: number,
    all: readonly (TreeNode | undefined)[],
  ): void {
    const { model, moment, scene, selected, principal, found, range } = picture;
    const chain = scene.shown.chain[place];
    const [first] = chain;
    const node = scene.shown.node[place];
    const details = all.at(-1);
    const has = (bit: number) => model.has(node, bit);
    const classes = [
      'card',
      node === selected && 'selected',
      principal.has(first) && 'principal',
      found.has(node) && 'found',
      has(nodeFlags.banned) && 'banned',
      has(nodeFlags.forced) && 'forced',
    ];
    reset(element, classes.filter(Boolean).join(' '));
    const text = node === 0 ? this.handlers.prompt() : this.details.textOf(chain);
    const siblings = model.parent[first] < 0 ? [first] : model.childrenAt(model.parent[first], moment);
    const words = ending(text, 200);
    const aria: Record<string, string | number> = {
      role: 'treeitem',
      'aria-level': scene.depthOf(place) + 1,
      'aria-setsize': siblings.length,
      'aria-posinset': siblings.indexOf(first) + 1,
      'aria-selected': String(node === selected),
      'aria-label': spoken(model, moment, chain, words, this.nameOf(model, first)),
    };
    if (model.childrenAt(node, moment).length > 0) aria['aria-expanded'] = String(scene.stubOf(node) === undefined);
    for (const [name, value] of Object.entries(aria)) element.setAttribute(name, String(value));
    element.id = cardId(node);
    element.dataset.node = String(node);
    const reward = details?.reward ?? null;
    const q = moment.q[node];
    fill(
      element,
      h('div', { class: 'card-text code' }, ending(text, lineLength * linesOf(scene.tokensOf(place))) || ' '),
      h(
        'div',
        { class: 'card-strip' },
        node === 0 || !this.handlers.named
          ? h('span', { class: 'soft' }, node === 0 ? 'prompt' : 'turn')
          : this.strip(picture, first, all),
      ),
      h(
        'div',
        { class: 'card-figures number' },
        h('span', {}, figures(moment.visits[node], q, details?.value)),
        ...this.tags(picture, node, reward),
        chain.length > 1 &&
          h(
            'span',
            { class: 'card-chain', 'data-chain': node, title: 'Show each of them (C)' },
            `${chain.length} in a row`,
          ),
      ),
      h('div', { class: 'card-bar' }, h('i', { style: { width: `${100 * share(q, range)}%` } })),
    );
  }

  /** What is chosen on the edge to a node, for a screen reader. */
  private nameOf({ action }: Picture['model'], node: number): string {
    if (node === 0) return 'prompt';
    if (!this.handlers.named) return 'turn';
    const label = this.handlers.label(action[node]);
    return `action ${action[node]}${label ? `, ${label}` : ''}`;
  }

  private strip({ model, moment }: Picture, node: number, all: readonly (TreeNode | undefined)[]): HTMLElement {
    const first = model.action[node];
    const others = model.childrenAt(model.parent[node], moment).filter((child) => child !== node);
    const next = others.reduce((most, child) => (model.prior[child] > (model.prior[most] ?? -1) ? child : most), -1);
    const runnerUp = next < 0 ? undefined : { action: model.action[next], probability: model.prior[next] };
    const rest = all.flatMap((each) => each?.actions ?? []).slice(1);
    const prior = model.prior[node];
    const head = { action: first, label: this.handlers.label(first), runnerUp, token: all[0]?.text };
    const faces = [
      Number.isNaN(prior) ? head : { ...head, probability: prior },
      ...rest.map((action) => ({ action, label: this.handlers.label(action) })),
    ];
    return actionStrip(faces, chips);
  }

  private tags({ model }: Picture, node: number, reward: number | null): HTMLElement[] {
    const tags = states(model, node)
      .filter((word) => word !== 'ended')
      .map((word) => h('span', { class: 'tag' }, word));
    const score = model.score[node];
    if (!Number.isNaN(score)) tags.push(h('span', { class: 'tag', title: 'Your score' }, `★ ${figure(score)}`));
    else if (model.has(node, nodeFlags.terminal) && reward !== null) {
      tags.push(h('span', { class: 'tag', title: 'The answer ends here, with this reward' }, `■ ${figure(reward)}`));
    } else if (model.has(node, nodeFlags.terminal))
      tags.push(h('span', { class: 'tag', title: 'The answer ends here' }, '■'));
    return tags;
  }

  private clicked(event: MouseEvent): void {
    const stub = (event.target as Element).closest<HTMLElement>('[data-stub]')?.dataset.stub;
    if (stub !== undefined) {
      this.handlers.toggle(Number(stub));
      return;
    }
    const chain = (event.target as Element).closest<HTMLElement>('[data-chain]')?.dataset.chain;
    if (chain !== undefined) this.handlers.apart(Number(chain));
    const node = this.nodeOf(event);
    if (node !== undefined) this.handlers.select(node);
  }

  private nodeOf(event: MouseEvent): number | undefined {
    const node = (event.target as Element).closest<HTMLElement>('[data-node]')?.dataset.node;
    return node === undefined ? undefined : Number(node);
  }
}

/** Stubs have numbers of their own beside the nodes. */
const keyOf = ({ scene }: Picture, place: number) =>
  scene.shown.folded[place] > 0 ? -1 - scene.shown.node[place] : scene.shown.node[place];

const serial = ({ text, actions, value, reward }: TreeNode) => [text, actions.length, value, reward].join('\u0001');

function reset(element: HTMLElement, className: string): void {
  for (const { name } of [...element.attributes]) if (name !== 'style') element.removeAttribute(name);
  element.className = className;
}
