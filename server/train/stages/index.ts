import type { SettingsOf, StageName, StageSpec } from '../../spec/stages.ts';
import type { Stage, StageContext } from '../stage.ts';
import type { StageKind } from '../stage-kind.ts';
import { clone } from './clone.ts';
import { control } from './control.ts';
import { dpo } from './dpo.ts';
import { expert } from './expert.ts';
import { feedback } from './feedback.ts';
import { guide } from './guide.ts';
import { pretrain } from './pretrain.ts';
import { q } from './q.ts';
import { reinforce } from './reinforce.ts';
import { reward } from './reward.ts';
import { tokens } from './tokens.ts';

/** Every stage that a run spec may have. */
export const stageKinds: { readonly [K in StageName]: StageKind<SettingsOf<K>> } = {
  pretrain,
  control,
  clone,
  guide,
  reinforce,
  tokens,
  q,
  feedback,
  expert,
  dpo,
  reward,
};

/** What kind a stage of a spec is. Its settings have passed the schema of that kind. */
export const kindOf = ({ name }: Pick<StageSpec, 'name'>): StageKind => stageKinds[name];

/** Makes a stage from its part of the spec. @throws train.needs, train.setting, data.* */
export function createStage(planned: StageSpec, context: StageContext): Promise<Stage> {
  return kindOf(planned).create(planned.settings, context);
}
