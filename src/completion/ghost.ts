/**
 * The ghost text, as far as an extension can know it. The editor says neither that it shows a list nor which of its entries;
 * but it shows the first of a list that it did not have before, goes on in a circle when it is told to, and keeps an entry
 * while the text typed agrees with it. So all is known while the steps go through commands of ours.
 */
import type { Offer } from './events.ts';
import { following } from './remainder.ts';

export interface Ghost {
  readonly offer: Offer;
  /** Of the alternative on the screen. */
  readonly index: number;
  /** What of it is in the document already. */
  readonly typed: string;
  /** Whether every alternative was asked for, or only the first. */
  readonly complete: boolean;
  /** Whether the editor has the one on the screen first: it moves it there when a part of it is accepted. */
  readonly rotated: boolean;
}

export function begin(offer: Offer, complete: boolean): Ghost {
  return { offer, index: 0, typed: '', complete, rotated: false };
}

/** What the editor is given: indices of alternatives in its order. */
export function listed({ offer, index, typed, rotated }: Ghost): number[] {
  const open = following(offer.alternatives, typed);
  const at = open.indexOf(index);
  return rotated && at > 0 ? [...open.slice(at), ...open.slice(0, at)] : open;
}

/** Steps through the list, in a circle. */
export function cycled(ghost: Ghost, delta: 1 | -1): Ghost {
  const open = following(ghost.offer.alternatives, ghost.typed);
  const at = open.indexOf(ghost.index) + delta;
  return open.length === 0 ? ghost : { ...ghost, index: open[(at + open.length) % open.length] };
}

export type Progress =
  | { readonly kind: 'along'; readonly ghost: Ghost }
  /** All of it is in the document. */
  | { readonly kind: 'complete' }
  /** No alternative begins like this. */
  | { readonly kind: 'gone' };

/** What becomes of it when `typed` stands between its place and the cursor. */
export function typedOn(ghost: Ghost, typed: string): Progress {
  const open = following(ghost.offer.alternatives, typed);
  if (open.includes(ghost.index)) return { kind: 'along', ghost: { ...ghost, typed } };
  if (ghost.offer.alternatives[ghost.index].text === typed) return { kind: 'complete' };
  // The editor falls back to the first that still fits.
  return open.length === 0 ? { kind: 'gone' } : { kind: 'along', ghost: { ...ghost, typed, index: open[0] } };
}

/** The part that was accepted, judged by what was inserted at once; undefined for a letter that was typed. */
export function acceptedPart(inserted: string, rest: string): 'word' | 'line' | undefined {
  if (inserted.length < 2 || inserted.length >= rest.length || !rest.startsWith(inserted)) return undefined;
  return inserted.includes('\n') ? 'line' : 'word';
}
