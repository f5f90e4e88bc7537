import { Random } from '../../random.ts';

/** Seed of a stage of a run, by its place in the spec: of its draws, and of the rows that it holds out. */
export const stageSeed = (seed: number, at: number): number => new Random(seed + 1000 * at).uint32();
