import type { Stage, StageContext } from '../stage.ts';
import type { StageKind } from '../stage-kind.ts';
import { clone } from './clone.ts';
import { control } from './control.ts';
import { expert } from './expert.ts';
import { feedback } from './feedback.ts';
import { guide } from './guide.ts';
import { pretrain } from './pretrain.ts';
import { q } from './q.ts';
import { reinforce } from './reinforce.ts';
import { tokens } from './tokens.ts';

/** Every kind of stage, by the word that a run spec has for it. */
export const stageKinds = { pretrain, control, clone, guide, reinforce, tokens, q, feedback, expert };

export type StageName = keyof typeof stageKinds;
export const stageNames = Object.keys(stageKinds) as StageName[];
export const isStageName = (name: string): name is StageName => Object.hasOwn(stageKinds, name);

/** One stage with its settings, as a discriminated union. */
export type StageSpec = {
  [K in StageName]: { readonly name: K; readonly settings: Parameters<(typeof stageKinds)[K]['create']>[0] };
}[StageName];

/** What kind a stage of a spec is. Its settings have passed the schema of that kind. */
export const kindOf = ({ name }: Pick<StageSpec, 'name'>): StageKind => stageKinds[name];

/** Makes a stage from its part of the spec. @throws train.needs, train.setting, data.* */
export function createStage(planned: StageSpec, context: StageContext): Promise<Stage> {
  return kindOf(planned).create(planned.settings, context);
}
