import type { StageSpec } from '../../spec/schema.ts';
import type { Stage, StageContext } from '../stage.ts';
import { createClone } from './clone.ts';
import { createControl } from './control.ts';
import { createExpert } from './expert.ts';
import { createFeedback } from './feedback.ts';
import { createGuide } from './guide.ts';
import { createPretrain } from './pretrain.ts';
import { createQ } from './q.ts';
import { createReinforce } from './reinforce.ts';
import { createTokens } from './tokens.ts';

/** Makes a stage from its part of the spec. @throws train.needs, train.setting, data.* */
export function createStage(planned: StageSpec, context: StageContext): Promise<Stage> {
  switch (planned.name) {
    case 'pretrain':
      return createPretrain(planned.settings, context);
    case 'control':
      return createControl(planned.settings, context);
    case 'clone':
      return createClone(planned.settings, context);
    case 'guide':
      return createGuide(planned.settings, context);
    case 'reinforce':
      return createReinforce(planned.settings, context);
    case 'tokens':
      return createTokens(planned.settings, context);
    case 'q':
      return createQ(planned.settings, context);
    case 'feedback':
      return createFeedback(planned.settings, context);
    case 'expert':
      return createExpert(planned.settings, context);
  }
}
