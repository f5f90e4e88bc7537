/** A conversation of an agent with its environment: one that a run had, or one that is played. */
import { z } from 'zod';
import {
  type ConversationSubject,
  conversationAlternatives,
  conversationBack,
  conversationOpen,
  conversationPick,
  conversationPlay,
  conversationProgress,
  conversationRestart,
  conversationSearch,
  conversationSubject,
  conversationTurn,
  readConversation,
} from '../../server/protocol/pages/conversation.ts';
import { type PlayProgress, type PlayState, playWorld } from '../../server/protocol/play.ts';
import { failureWords } from '../run/failure.ts';
import { button, dropdown, textField } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { ask, on, saved } from '../ui/host.ts';
import '../ui/base.css';
import './conversation.css';
import { Composer } from './composer.ts';
import { TurnsView } from './turns.ts';
import { shownPlay, shownSample } from './words.ts';

const kept = z.object({ subject: conversationSubject }).catch({ subject: { kind: 'none' } });
type PlaySubject = Extract<ConversationSubject, { kind: 'play' }>;

const waits: Readonly<Record<NonNullable<PlayProgress['waits']>, string>> = {
  environment: 'Starting the environment…',
  model: 'Loading the model…',
  writing: 'The model writes…',
  answer: 'Waiting for the environment…',
};

class ConversationPage {
  private readonly message = h('div');
  private readonly turns = new TurnsView();
  private readonly composer = new Composer({
    type: (text) => this.play((signal) => ask(conversationTurn, { by: 'you', text }, signal)),
    ask: (by) => this.play((signal) => ask(conversationTurn, { by }, signal)),
    alternatives: () => void this.choose(),
    pick: (alternative, whole) => this.play((signal) => ask(conversationPick, { alternative, whole }, signal)),
    search: () => void this.waitFor((signal) => ask(conversationSearch, {}, signal)),
    back: () => this.play((signal) => ask(conversationBack, {}, signal)),
    stop: () => this.stopping?.abort(),
  });
  private readonly told = h('pre');
  private readonly rules = h('details', {}, h('summary', {}, 'What an agent is told'), this.told);
  /** Ends what is waited for. */
  private stopping: AbortController | undefined;
  private state: PlayState | undefined;

  constructor(private readonly place: HTMLElement) {
    on(conversationProgress, ({ waits: what, token }) => {
      if (this.stopping === undefined) return;
      if (what !== undefined) this.composer.wait(waits[what]);
      if (token !== undefined) this.composer.write(token);
    });
  }

  async start(): Promise<void> {
    saved.set(kept.parse(saved.get()));
    const { subject } = await ask(readConversation, {});
    saved.set({ subject });
    if (subject.kind === 'none') this.showNothing();
    else if (subject.kind === 'sample') this.showSample(subject);
    else this.showPlay(subject);
  }

  private showNothing(): void {
    fill(
      this.place,
      h(
        'div',
        { class: 'empty' },
        h('h1', {}, 'No conversation'),
        h(
          'p',
          {},
          'An agent and its environment speak in turns. Play one yourself, or open one from the samples of a run.',
        ),
        button({
          label: 'Play an environment…',
          icon: 'play',
          kind: 'primary',
          onPress: () => void this.attempt(() => ask(conversationPlay, {})),
        }),
        this.message,
      ),
    );
  }

  private showSample({ run, sample }: Extract<ConversationSubject, { kind: 'sample' }>): void {
    this.turns.show(shownSample(sample));
    const words = `Step ${sample.step} of ${run.run}, ${sample.stage}`;
    fill(
      this.place,
      h('header', { class: 'head' }, h('h1', {}, 'Conversation'), h('p', { class: 'soft' }, words)),
      this.turns.element,
    );
  }

  private showPlay({ setup, model }: PlaySubject): void {
    let { side } = setup;
    const seed = textField({ label: 'Seed of the world', value: String(setup.seed), size: 8 });
    const restart = () => {
      const world = playWorld.safeParse({ seed: Number(seed.value), side });
      if (!world.success) {
        this.say('The seed is no whole number from 0 on.', 'Correct it.');
        return;
      }
      saved.set({ subject: { kind: 'play', setup: { ...setup, ...world.data }, model } });
      this.play((signal) => ask(conversationRestart, world.data, signal));
    };
    seed.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') restart();
    });
    const who = model === null ? 'You play alone' : `You and ${model} play`;
    fill(
      this.place,
      h(
        'header',
        { class: 'head' },
        h('h1', {}, setup.environment),
        h('p', { class: 'soft' }, `${who}. Worlds follow from their seed.`),
        h(
          'div',
          { class: 'toolbar-group' },
          seed,
          dropdown<typeof side>({
            label: 'Which worlds',
            options: [
              { value: 'seen', label: 'worlds of training' },
              { value: 'unseen', label: 'unseen worlds' },
            ],
            value: side,
            onChange: (chosen) => {
              side = chosen;
            },
          }),
          button({ label: 'Start again', icon: 'debug-restart', onPress: restart }),
        ),
        this.rules,
      ),
      this.turns.element,
      this.message,
      this.composer.element,
    );
    this.rules.hidden = this.turns.element.hidden = true;
    this.play((signal) => ask(conversationOpen, {}, signal));
  }

  /** Does one thing at a time, and shows what became of the episode. */
  private play(work: (signal: AbortSignal) => Promise<PlayState>): void {
    void this.waitFor(async (signal) => this.showState(await work(signal)));
  }

  private async choose(): Promise<void> {
    const found = await this.waitFor((signal) => ask(conversationAlternatives, {}, signal));
    if (found !== undefined) this.composer.offer(found.alternatives);
  }

  private async waitFor<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    if (this.stopping !== undefined) return undefined;
    const stopping = new AbortController();
    this.stopping = stopping;
    const before = document.activeElement;
    this.composer.wait('Waiting…');
    try {
      return await this.attempt(() => work(stopping.signal));
    } finally {
      this.stopping = undefined;
      this.composer.wait(null);
      if (stopping.signal.aborted) this.stopped();
      // What was pressed last may be pressed again.
      const stays = before instanceof HTMLElement && before !== document.body && before.checkVisibility();
      if (stays) before.focus();
      else this.composer.focus();
    }
  }

  /** What was written of a turn that was broken off is gone. */
  private stopped(): void {
    if (this.state === undefined) this.say('The episode has not begun.', 'Press "Start again".');
    else this.play((signal) => ask(conversationOpen, {}, signal));
  }

  private showState(state: PlayState): void {
    this.state = state;
    this.told.textContent = state.told;
    this.rules.hidden = state.told === '';
    this.turns.element.hidden = false;
    this.turns.show(shownPlay(state));
    this.composer.show(state);
    // The latest turn stands above what stays at the bottom.
    window.scrollTo(0, document.documentElement.scrollHeight);
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    fill(this.message);
    try {
      return await work();
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return undefined;
      const { message, remedy } = failureWords(error);
      this.say(message, remedy);
      return undefined;
    }
  }

  private say(message: string, remedy: string): void {
    fill(this.message, h('div', { class: 'trouble', role: 'alert' }, h('span', {}, `${message} ${remedy}`)));
  }
}

const place = document.getElementById('page');
if (place !== null) void new ConversationPage(place).start();
