/** A model that was loaded, in one world of an environment, for a search over turns. */
import type { Environment } from '../environments/environment.ts';
import { environmentErrors } from '../environments/errors.ts';
import { Speech } from '../model/chat/speech.ts';
import { templateOf, tokenizerOf } from '../train/data.ts';
import { environmentPrompt, type WorldTask } from '../train/reinforce/environment-rollouts.ts';
import { LatentActor } from '../train/reinforce/latent-actor.ts';
import { promptRoom } from '../train/reinforce/rollout.ts';
import { EpisodePlayer, type Pace } from '../train/reinforce/turn-player.ts';
import type { Subject } from './subject.ts';

export interface TurnLimits {
  readonly turns: number;
  /** Longest turn, in tokens; an episode has all the context. */
  readonly maxNew: number;
}

/**
 * The caller disposes it, before the subject and the environment.
 *
 * @param valued whether values are wanted, where the model has a value head
 * @param pace does a piece of work when the device is free for it
 * @throws environment.*, train.startTooLong
 */
export async function turnPlayerOf(
  subject: Subject,
  environment: Environment,
  task: WorldTask,
  { turns, maxNew }: TurnLimits,
  valued: boolean,
  pace?: Pace,
): Promise<EpisodePlayer> {
  if (!environment.repeats) throw environmentErrors.unrepeatable(environment.name);
  const { context, base, decoding, signal } = subject;
  const speech = new Speech(tokenizerOf(context), templateOf(context));
  const prompt = await environmentPrompt(environment, speech, task, promptRoom(base.config, maxNew), signal);
  const cola = decoding === 'actions' ? context.cola : undefined;
  const hasValue = valued && cola?.has('value') === true;
  return new EpisodePlayer({
    environment,
    task,
    speech,
    prompt,
    sizes: { turns, maxNew, maxTokens: base.config.maxPositionEmbeddings - prompt.ids.length },
    actor: hasValue && cola !== undefined ? new LatentActor(context, cola, true, 0) : subject.actor(0),
    cola,
    device: subject.device,
    hasValue,
    pace,
  });
}
