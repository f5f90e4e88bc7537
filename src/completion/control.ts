/** What the person asks of the actions: free, pinned, in sequence, or without some. */
import type { ActionControl } from '../../server/protocol/index.ts';

export const free: ActionControl = { mode: 'free' };

/** Bans one more. */
export function banning(control: ActionControl, action: number): ActionControl {
  const before = control.mode === 'banned' ? control.actions : [];
  return { mode: 'banned', actions: [...new Set([...before, action])].sort((a, b) => a - b) };
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
