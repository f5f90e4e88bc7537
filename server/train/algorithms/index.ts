import type { Algorithm } from './algorithm.ts';
import { grpo } from './grpo.ts';
import { ppo } from './ppo.ts';
import { remax } from './remax.ts';

/** Every algorithm of reinforcement, by the word that a run spec has for it. */
export const algorithms = { grpo, remax, ppo } satisfies Readonly<Record<string, Algorithm>>;

export type AlgorithmName = keyof typeof algorithms;
export const algorithmNames = Object.keys(algorithms) as AlgorithmName[];
export const algorithmOf = (name: AlgorithmName): Algorithm => algorithms[name];

export { type Algorithm, hasValue, type PolicyUpdate } from './algorithm.ts';
