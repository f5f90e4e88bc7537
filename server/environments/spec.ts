/** An environment as a run spec names it: `household`, `{ household: { subgoals: true } }`, `{ module: { path: world.mjs } }`. */
import { z } from 'zod';
import { householdOptions } from './household/household.ts';
import { mcpOptions } from './mcp/mcp.ts';
import { moduleOptions } from './module/module.ts';
import { openenvOptions } from './openenv/openenv.ts';

/** Those that are built in. */
export const builtIn = ['household', 'guess-the-rule'] as const;

/** Those that know how to play themselves. */
export const gameSpec = z.union([z.enum(builtIn), z.strictObject({ household: householdOptions })]);
export type GameSpec = z.infer<typeof gameSpec>;

export const environmentSpec = z.union([
  z.enum(builtIn),
  z.strictObject({ household: householdOptions }),
  z.strictObject({ module: moduleOptions }),
  z.strictObject({ openenv: z.union([z.string().max(2000), openenvOptions]) }),
  z.strictObject({ mcp: mcpOptions }),
]);
export type EnvironmentSpec = z.infer<typeof environmentSpec>;
