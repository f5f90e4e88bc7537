/** Turns in a world, and who takes them: what a search over turns asks of a model, whatever the world is and however it decodes. */

/** A turn that was taken. */
export interface TakenTurn {
  /** One a token: latent actions, or zeros where the model has none. */
  readonly actions: readonly number[];
  /** What the model wrote, the end of the turn included. */
  readonly tokens: readonly number[];
  readonly said: string;
  readonly observation: string;
  /** What it earned by itself. */
  readonly reward: number;
}

/** How an episode went on behind some turns. */
export interface Course {
  /** Those that had an answer; of the first at least, where none failed. */
  readonly turns: readonly TakenTurn[];
  /** Probability of the first action, where the turn was to begin with it; undefined for a turn that was drawn. */
  readonly prior?: number | undefined;
  /** V of the state behind the first turn: what is still to be earned there. */
  readonly value?: number | undefined;
  /** Whether nothing follows: it came to its end, or there were enough turns or tokens. */
  readonly over: boolean;
  /** Why a turn had no answer. */
  readonly failed?: string | undefined;
  /** Tokens that were written for it. */
  readonly generated: number;
}

/** How the episodes from a node are played. */
export interface CoursePlan {
  /** Of each episode, the seed of what it draws. */
  readonly seeds: readonly number[];
  /** 0 takes what is likeliest. */
  readonly temperature: number;
  /** Whether the first turn alone is taken. */
  readonly single: boolean;
  /** Whether V behind the first turn is wanted. */
  readonly valued: boolean;
  /** Whether each begins with a latent action of its own, the likeliest ones, instead of being drawn. */
  readonly byAction: boolean;
}

/** A model in a world. */
export interface TurnPlayer {
  /** Of the world, for messages. */
  readonly name: string;
  /** N; 1 for a model without latent actions. */
  readonly numCodes: number;
  readonly hasValue: boolean;
  /** Largest reward of an episode, where it is known: nothing is better than that. */
  readonly most: number | undefined;
  /** Tokens of what the model reads first. */
  readonly start: readonly number[];
  /** @returns no more than there are seeds; fewer, where there are not as many actions to begin with */
  play(behind: readonly TakenTurn[], plan: CoursePlan, signal: AbortSignal): Promise<readonly Course[]>;
}

/** A player who goes on behind turns that were taken; rewards count from there. */
export function behindTurns(player: TurnPlayer, before: readonly TakenTurn[]): TurnPlayer {
  const { name, numCodes, hasValue, start } = player;
  const most = player.most === undefined ? undefined : player.most - earned(before);
  return {
    ...{ name, numCodes, hasValue, start, most },
    play: (behind, plan, signal) => player.play([...before, ...behind], plan, signal),
  };
}

/** A turn and its answer as a person reads them. */
export const exchangeText = ({
  said,
  observation,
}: {
  readonly said: string;
  readonly observation: string | null;
}): string => `> ${said}\n${observation}`;

export const earned = (turns: readonly TakenTurn[]): number => turns.reduce((sum, { reward }) => sum + reward, 0);
