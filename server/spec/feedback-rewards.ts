/** What each thing a person does is worth, as a spec gives it. */
import { z } from 'zod';

const reward = (value: number, description: string) => z.number().min(-10).max(10).default(value).meta({ description });

/** What each thing is worth. Where several happened to one alternative, the first of this list that did decides. */
export const rewardTable = z.strictObject({
  score: reward(1, "A person's score in a tree, 0 to 1, brought to -1 to 1, is multiplied by this."),
  chosen: reward(1, 'A path of a tree that was tuned from.'),
  forced: reward(1, 'A branch of a tree that was forced.'),
  banned: reward(-1, 'A branch of a tree that was banned.'),
  picked: reward(1, 'Picked in the list of actions.'),
  accepted: reward(1, 'Accepted; of a part, the share of its characters.'),
  typed: reward(0.5, 'Written letter by letter as it stood there; of a part, the share of its characters.'),
  removed: reward(-0.5, 'Accepted, and gone half a minute later; of a part, its share.'),
  escape: reward(-0.5, 'Put away by key.'),
  passed: reward(-0.25, 'Another alternative was asked for.'),
  other: reward(-0.5, 'Something else was written.'),
  moved: reward(-0.1, 'The cursor went away.'),
});
export type RewardTable = z.infer<typeof rewardTable>;
