/** What the keys of `keys.ts` do, wherever the focus is, except while the person types. */
import { type Direction, directionOf, type Orientation } from './navigation.ts';

export interface KeyHandlers {
  /** Whether there is a tree to act on. */
  ready(): boolean;
  orientation(): Orientation;
  walk(direction: Direction): void;
  home(): void;
  /** Unfolds what is selected, or folds it. */
  toggle(): void;
  /** Shows the nodes of a card one by one, or as one card again. */
  apart(): void;
  mark(mark: 'force' | 'ban'): void;
  score(): void;
  insert(): void;
  read(): void;
  search(): void;
  help(): void;
  zoom(factor: number): void;
  fit(): void;
  back(): void;
}

export class Keyboard {
  constructor(private readonly handlers: KeyHandlers) {
    // Of the document, not of the page: a button that is hidden while it has the focus leaves it to the body.
    document.addEventListener('keydown', this.pressed);
  }

  close(): void {
    document.removeEventListener('keydown', this.pressed);
  }

  private readonly pressed = (event: KeyboardEvent): void => {
    const { handlers } = this;
    const target = event.target as HTMLElement;
    if (!handlers.ready() || event.ctrlKey || event.metaKey || event.isComposing) return;
    const typing = target.closest('vscode-text-field, vscode-text-area, input, textarea, vscode-dropdown') !== null;
    const inTree = target.closest('.stage') !== null;
    const direction = event.altKey || inTree ? directionOf(event.key, handlers.orientation()) : undefined;
    if (direction !== undefined && !typing) {
      event.preventDefault();
      handlers.walk(direction);
      return;
    }
    if (typing || event.altKey) return;
    const act = this.keys(inTree)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  };

  private keys(inTree: boolean): Readonly<Record<string, (() => void) | undefined>> {
    const { handlers } = this;
    return {
      c: () => handlers.apart(),
      f: () => handlers.mark('force'),
      b: () => handlers.mark('ban'),
      s: () => handlers.score(),
      i: () => handlers.insert(),
      r: () => handlers.read(),
      '/': () => handlers.search(),
      '?': () => handlers.help(),
      '+': () => handlers.zoom(1.25),
      '-': () => handlers.zoom(0.8),
      '0': () => handlers.fit(),
      Enter: inTree ? () => handlers.toggle() : undefined,
      Home: inTree ? () => handlers.home() : undefined,
      Escape: () => handlers.back(),
    };
  }
}
