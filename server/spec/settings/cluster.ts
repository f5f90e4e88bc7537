/** Settings of a run whose steps are computed in shards, by workers. */
import { z } from 'zod';
import { count, setting } from './parts.ts';

export const engines = ['here', 'local', 'ray'] as const;
export type ClusterEngine = (typeof engines)[number];

/** Workers of a run at most. */
export const mostWorkers = 4096;

export const clusterSettings = z.strictObject({
  engine: setting(
    z.enum(engines).default('local'),
    'Who computes the shards: here is this process alone, local are processes of this machine, ray are actors of a Ray cluster. Results do not depend on it.',
  ),
  workers: setting(count.max(mostWorkers).default(2), 'How many. Results do not depend on it.', { unit: 'workers' }),
  shards: setting(
    count.max(65_536).default(8),
    'Parts that a step is cut into: rows of its batch, or whole groups of a prompt. Results depend on it.',
    { unit: 'shards' },
  ),
  timeout: setting(
    z.number().positive().max(86_400).default(1800),
    'How long a worker may take for a shard before another takes its place.',
    { unit: 'seconds' },
  ),
  restarts: setting(
    z.int().min(0).max(100_000).default(100),
    'How often workers are replaced before the run ends, all of them together.',
  ),
  cpus: setting(
    z.number().positive().max(1024).default(1),
    'Cores that Ray keeps for a worker; threads says how many it uses.',
    { unit: 'cores' },
  ),
  gpus: setting(z.number().min(0).max(64).default(0), 'Graphics cards that Ray keeps for a worker.', { unit: 'cards' }),
  placement: setting(
    z.enum(['spread', 'pack']).default('spread'),
    'Whether Ray puts workers on as many nodes as it can, or where there is room.',
  ),
});

export type ClusterSettings = z.infer<typeof clusterSettings>;
