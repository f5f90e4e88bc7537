/** Tells a screen reader how the search gets on, not too often. */
import type { TreeEvent } from '../../server/protocol/index.ts';
import { h } from '../ui/elements.ts';
import { figure } from './words.ts';

/** In milliseconds. */
const interval = 5000;

export class Announcer {
  readonly element = h('div', { class: 'spoken', 'aria-live': 'polite' });
  private spokenAt = 0;

  speak({ simulations, best, end }: TreeEvent): void {
    const now = performance.now();
    if (end === null && now - this.spokenAt < interval) return;
    this.spokenAt = now;
    const reward = best === null ? '' : `, best reward ${figure(best.value)}`;
    this.element.textContent = `${simulations} simulations${reward}${end === null ? '' : ', the search stands still'}`;
  }
}
