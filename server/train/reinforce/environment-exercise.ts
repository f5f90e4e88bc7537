/** The environment of a stage as what its policy learns to do. */
import type { EnvironmentSpec } from '../../environments/spec.ts';
import { Speech } from '../../model/chat/speech.ts';
import type { ReinforceSettings } from '../../spec/settings/reinforcement.ts';
import { templateOf, tokenizerOf } from '../data.ts';
import { trainErrors } from '../errors.ts';
import type { StageContext } from '../stage.ts';
import { environmentPrompts, inEnvironment } from './environment-rollouts.ts';
import { openEnvironment } from './open-environment.ts';
import type { Exercise } from './problems.ts';
import { promptRoom } from './rollout.ts';
import type { Chooser } from './sampler.ts';

export interface ExerciseSettings
  extends Pick<ReinforceSettings, 'chat' | 'worlds' | 'turns' | 'max_tokens' | 'evaluate_rows'> {
  readonly environment: EnvironmentSpec;
}

/** Worlds to learn in are seen ones, those of measurements unseen. @throws train.*, environment.*, chat.* */
export async function exerciseIn(
  settings: ExerciseSettings,
  context: StageContext,
  chooser: Chooser,
): Promise<Exercise> {
  const { worlds, evaluate_rows: measured, chat, turns, max_tokens: maxTokens } = settings;
  const tokenizer = tokenizerOf(context);
  const template = templateOf(context);
  if (chat === true && template === undefined)
    throw trainErrors.setting('reinforce', 'chat', 'the model has no chat template');
  const longest = promptRoom(context.base.config, maxTokens);
  const speech = new Speech(tokenizer, chat === false ? undefined : template);
  // Who is told the starts has not the files that they were read from.
  const tasks = worlds + measured === 0 ? 'given' : 'read';
  const environment = await openEnvironment(settings.environment, context, tasks);
  try {
    const prompts = await environmentPrompts(environment, speech, 'seen', worlds, longest, context.signal);
    const heldOut = await environmentPrompts(environment, speech, 'unseen', measured, longest, context.signal);
    const rollouts = inEnvironment(environment, chooser, speech, { turns, maxTokens }, context.turn);
    return { prompts, heldOut, rollouts };
  } catch (error) {
    await environment.close();
    throw error;
  }
}
