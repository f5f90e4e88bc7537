/** The turns of a conversation: what the agent said with its actions, what the environment answered, and what that earned. */
import { actionStrip, strippedText } from '../ui/actions.ts';
import { fill, h, icon } from '../ui/elements.ts';
import { rewardText, type Shown, type ShownTurn, sumWords } from './words.ts';

/** Chips of a turn of a run, whose tokens are not known one by one. */
const mostChips = 256;

export class TurnsView {
  private readonly list = h('ol', { class: 'turns', 'aria-label': 'Turns', 'aria-live': 'polite' });
  private readonly start = h('div', { class: 'world' });
  private readonly end = h('p', { class: 'ending' });
  private readonly sum = h('p', { class: 'sum number', role: 'status' });
  readonly element = h('section', { class: 'conversation', 'aria-label': 'Conversation' });
  private shown: readonly string[] = [];

  constructor() {
    this.element.append(this.start, this.list, this.end, this.sum);
  }

  show(shown: Shown): void {
    fill(this.start, h('span', { class: 'who' }, icon('globe'), 'Environment'), h('pre', {}, shown.start));
    // Those that stay are left alone: what is selected or read aloud in them is not disturbed.
    const keys = shown.turns.map((turn) => JSON.stringify(turn));
    const same = keys.findIndex((key, i) => key !== this.shown[i]);
    const kept = same < 0 ? keys.length : same;
    while (this.list.children.length > kept) this.list.lastElementChild?.remove();
    for (const [i, turn] of shown.turns.entries()) if (i >= kept) this.list.append(turnOf(turn, i + 1));
    this.shown = keys;
    this.list.hidden = shown.turns.length === 0;
    this.end.textContent = shown.end;
    this.end.hidden = shown.end === '';
    this.end.classList.toggle('bad', shown.bad);
    this.sum.textContent = sumWords(shown);
  }
}

function turnOf({ who, said, tokens, actions, observation, reward }: ShownTurn, number: number): HTMLElement {
  const earned = reward === null || reward === 0 ? null : rewardText(reward);
  const text =
    tokens.length > 0
      ? h('div', { class: 'said', role: 'group', 'aria-label': said }, strippedText(tokens))
      : h('pre', { class: 'said' }, said === '' ? '(nothing)' : said);
  return h(
    'li',
    { class: 'turn' },
    h(
      'div',
      { class: 'agent' },
      h(
        'span',
        { class: 'who' },
        icon(who === 'You' ? 'person' : 'hubot'),
        `${number}. ${who}`,
        earned !== null &&
          h(
            'span',
            { class: `tag number ${Number(reward) > 0 ? 'good' : 'bad'}`, 'data-reward': '' },
            `reward ${earned}`,
          ),
      ),
      text,
      actions.length > 0 &&
        actionStrip(
          actions.map((action) => ({ action })),
          mostChips,
        ),
    ),
    h(
      'div',
      { class: 'world' },
      h('span', { class: 'who' }, icon('globe'), 'Environment'),
      observation === null ? h('p', { class: 'soft' }, 'No answer.') : h('pre', {}, observation),
    ),
  );
}
