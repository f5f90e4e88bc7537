/** One ghost text from the moment it is offered until it is taken or gone, and what to say about it. */
import type { CompletionEvent, Offer } from './events.ts';
import { acceptedPart, begin, cycled, type Ghost, listed, typedOn } from './ghost.ts';

/** The editor tells of an accepted text by a command that comes soon after the text: so long an end is held back. */
export const settleMilliseconds = 150;

type Rejection = Extract<CompletionEvent, { kind: 'rejected' }>['reason'];

export class Session {
  private current: Ghost | undefined;
  /** Whether the editor was given the list for this very text when it was asked to: then a step needs no new list. */
  private asked = false;
  /** A step that is taken as soon as the editor has its list. */
  private pending: 1 | -1 | undefined;
  /** What was inserted last, at once. */
  private inserted = '';
  private ending: { readonly event: CompletionEvent; readonly timer: NodeJS.Timeout } | undefined;

  /** @param changed told whenever there is other ghost text, or none */
  constructor(
    private readonly fire: (event: CompletionEvent) => void,
    private readonly changed: (ghost: Ghost | undefined) => void,
  ) {}

  get ghost(): Ghost | undefined {
    return this.current;
  }

  /**
   * A new list.
   *
   * @param complete whether it has all alternatives
   * @param continues whether its first alternative is what was on the screen
   */
  start(offer: Offer, complete: boolean, continues: boolean): void {
    if (!continues) this.end('typed');
    this.settle();
    this.asked = false;
    this.put(begin(offer, complete));
    this.fire({ kind: 'shown', offer, index: 0 });
  }

  /** The text between the place and the cursor, after typing, accepting a part, or moving; undefined: the cursor is elsewhere. */
  moveTo(typed: string | undefined): void {
    const ghost = this.current;
    if (ghost === undefined || typed === ghost.typed) return;
    if (typed === undefined) {
      this.end('moved');
      return;
    }
    this.asked = false;
    this.pending = undefined;
    const { offer, index } = ghost;
    const grown = typed.slice(ghost.typed.length);
    const rest = offer.alternatives[index].text.slice(ghost.typed.length);
    const progress = typedOn(ghost, typed);
    if (progress.kind === 'along') {
      const part = grown === this.inserted ? acceptedPart(grown, rest) : undefined;
      this.put(part === undefined ? progress.ghost : { ...progress.ghost, rotated: true });
      if (part !== undefined) {
        this.fire({ kind: 'accepted', offer, index, part, text: grown, kept: ghost.typed.length });
      }
      return;
    }
    const kept = ghost.typed.length;
    const event: CompletionEvent =
      progress.kind === 'complete'
        ? { kind: 'accepted', offer, index, part: 'typed', text: rest, kept }
        : { kind: 'rejected', offer, index, reason: 'typed', kept };
    this.put(undefined);
    this.settle();
    this.ending = { event, timer: setTimeout(() => this.settle(), settleMilliseconds) };
  }

  /** The document was changed: `text` stands where something else stood, or nothing. */
  noteInserted(text: string): void {
    this.inserted = text;
  }

  /** The editor says that an alternative was accepted to its end. */
  accepted(offer: Offer, index: number): void {
    const held = this.ending;
    const ghost = this.current;
    const kept =
      held !== undefined && held.event.offer === offer && 'kept' in held.event
        ? held.event.kept
        : ghost?.offer === offer
          ? ghost.typed.length
          : 0;
    if (held !== undefined) clearTimeout(held.timer);
    this.ending = undefined;
    this.put(undefined);
    const text = offer.alternatives[index].text.slice(kept);
    this.fire({ kind: 'accepted', offer, index, part: 'whole', text, kept });
  }

  /** The person steps to the next alternative, or the one before; the editor is about to do so too. */
  step(delta: 1 | -1): void {
    if (this.asked) this.take(delta);
    else this.pending = delta;
  }

  /** What the editor gets, in its order. @param asked whether it was asked to, and did not just follow the typing */
  deliver(asked: boolean): number[] {
    const ghost = this.current;
    if (ghost === undefined) return [];
    const list = listed(ghost);
    if (asked) {
      this.asked = true;
      const { pending } = this;
      this.pending = undefined;
      if (pending !== undefined) this.take(pending);
    }
    return list;
  }

  end(reason: Rejection): void {
    const ghost = this.current;
    if (ghost === undefined) return;
    this.put(undefined);
    this.fire({ kind: 'rejected', offer: ghost.offer, index: ghost.index, reason, kept: ghost.typed.length });
  }

  dispose(): void {
    this.settle();
  }

  private take(delta: 1 | -1): void {
    const ghost = this.current;
    if (ghost === undefined) return;
    const next = cycled(ghost, delta);
    if (next.index === ghost.index) return;
    this.put(next);
    this.fire({ kind: 'cycled', offer: next.offer, index: next.index, from: ghost.index });
  }

  private put(ghost: Ghost | undefined): void {
    this.current = ghost;
    if (ghost === undefined) this.pending = undefined;
    this.changed(ghost);
  }

  /** Says how the last one ended, if that was still open. */
  private settle(): void {
    const held = this.ending;
    if (held === undefined) return;
    clearTimeout(held.timer);
    this.ending = undefined;
    this.fire(held.event);
  }
}
