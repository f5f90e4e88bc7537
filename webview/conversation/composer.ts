/** Where a person takes the agent's turn: typed, chosen by its actions, or left to the model or the player who knows how. */
import type { PlayAlternative, PlayState, PlayToken } from '../../server/protocol/play.ts';
import { actionChip, percent, strippedText } from '../ui/actions.ts';
import { button, setDisabled, textField } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { roveGrid } from '../ui/roving.ts';
import { tokensOf } from './words.ts';

export interface Moves {
  type(text: string): void;
  ask(by: 'model' | 'expert'): void;
  alternatives(): void;
  /** Searches over turns from here. */
  search(): void;
  pick(alternative: number, whole: boolean): void;
  back(): void;
  stop(): void;
}

export class Composer {
  readonly element = h('section', { class: 'composer', 'aria-label': 'Next turn' });
  private readonly draft = h('div', { class: 'draft' });
  private readonly waiting = h('p', { class: 'waiting soft', role: 'status' });
  private readonly choices = h('div', { class: 'choices', role: 'group', 'aria-label': 'How the turn could go on' });
  private readonly possible = h('div', { class: 'possible', role: 'group', 'aria-label': 'What can be done' });
  private readonly hints = h('details', {}, h('summary', {}, 'What can be done'), this.possible);
  private readonly field = textField({ label: "The agent's turn", placeholder: 'What the agent says', size: 50 });
  private readonly send = button({ label: 'Say', icon: 'send', kind: 'primary', onPress: () => this.sendTyped() });
  private readonly model = button({
    label: 'Let the model',
    icon: 'hubot',
    title: 'The model writes the turn',
    onPress: () => this.moves.ask('model'),
  });
  private readonly actions = button({
    label: 'Choose its action',
    icon: 'list-selection',
    title: 'What the likeliest latent actions would write here',
    onPress: () => this.moves.alternatives(),
  });
  private readonly search = button({
    label: 'Search from here',
    icon: 'list-tree',
    title: 'Tries turns from here, plays each to its end, and shows them as a tree',
    onPress: () => this.moves.search(),
  });
  private readonly expert = button({
    label: 'Show me',
    icon: 'lightbulb',
    title: 'The player who knows how takes the turn',
    onPress: () => this.moves.ask('expert'),
  });
  private readonly back = button({
    label: 'One turn back',
    icon: 'discard',
    onPress: () => this.moves.back(),
  });
  private readonly stop = button({ label: 'Stop', icon: 'debug-stop', onPress: () => this.moves.stop() });
  private readonly typed = h('div', { class: 'typed' }, this.field, this.send);
  private state: PlayState | undefined;
  private busy = false;

  constructor(private readonly moves: Moves) {
    this.field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.isComposing) this.sendTyped();
    });
    this.element.append(
      this.draft,
      this.typed,
      h('div', { class: 'toolbar-group' }, this.model, this.actions, this.search, this.expert, this.back, this.stop),
      this.waiting,
      this.choices,
      this.hints,
    );
    this.stop.hidden = this.choices.hidden = this.draft.hidden = this.hints.hidden = true;
    this.model.hidden = this.actions.hidden = this.search.hidden = this.expert.hidden = true;
  }

  show(state: PlayState): void {
    this.state = state;
    this.showDraft(state.draft);
    this.offer([]);
    const open = state.ended === null;
    this.typed.hidden = !open;
    this.model.hidden = !open || state.decoding === null;
    this.actions.hidden = !open || state.decoding !== 'actions';
    this.search.hidden = !open || state.decoding === null || state.draft.length > 0;
    this.expert.hidden = !open || !state.expert;
    this.showPossible(open ? (state.possible ?? []) : []);
    this.settle();
  }

  /** What is waited for; null once it is there. */
  wait(words: string | null): void {
    this.busy = words !== null;
    this.waiting.textContent = words ?? '';
    this.settle();
  }

  /** A token that was written, of a turn that is not whole yet. */
  write(token: PlayToken): void {
    const before = this.state?.draft ?? [];
    if (this.state !== undefined) this.state = { ...this.state, draft: [...before, token] };
    this.showDraft(this.state?.draft ?? []);
  }

  /** Shows how the turn could go on, and goes to the first. */
  offer(alternatives: readonly PlayAlternative[]): void {
    this.choices.hidden = alternatives.length === 0;
    fill(this.choices, ...alternatives.map((each, i) => this.choiceOf(each, i)));
    this.choices.querySelector<HTMLElement>('.choice')?.focus();
  }

  /** Where the person goes on. */
  focus(): void {
    (this.typed.hidden ? this.back : this.field).focus();
  }

  private choiceOf({ tokens, text, probability }: PlayAlternative, index: number): HTMLElement {
    const [face] = tokensOf(tokens.slice(0, 1), this.state?.labels ?? []);
    if (face === undefined) throw new Error('an alternative has an action');
    const name = [`Action ${face.action}`, ...(face.label ? [face.label] : []), percent(probability), text].join(', ');
    return h(
      'div',
      { class: 'choice-row' },
      h(
        'button',
        {
          type: 'button',
          class: 'choice',
          'aria-label': `Say it: ${name}`,
          title: 'Take the whole turn',
          on: { click: () => this.moves.pick(index, true) },
        },
        actionChip(face, { label: true }),
        h('span', { class: 'number soft' }, percent(probability)),
        h('span', { class: 'code choice-text' }, text === '' ? '(nothing)' : text),
      ),
      button({
        label: `Take only its first token: ${JSON.stringify(face.token)}`,
        icon: 'debug-step-over',
        kind: 'icon',
        onPress: () => this.moves.pick(index, false),
      }),
    );
  }

  private showDraft(draft: readonly PlayToken[]): void {
    this.draft.hidden = draft.length === 0;
    const tokens = tokensOf(draft, this.state?.labels ?? []);
    const text = draft.map(({ text: each }) => each).join('');
    fill(
      this.draft,
      h('span', { class: 'who' }, 'So far'),
      tokens.length > 0 ? strippedText(tokens) : h('pre', {}, text),
    );
  }

  private showPossible(possible: readonly string[]): void {
    this.hints.hidden = possible.length === 0;
    const cells = possible.map((text) =>
      h('button', { type: 'button', class: 'hint code', on: { click: () => this.take(text) } }, text),
    );
    fill(this.possible, ...cells);
    if (cells.length > 0) roveGrid(this.possible, cells, 1);
  }

  private take(text: string): void {
    this.field.value = text;
    this.focus();
  }

  private sendTyped(): void {
    const text = this.field.value.trim();
    if (text === '' || this.busy || this.state?.ended !== null) return;
    this.field.value = '';
    this.moves.type(text);
  }

  private settle(): void {
    const { busy, state } = this;
    const still = busy || state === undefined || state.ended !== null;
    for (const control of [this.send, this.model, this.actions, this.search, this.expert]) setDisabled(control, still);
    setDisabled(this.back, busy || state?.back !== true);
    this.stop.hidden = !busy;
    this.waiting.hidden = !busy;
    this.element.setAttribute('aria-busy', String(busy));
  }
}
