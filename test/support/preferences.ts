/** Preferences that a simple person might have: friendly endings rather than rude ones, with some mistakes. */
import { Random } from '../../server/random.ts';

const things = ['sea', 'lamp', 'wood', 'hall', 'ship', 'tree', 'car', 'map'];
const looks = ['old', 'big', 'red', 'calm', 'new', 'odd'];
const kind = ['and dear', 'we like it', 'a joy', 'ask on'];
const rude = ['who cares', 'now go', 'look it up', 'no more'];

export interface Preference {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/** @param mistaken share of the pairs in which the rude answer was preferred */
export function preferences(count: number, seed: number, mistaken: number): Preference[] {
  const random = new Random(seed);
  const pick = (list: readonly string[]) => list[random.integer(list.length)];
  return Array.from({ length: count }, () => {
    const thing = pick(things);
    const answer = (ending: string) => `${pick(looks)}, ${ending}.`;
    const both = [answer(pick(kind)), answer(pick(rude))];
    const [chosen, rejected] = random.uniform() < mistaken ? both.reverse() : both;
    return { prompt: `the ${thing}? `, chosen, rejected };
  });
}
