/** Who may compute a run, as `CoLA: Train…` offers it. Knows nothing of the editor. */
import type { WorkerPlaces } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';

/** What the spec says of workers; null for one process. */
export type Workers = {
  readonly engine: 'local' | 'ray';
  readonly workers: number;
  /** Of each worker. */
  readonly threads: number;
  /** Cards that Ray keeps for each. */
  readonly gpus: number;
  readonly shards: number;
} | null;

export interface WorkerOffer {
  readonly label: string;
  readonly detail: string;
  readonly value: Workers;
}

/** Shards of a step, where there are no more workers: a worker that has none has nothing to do. */
const usualShards = 8;
/** Gradients of all shards come to one process: beyond so many it is what the others wait for. */
const mostWorkers = 64;

/** One process first. No more than that where there is nothing to choose from. */
export function workerOffers({ cores, ray }: WorkerPlaces): WorkerOffer[] {
  const offers: WorkerOffer[] = [
    {
      label: t('This process'),
      detail: t('The usual way: one process with all cores or the graphics card.'),
      value: null,
    },
  ];
  if (cores > 1) {
    const workers = Math.min(cores, usualShards);
    offers.push({
      label: t('{workers} workers on this machine', { workers }),
      detail: t('Processes that share each step. Each has the model in memory.'),
      value: { engine: 'local', workers, threads: Math.floor(cores / workers), gpus: 0, shards: usualShards },
    });
  }
  if (ray !== null) {
    const { nodes, cpus, gpus } = ray;
    const onCards = gpus >= 1;
    const workers = Math.min(mostWorkers, Math.max(1, Math.floor(onCards ? gpus : cpus)));
    const has = onCards
      ? t('{nodes} nodes, {cpus} cores, {gpus} graphics cards', { nodes, cpus, gpus })
      : t('{nodes} nodes, {cpus} cores', { nodes, cpus });
    offers.push({
      label: t('{workers} workers on the Ray cluster', { workers }),
      detail: `${has}. ${t('Model and files have to lie at the same paths on all of them.')}`,
      value: { engine: 'ray', workers, threads: 1, gpus: onCards ? 1 : 0, shards: Math.max(usualShards, workers) },
    });
  }
  return offers;
}
