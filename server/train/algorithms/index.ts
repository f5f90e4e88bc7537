import type { AlgorithmName } from '../../spec/algorithms.ts';
import type { Algorithm } from './algorithm.ts';
import { grpo } from './grpo.ts';
import { ppo } from './ppo.ts';
import { remax } from './remax.ts';

/** Every algorithm that a run spec may name. */
export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = { grpo, remax, ppo };

export const algorithmOf = (name: AlgorithmName): Algorithm => algorithms[name];
