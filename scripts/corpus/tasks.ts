/** Generated problems with their solutions, written as conversations: what reinforcement learning starts from. */

import { Arithmetic } from '../../server/data/generators/arithmetic.ts';
import { Countdown } from '../../server/data/generators/countdown.ts';
import { Template } from '../../server/jinja/template.ts';
import { CHAT_TEMPLATE } from '../tokenizer/format.ts';
import type { Split } from './packages.ts';
import type { Row } from './rows.ts';

interface Problem {
  readonly prompt: string;
  readonly response: string;
}

/** How many problems of each task there are in each split: about an eighth of all training tokens. */
const COUNTS = {
  'countdown-compact': { train: 40_000, heldout: 500 },
  countdown: { train: 15_000, heldout: 500 },
  arithmetic: { train: 30_000, heldout: 500 },
} satisfies Record<string, Record<Split, number>>;

const SEED = 20_250;

/**
 * The problems of both splits in the chat format. Held-out problems are of the generators' own `test` side, so none of
 * them, nor of any later evaluation on that side, is in training.
 *
 * @param counts how many of each task; fewer in tests
 */
export function taskRows(counts: Record<keyof typeof COUNTS, Record<Split, number>> = COUNTS): Record<Split, Row[]> {
  const template = new Template(CHAT_TEMPLATE);
  const write = (task: keyof typeof COUNTS, split: Split, source: { next(): Problem }): Row[] =>
    Array.from({ length: counts[task][split] }, (_, index) => {
      const { prompt, response } = source.next();
      // The line end after a response is for bare prompts; in a conversation the end of the turn is marked.
      const messages = [
        { role: 'user', content: prompt.trim() },
        { role: 'assistant', content: response.trim() },
      ];
      return {
        path: `generated/${task}/${split}/${index}`,
        text: template.render({ messages }),
        kind: 'chat',
        control_tokens: true,
      };
    });
  const rows = (split: Split): Row[] => {
    const side = { seed: SEED, split: split === 'train' ? ('train' as const) : ('test' as const) };
    return [
      ...write('countdown-compact', split, new Countdown({ ...side, format: 'compact' })),
      ...write('countdown', split, new Countdown(side)),
      ...write('arithmetic', split, new Arithmetic(side)),
    ];
  };
  return { train: rows('train'), heldout: rows('heldout') };
}
