/** What stands where a tree will be, and what the page waits for, in words. */
import type { ParamsOf, treeWaiting } from '../../server/protocol/index.ts';
import { h } from '../ui/elements.ts';

export type Waiting = ParamsOf<typeof treeWaiting>;

/** What is waited for, in a few words. */
export function waitingWords({ for: what, model }: Waiting): string {
  switch (what) {
    case 'engine':
      return 'Starting the engine…';
    case 'model':
      return model === null ? 'Loading the model…' : `Loading ${model}…`;
    case 'search':
      return 'Reading the prompt…';
  }
}

/** Two columns of empty cards behind the first. */
const columns = [1, 3, 4];

export class Skeleton {
  private readonly words = h('p', { class: 'skeleton-words', role: 'status' });
  readonly element = h(
    'main',
    { class: 'skeleton', 'aria-busy': 'true' },
    this.words,
    h(
      'div',
      { class: 'skeleton-tree', 'aria-hidden': 'true' },
      ...columns.map((cards) =>
        h('div', {}, ...Array.from({ length: cards }, () => h('div', { class: 'skeleton-card' }, h('i'), h('i')))),
      ),
    ),
  );

  constructor(words: string) {
    this.say(words);
  }

  say(words: string): void {
    if (this.words.textContent !== words) this.words.textContent = words;
  }
}
