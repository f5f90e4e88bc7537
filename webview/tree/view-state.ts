/** How the person looks at the tree: kept when the page is hidden and when the window is reloaded. */
import { z } from 'zod';

export const viewState = z.object({
  viewport: z.object({ x: z.number(), y: z.number(), scale: z.number().positive() }).nullable().default(null),
  selected: z.int().nonnegative().default(0),
  /** By node: opened or closed by hand. */
  folds: z.array(z.tuple([z.int().nonnegative(), z.boolean()])).default([]),
  /** Nodes that are shown apart from their only child. */
  apart: z.array(z.int().nonnegative()).default([]),
  /** Children with fewer visits are folded. */
  least: z.int().nonnegative().default(2),
  orientation: z.enum(['right', 'down']).default('right'),
  inspector: z.boolean().default(true),
  /** Simulations done at the moment that is shown; null for now. */
  done: z.int().nonnegative().nullable().default(null),
});
export type ViewState = z.output<typeof viewState>;

/** What was kept, or how it is at first. */
export function readView(kept: unknown): ViewState {
  const parsed = viewState.safeParse(kept);
  return parsed.success ? parsed.data : viewState.parse({});
}
