/**
 * What happens to completions, for whoever learns from it. The editor tells an extension little of its ghost text: what is
 * said here was seen from outside, and `rejected` with the reason `moved` is the weakest of it.
 */
import type { ActionControl, Alternative } from '../../server/protocol/index.ts';

/** A list of alternatives that was offered at one place. */
export interface Offer {
  /** Counts up; the same in all events of one offer. */
  readonly id: number;
  /** Of the document. */
  readonly uri: string;
  readonly languageId: string;
  /** Where the alternatives begin: line and character from 0, and the offset in the document. */
  readonly position: { readonly line: number; readonly character: number };
  readonly offset: number;
  /** Text before the place, as the model was given it: of a long document its end. */
  readonly prefix: string;
  /** Text behind the place, of a long document its start. */
  readonly suffix: string;
  /** Folder of the model that answered, as far as the status says. */
  readonly model: string | null;
  readonly control: ActionControl;
  /** `typing`: the editor asked by itself; `asked`: the person did, by command or cycling; `picker`: from the list of actions. */
  readonly trigger: 'typing' | 'asked' | 'picker';
  /** Most probable first action first, but for one that was on the screen already: that comes first. */
  readonly alternatives: readonly Alternative[];
}

interface About {
  readonly offer: Offer;
  /** Of the alternative that is on the screen. */
  readonly index: number;
}

export type CompletionEvent =
  | (About & { readonly kind: 'shown' })
  /** Another alternative of the same offer is on the screen; `from` is the one before. */
  | (About & { readonly kind: 'cycled'; readonly from: number })
  /** Chosen in the list of actions, and inserted. */
  | (About & { readonly kind: 'picked' })
  /**
   * `text` was inserted: all that was left, or a word or a line of it. `typed`: the person wrote it letter by letter, to
   * the end. `kept`: characters of the alternative that were in the document before.
   */
  | (About & {
      readonly kind: 'accepted';
      readonly part: 'whole' | 'word' | 'line' | 'typed';
      readonly text: string;
      readonly kept: number;
    })
  /**
   * The ghost text went, and nobody took the rest of it. `escape`: put away by key; `typed`: something else was written;
   * `moved`: the cursor went away. `kept`: characters of the alternative that were written or accepted before.
   */
  | (About & { readonly kind: 'rejected'; readonly reason: 'escape' | 'typed' | 'moved'; readonly kept: number });

type Listener = (event: CompletionEvent) => void;

/** Hands events to all who listen; one that fails keeps nothing from the others. */
export class CompletionEvents {
  private readonly listeners = new Set<Listener>();

  /** @param failed told of an error in a listener */
  constructor(private readonly failed: (error: unknown) => void) {}

  /** @returns what ends the listening */
  on(listener: Listener): { dispose(): void } {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  }

  fire(event: CompletionEvent): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.failed(error);
      }
    }
  }
}
