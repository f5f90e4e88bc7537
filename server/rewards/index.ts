/** Rewards: judges of finished samples. */
export { createReward } from './registry.ts';
export type { Reward, RewardInput, RewardResult, RewardScore } from './reward.ts';
export { type ParsedReward, parseRewardSpec, type RewardSpec, rewardNames } from './spec.ts';
