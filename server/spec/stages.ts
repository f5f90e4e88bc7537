/**
 * What a run spec says with each of its stages, without anything that computes: the language server reads this, and it has
 * no graphs in it. What a stage does is the other half of its record, in `train/stages`.
 */
import type { z } from 'zod';
import type { EnvironmentSpec } from '../environments/spec.ts';
import type { AdapterChoice } from '../protocol/adapter.ts';
import { solvedFrom } from '../rewards/range.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import { type ExpertSettings, expertSettings } from './settings/expert.ts';
import { type FeedbackSettings, feedbackSettings } from './settings/feedback.ts';
import type { DataSpec } from './settings/parts.ts';
import {
  type QSettings,
  qSettings,
  type ReinforceSettings,
  reinforceSettings,
  type TokensSettings,
  tokensSettings,
} from './settings/reinforcement.ts';
import { type DpoSettings, dpoSettings, type RewardSettings, rewardSettings } from './settings/reward.ts';
import {
  type CloneSettings,
  type ControlSettings,
  cloneSettings,
  controlSettings,
  type GuideSettings,
  guideSettings,
  type PretrainSettings,
  pretrainSettings,
} from './settings/supervised.ts';

/** What the held-out score of a stage is called, and which way it is read. */
export interface ScoreMeaning {
  /** A `loss` is never below 0; what may be is an `objective`. */
  readonly name: 'reward' | 'acceptance' | 'loss' | 'objective';
  /** Whether less is better: a stage's score is then the figure with its sign turned. */
  readonly lower: boolean;
}

/** A score as people read it. */
export const shownScore = ({ lower }: ScoreMeaning, score: number): number => (lower ? -score : score);

/** What a stage learns to solve, and how much of it is measured. */
export interface StageTask {
  readonly prompts: DataSpec;
  readonly held_out?: DataSpec | undefined;
  readonly chat?: boolean | undefined;
  readonly reward: RewardSpec;
  readonly max_new: number;
  readonly temperature: number;
  readonly top_k: number;
  readonly solved_at: number;
  /** Prompts and samples of a measurement; the usual ones, if not given. */
  readonly sizes?: { readonly prompts: number; readonly samples: number };
}

/** A world that a stage learns to act in, and how much of it is measured. */
export interface StageAgent {
  readonly environment: EnvironmentSpec;
  readonly chat?: boolean | undefined;
  readonly turns: number;
  readonly max_new: number;
  readonly max_tokens: number;
  readonly temperature: number;
  readonly top_k: number;
  /** Worlds of each side and samples of a measurement; the usual ones, if not given. */
  readonly sizes?: { readonly prompts: number; readonly samples: number };
}

/** A setting that others ask for. */
export interface MissingSetting {
  readonly key: string;
  /** What needs it. */
  readonly when: string;
}

/** @typeParam S its settings, with all defaults */
export interface StageDeclaration<S extends object = object> {
  /** What it does, in a sentence. */
  readonly notes: string;
  readonly settings: z.ZodObject & z.ZodType<S>;
  /** Settings that are optional by themselves, and are missing beside the others. */
  missing?(settings: S): readonly MissingSetting[];
  score(settings: S): ScoreMeaning;
  /** What the model answers with that comes out of it; undefined for a stage that does not learn to answer. */
  readonly answers?: 'actions' | 'tokens';
  /** What comes out of it where that is no language model: no stage may follow, and nothing is measured behind it. */
  readonly makes?: string;
  /** Whether it changes weights of the base, which are float32 then. */
  trainsBase?(settings: S): boolean;
  /** The adapter that it trains beside the base. */
  lora?(settings: S): AdapterChoice | undefined;
  /** The text it learns from. */
  text?(settings: S): { readonly data: DataSpec; readonly held_out?: DataSpec | undefined };
  task?(settings: S): StageTask | undefined;
  agent?(settings: S): StageAgent | undefined;
}

const reward: ScoreMeaning = { name: 'reward', lower: false };
const loss: ScoreMeaning = { name: 'loss', lower: true };

const textOf = ({ data, held_out }: Pick<PretrainSettings, 'data' | 'held_out'>) => ({ data, held_out });

/** Reinforcement needs prompts and a reward, or an environment. */
const missingProblems =
  (when: string) =>
  ({ environment, prompts, reward: judged }: Pick<ReinforceSettings, 'environment' | 'prompts' | 'reward'>) =>
    environment !== undefined
      ? []
      : Object.entries({ prompts, reward: judged }).flatMap(([key, value]) =>
          value === undefined ? [{ key, when }] : [],
        );

/** What is to be solved by answers; undefined where it is a world to act in. */
function taskOf(settings: Omit<ReinforceSettings, 'steps'>): StageTask | undefined {
  const { prompts, reward: judged, environment } = settings;
  if (environment !== undefined || prompts === undefined || judged === undefined) return undefined;
  const { held_out, chat, max_new, temperature, top_k } = settings;
  const solved_at = settings.solved_at ?? solvedFrom(judged);
  const sizes = { prompts: settings.evaluate_rows, samples: settings.evaluate_samples };
  return { prompts, reward: judged, held_out, chat, max_new, temperature, top_k, solved_at, sizes };
}

/** The world to act in; undefined where there are prompts. */
function agentOf(settings: Omit<ReinforceSettings, 'steps'>): StageAgent | undefined {
  const { environment, chat, turns, max_new, max_tokens, temperature, top_k } = settings;
  if (environment === undefined) return undefined;
  const sizes = { prompts: settings.evaluate_rows, samples: settings.evaluate_samples };
  return { environment, chat, turns, max_new, max_tokens, temperature, top_k, sizes };
}

const pretrain: StageDeclaration<PretrainSettings> = {
  notes: 'Trains all weights of a base model on text.',
  settings: pretrainSettings,
  trainsBase: () => true,
  score: () => loss,
  text: textOf,
};

const control: StageDeclaration<ControlSettings> = {
  notes: 'Stage 1: learns the latent actions, with inverse dynamics and a world model, while the base is frozen.',
  settings: controlSettings,
  // Held out is the prediction alone; what is trained on has entropies in it and may be below 0.
  score: () => loss,
  text: textOf,
};

const clone: StageDeclaration<CloneSettings> = {
  notes: 'Stage 1: the policy learns to take the actions that the inverse dynamics sees in text.',
  settings: cloneSettings,
  score: () => loss,
  text: textOf,
};

const guide: StageDeclaration<GuideSettings> = {
  notes: 'Stage 2: fine-tunes the base under the guidance of actions, so that it follows them.',
  settings: guideSettings,
  trainsBase: ({ lora }) => lora === undefined,
  lora: ({ lora }) => lora,
  score: () => loss,
};

const reinforce: StageDeclaration<ReinforceSettings> = {
  notes: 'Stage 3: reinforcement learning of the policy over latent actions; the base does not change.',
  settings: reinforceSettings,
  score: () => reward,
  missing: missingProblems('reinforcement'),
  answers: 'actions',
  task: taskOf,
  agent: agentOf,
};

const tokens: StageDeclaration<TokensSettings> = {
  notes: 'The baseline without latent actions: fine-tuning or reinforcement of the base over tokens.',
  settings: tokensSettings,
  trainsBase: ({ lora }) => lora === undefined,
  lora: ({ lora }) => lora,
  missing({ method, data, environment, prompts, reward: judged }) {
    if (method === 'supervised') return data === undefined ? [{ key: 'data', when: 'the method supervised' }] : [];
    if (data !== undefined && prompts === undefined && judged === undefined && environment === undefined)
      return [{ key: 'method: supervised', when: '"data" without prompts and a reward' }];
    return missingProblems('the method reinforce')({ environment, prompts, reward: judged });
  },
  score: ({ method }) => (method === 'supervised' ? loss : reward),
  answers: 'tokens',
  task: taskOf,
  agent: agentOf,
};

const q: StageDeclaration<QSettings> = {
  notes: 'Learns Q(s, a) of latent actions from rollouts, for search with MCTS-Q.',
  settings: qSettings,
  score: () => loss,
  task: ({ prompts, reward: judged, chat, max_new, temperature }) => ({
    prompts,
    reward: judged,
    chat,
    max_new,
    temperature,
    top_k: 0,
    solved_at: solvedFrom(judged),
  }),
};

const feedback: StageDeclaration<FeedbackSettings> = {
  notes: 'Learns from what was accepted, picked, rejected and scored in the editor; only the policy changes.',
  settings: feedbackSettings,
  score: () => ({ name: 'acceptance', lower: false }),
};

const expert: StageDeclaration<ExpertSettings> = {
  notes: 'Learning from search: the policy is drawn towards the actions that searches of its prompts visited most.',
  settings: expertSettings,
  score: () => reward,
  answers: 'actions',
  task(settings) {
    const { prompts, reward: judged, held_out, chat, max_new, evaluate_rows, evaluate_samples } = settings;
    const solved_at = settings.solved_at ?? solvedFrom(judged);
    const sizes = { prompts: evaluate_rows, samples: evaluate_samples };
    return { prompts, reward: judged, held_out, chat, max_new, temperature: 1, top_k: 0, solved_at, sizes };
  },
};

const rewardModel: StageDeclaration<RewardSettings> = {
  notes:
    'Learns a reward model: a head that gives an answer a score, from preferences or scores. It is the last stage of a spec.',
  settings: rewardSettings,
  trainsBase: () => true,
  makes: 'a reward model',
  score: () => loss,
};

const dpo: StageDeclaration<DpoSettings> = {
  notes:
    'Direct preference optimisation (DPO) of the base over tokens, from pairs of a chosen and a rejected answer, without a reward.',
  settings: dpoSettings,
  trainsBase: () => true,
  score: () => loss,
  answers: 'tokens',
};

/** Every stage, by the word that a run spec has for it. */
export const stages = {
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
  reward: rewardModel,
};

export type StageName = keyof typeof stages;
export type SettingsOf<K extends StageName> = Parameters<(typeof stages)[K]['score']>[0];
export const stageNames = () => Object.keys(stages) as StageName[];
export const isStageName = (name: string): name is StageName => Object.hasOwn(stages, name);

/** One stage with its settings, as a discriminated union. */
export type StageSpec = { [K in StageName]: { readonly name: K; readonly settings: SettingsOf<K> } }[StageName];

/** What is said of a stage. Its settings have passed the schema of that stage. */
export const stageOf = ({ name }: Pick<StageSpec, 'name'>): StageDeclaration => stages[name];
