/** What a policy learns to solve: prompts to learn from and to be measured on, the reward, and the order they come in. */
import { z } from 'zod';
import type { Row } from '../../data/rows.ts';
import type { Random } from '../../random.ts';
import { openReward } from '../../reward-model/learned-reward.ts';
import type { Reward } from '../../rewards/reward.ts';
import type { RewardSpec } from '../../rewards/spec.ts';
import type { DataSpec } from '../../spec/settings/parts.ts';
import { splitRows, templateOf, tokenizerOf } from '../data.ts';
import type { StageContext } from '../stage.ts';
import { AnswerCheck } from './answer-check.ts';
import type { Prompt } from './episode.ts';
import { promptMaker, promptRoom } from './rollout.ts';
import type { Rollouts } from './rollouts.ts';
import type { Numbered } from './starts.ts';

/** Problems of a task that are drawn for training. */
export const taskProblems = 4000;
/** Share of a file's rows that is held out. */
export const heldOutShare = 1 / 10;

export interface Problems {
  readonly prompts: readonly Prompt[];
  readonly heldOut: readonly Prompt[];
  /** Closed with the stage. */
  readonly reward: Reward;
}

/** What a policy learns to do, and how it is tried. */
export interface Exercise {
  readonly prompts: readonly Prompt[];
  readonly heldOut: readonly Prompt[];
  /** Closed with the stage. */
  readonly rollouts: Rollouts;
}

export interface ProblemSettings {
  readonly prompts: DataSpec;
  readonly held_out?: DataSpec | undefined;
  readonly chat?: boolean | undefined;
  readonly reward: RewardSpec;
  readonly max_new: number;
  readonly evaluate_rows: number;
}

/** Reads prompts and reward of the settings. @throws train.*, data.*, reward.* */
export async function problemsOf(settings: ProblemSettings, context: StageContext): Promise<Problems> {
  const tokenizer = tokenizerOf(context);
  const template = templateOf(context);
  const room = promptRoom(context.base.config, settings.max_new);
  const problems = { train: taskProblems, test: settings.evaluate_rows };
  const make = promptMaker(tokenizer, template, settings.chat, room);
  const check = new AnswerCheck(settings.prompts, settings.reward);
  const convert = (row: Row) => check.pass(make(row), row);
  const rows = await splitRows(settings.prompts, settings.held_out, context, heldOutShare, problems, convert);
  check.tell(context);
  const prompts = rows.train;
  const heldOut = rows.heldOut.slice(0, settings.evaluate_rows);
  // Last: it may run helper processes, which somebody has to end.
  const reward = await openReward(settings.reward, context.resolve('.'));
  return { prompts, heldOut, reward };
}

export const deckState = z.object({ order: z.array(z.int()), cursor: z.int() });
export type DeckState = z.infer<typeof deckState>;

/** Prompts in a random order, each once before any comes again. */
export class PromptDeck {
  private order: readonly number[] = [];
  private cursor = 0;

  constructor(
    private readonly prompts: readonly Prompt[],
    private readonly random: Random,
  ) {}

  next(count: number): Numbered[] {
    return Array.from({ length: count }, () => {
      if (this.cursor >= this.order.length) {
        this.order = [...this.random.permutation(this.prompts.length)];
        this.cursor = 0;
      }
      const number = this.order[this.cursor++];
      return { prompt: this.prompts[number], number };
    });
  }

  get state(): DeckState {
    return { order: [...this.order], cursor: this.cursor };
  }

  restore({ order, cursor }: DeckState): void {
    this.order = order;
    this.cursor = cursor;
  }
}
