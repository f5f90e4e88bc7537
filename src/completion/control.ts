/** What the person asks of the actions: free, pinned, in sequence, or without some. */
import type { ActionControl } from '../../server/protocol/index.ts';

export const free: ActionControl = { mode: 'free' };

/** Actions that are banned, whatever else is in force. */
export function bansOf(control: ActionControl): readonly number[] {
  if (control.mode === 'free') return [];
  return control.mode === 'banned' ? control.actions : (control.banned ?? []);
}

/** Bans one more; what is pinned stays so, unless it is this one. */
export function banning(control: ActionControl, action: number): ActionControl {
  const actions = [...new Set([...bansOf(control), action])].sort((a, b) => a - b);
  const keeps = (control.mode === 'pinned' && control.action !== action) || control.mode === 'sequence';
  return keeps ? { ...control, banned: actions } : { mode: 'banned', actions };
}

/** Pins an action; bans stay, but of this one. */
export function pinning(control: ActionControl, action: number): ActionControl {
  const banned = bansOf(control).filter((each) => each !== action);
  return { mode: 'pinned', action, ...(banned.length === 0 ? {} : { banned: [...banned] }) };
}

/** Codes in a text: numbers with anything but letters between them. undefined where it is no such list, or empty. */
export function parseCodes(text: string): number[] | undefined {
  if (!/^[\d\s,;:.-]*\d[\d\s,;:.-]*$/.test(text)) return undefined;
  return text.split(/\D+/).filter(Boolean).map(Number);
}

/** Two controls that ask for the same. */
export function sameControl(a: ActionControl, b: ActionControl): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The one that is in force, for everybody who asks and everybody who shows it. */
export class Control {
  private current: ActionControl = free;
  private readonly listeners = new Set<(control: ActionControl) => void>();

  get value(): ActionControl {
    return this.current;
  }

  set(control: ActionControl): void {
    const next = control.mode === 'banned' && control.actions.length === 0 ? free : control;
    if (sameControl(next, this.current)) return;
    this.current = next;
    for (const listener of this.listeners) listener(next);
  }

  onChange(listener: (control: ActionControl) => void): void {
    this.listeners.add(listener);
  }
}
