/** What could compute for a run beside the process that starts it. */
import { z } from 'zod';
import { request } from './channel/request.ts';

/** A Ray cluster as it says what it has, used or not. */
export const rayCluster = z.object({
  nodes: z.int().positive(),
  cpus: z.number().nonnegative(),
  gpus: z.number().nonnegative(),
});
export type RayCluster = z.infer<typeof rayCluster>;

/** Takes as long as a cluster needs to answer, where there may be one. */
export const listWorkers = request(
  'cola/workers/list',
  z.strictObject({}),
  z.object({
    /** Of this machine, as far as the process may use them. */
    cores: z.int().positive(),
    /** Null where none answers. */
    ray: rayCluster.nullable(),
  }),
);
export type WorkerPlaces = z.output<typeof listWorkers.result>;
