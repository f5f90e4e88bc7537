/** Errors of runs whose rounds are computed by workers. */
import { catalogue } from '../errors.ts';

export const clusterErrors = catalogue('cluster', {
  byHand: () => [
    'A worker is started by the run that it works for.',
    'Run a spec with: cola train SPEC --cluster local --workers 2',
  ],
  version: (worker: string, theirs: string, ours: string) => [
    `${worker} has another CoLA Studio than this run: ${theirs}, and here it is ${ours}.`,
    'Bring every node to the same version, or install CoLA Studio anew where all is on one machine, and then continue: cola train --resume; or measure again',
  ],
  lacks: (worker: string, path: string) => [
    `${worker} has no ${path}.`,
    'Install Node and CoLA Studio on every node at the same paths as here, or in a folder that all nodes share, and then go on: cola train --resume; or measure again',
  ],
  model: (worker: string, what: readonly string[]) => [
    `${worker} does not have what this is made from: ${what.join(', ')}.`,
    'Put the files where the run expects them, on every node and as they were when it began, then go on: cola train --resume; or measure again',
  ],
  cannotBegin: (worker: string, what: string, remedy: string) => [
    `${worker} cannot work for this run: ${what}`,
    `${remedy}`,
  ],
  noCluster: (python: string, reason: string) => [
    `There is no Ray cluster to train on: ${python} says: ${reason}.`,
    'Start one as Ray says, name its Python with the variable COLA_RAY_PYTHON and its address with RAY_ADDRESS; or train with processes of this machine: --cluster local',
  ],
  lost: (restarts: number, worker: string, reason: string) => [
    `Workers were replaced ${restarts === 1 ? 'once' : `${restarts} times`}, which is more than the spec allows. The last one was ${worker}: ${reason}.`,
    'See to what ends them, raise "restarts" of "cluster" in the spec, or go on with fewer workers: cola train --resume RUN --workers 1; a measurement begins anew',
  ],
  failed: (worker: string, shard: number, reason: string) => [
    `Shard ${shard} could not be computed, several times and by several workers. The last one was ${worker}: ${reason}.`,
    'Go on without workers, which says more of what is wrong: cola train --resume RUN --cluster here; a measurement begins anew with --cluster here',
  ],
  differs: (worker: string, shard: number) => [
    `${worker} rolled shard ${shard} out anew in place of a lost worker, and it came out differently.`,
    'Results are the same bit for bit on processors of one kind only, and where no file that a reward reads has changed: go on from the last checkpoint: cola train --resume RUN; or measure again',
  ],
});
