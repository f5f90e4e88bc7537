/** Places in a random order, each once before any comes again, with a state that is saved. */
import { z } from 'zod';
import { Random, type RandomState } from '../random.ts';

const saved = z.object({
  random: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  order: z.array(z.int()),
  cursor: z.int(),
});

export class Shuffled {
  private readonly random: Random;
  private order: number[] = [];
  private cursor = 0;

  constructor(
    private readonly count: number,
    seed: number,
  ) {
    this.random = new Random(seed);
  }

  next(): number {
    if (this.cursor >= this.order.length) {
      this.order = [...this.random.permutation(this.count)];
      this.cursor = 0;
    }
    return this.order[this.cursor++];
  }

  get state(): { random: RandomState; order: number[]; cursor: number } {
    return { random: this.random.state, order: this.order, cursor: this.cursor };
  }

  restore(state: unknown): void {
    const { random, order, cursor } = saved.parse(state);
    this.random.restore(random);
    this.order = order;
    this.cursor = cursor;
  }
}
