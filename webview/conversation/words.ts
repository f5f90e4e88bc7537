/** A conversation as it is shown, whoever had it, and what is said of it. Knows nothing of the page. */
import type { RunSample } from '../../server/protocol/history.ts';
import type { PlayerName, PlayState, PlayToken } from '../../server/protocol/play.ts';
import type { ActionFace } from '../ui/actions.ts';

export interface ShownTurn {
  readonly who: string;
  readonly said: string;
  /** Of tokens, where it is known which came from which action. */
  readonly tokens: readonly (ActionFace & { readonly token: string })[];
  /** Actions without their tokens. */
  readonly actions: readonly number[];
  readonly observation: string | null;
  readonly reward: number | null;
}

export interface Shown {
  readonly start: string;
  readonly turns: readonly ShownTurn[];
  /** Why nothing follows; empty while something may. */
  readonly end: string;
  readonly bad: boolean;
  readonly reward: number;
}

const names: Readonly<Record<PlayerName, string>> = { you: 'You', model: 'Model', expert: 'Player who knows how' };

/** A reward as it is read at a glance. */
export const rewardText = (reward: number | null): string =>
  reward === null ? 'none' : String(Number(reward.toPrecision(3)));

export function tokensOf(
  tokens: readonly PlayToken[],
  labels: readonly (string | null)[],
): (ActionFace & { token: string })[] {
  return tokens.flatMap(({ text, action, probability, runnerUp }) =>
    action === undefined ? [] : [{ token: text, action, label: labels[action], probability, runnerUp }],
  );
}

export function shownPlay({ start, turns, ended, failure, labels }: PlayState): Shown {
  const ends = {
    done: 'The environment ended the episode.',
    limit: `No more than ${turns.length} turns are played.`,
    failed: `There was no answer. ${failure ?? ''}`.trim(),
  };
  return {
    start,
    turns: turns.map(({ by, said, tokens, observation, reward }) => ({
      who: names[by],
      said,
      tokens: tokensOf(tokens, labels),
      actions: [],
      observation,
      reward,
    })),
    end: ended === null ? '' : ends[ended],
    bad: ended === 'failed',
    reward: turns.reduce((sum, turn) => sum + turn.reward, 0),
  };
}

const sampleEnds = {
  done: 'The environment ended the episode.',
  turns: 'The episode had as many turns as the run allows.',
  tokens: 'The episode had as many tokens as the run allows.',
  failed: 'There was no answer, and the episode was left out.',
} as const;

export function shownSample({ prompt, turns = [], ended, actions, noScore, reward }: RunSample): Shown {
  const end = ended === undefined ? '' : sampleEnds[ended];
  return {
    start: prompt,
    turns: turns.map(({ said, observation, reward: own, end: to }, i) => ({
      who: 'Agent',
      said,
      tokens: [],
      actions: actions.slice(turns[i - 1]?.end ?? 0, to),
      observation,
      reward: own,
    })),
    end: noScore === undefined ? end : `${end} ${noScore}`.trim(),
    bad: noScore !== undefined,
    reward: reward ?? turns.reduce((sum, turn) => sum + (turn.reward ?? 0), 0),
  };
}

/** One line about the whole of it. */
export function sumWords({ turns, reward }: Shown): string {
  const count = turns.length === 1 ? '1 turn' : `${turns.length} turns`;
  return `${count} · reward ${rewardText(reward)}`;
}
