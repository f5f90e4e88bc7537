/** Demonstrations: what the player who knows how does in worlds of an environment, as conversations to learn from. */
import { type GameEnvironment, playGame, type Task } from '../../environments/environment.ts';
import { startText } from '../../environments/tools.ts';
import { seedFrom } from '../../random.ts';
import type { Message } from '../conversation.ts';
import type { ChatRow } from '../rows.ts';

/** Turns after which an episode is given up; no expert needs as many. */
const mostTurns = 200;

/**
 * Episodes that were solved, the same for the same seed. Their worlds are others than those of the numbers from 0 on, which
 * reinforcement and measurements take.
 */
export function demonstrations(
  environment: GameEnvironment,
  { seed, side, episodes }: { readonly seed: number; readonly side: Task['side']; readonly episodes: number },
): ChatRow[] {
  return Array.from({ length: episodes }, (_, i) => demonstration(environment, seedFrom(seed, i), side));
}

/** One of them. */
export function demonstration(environment: GameEnvironment, world: number, side: Task['side']): ChatRow {
  const game = environment.game();
  const messages: Message[] = [{ role: 'user', content: startText(environment, game.reset(world, { side })) }];
  let reward = 0;
  for (const { text, result } of playGame(game, () => game.expert(), mostTurns)) {
    messages.push({ role: 'assistant', content: text });
    if (!result.done) messages.push({ role: 'user', content: result.observation });
    reward += result.reward;
  }
  return { kind: 'chat', messages, episode: true, columns: { environment: environment.name, world, side, reward } };
}
