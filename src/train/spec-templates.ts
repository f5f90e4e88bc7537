/** Commented run specs from the answers to three questions. Knows nothing of the editor. */
import { t } from '../l10n.ts';
import type { Workers } from './worker-choices.ts';

/** Environments that are built in, and know how they are played. */
export const builtInEnvironments = ['household', 'guess-the-rule'] as const;

/** What to improve. */
export const goals = ['answers', 'code', 'actions', 'imitate', 'search', 'agent'] as const;
export type Goal = (typeof goals)[number];

/** Where rows come from. */
export type DataChoice =
  | { readonly kind: 'countdown' }
  | { readonly kind: 'arithmetic' }
  /** A file of rows or text, relative to the spec. */
  | {
      readonly kind: 'file';
      readonly path: string;
      /** Column of each role, where the rows do not say it themselves. */
      readonly columns?: Readonly<Record<string, string>>;
      /** How the rows are read, in words. */
      readonly note?: string;
      /** Whether rows that cannot be used are left out. */
      readonly skipBadRows?: boolean;
      /** Rewards that fit the rows, the best first. */
      readonly rewards?: readonly RewardName[];
    }
  /** Files below the spec's folder. */
  | { readonly kind: 'workspace'; readonly globs: readonly string[] }
  /** An environment as `cola play` takes it: a name, the path of a module, an address. */
  | { readonly kind: 'environment'; readonly environment: string };

export const rewardNames = [
  'countdown',
  'numeric',
  'exact',
  'maths',
  'code',
  'similarity',
  'length',
  'module',
] as const;
export type RewardName = (typeof rewardNames)[number];

export interface SpecAnswers {
  readonly goal: Goal;
  readonly data: DataChoice;
  /** For goals that are judged: `answers` and `search`. */
  readonly reward: RewardName | null;
  /** `builtin:nano`, or a folder. */
  readonly model: string;
  /** Whether the model has latent actions already. */
  readonly latent: boolean;
  /** A run of a few minutes, to see it happen. */
  readonly short?: boolean;
  /** Who computes it; this process alone, if not given. */
  readonly workers?: Workers;
}

export interface GoalNote {
  readonly label: string;
  readonly detail: string;
  /** Whether a reward judges what the model writes. */
  readonly judged: boolean;
  /** Data that suits it. */
  readonly data: readonly DataChoice['kind'][];
}

export const goalNotes: Readonly<Record<Goal, GoalNote>> = {
  answers: {
    label: t('Right answers'),
    detail: t('Reinforcement: samples are judged, and the policy learns what earned more.'),
    judged: true,
    data: ['countdown', 'arithmetic', 'file'],
  },
  code: {
    label: t('Writing as in my files'),
    detail: t('Latent actions and policy are trained on your files; the base model stays as it is.'),
    judged: false,
    data: ['workspace', 'file'],
  },
  imitate: {
    label: t('Answering as in my examples'),
    detail: t('Fine-tuning under the guidance of actions, on rows with a prompt and a response.'),
    judged: false,
    data: ['file', 'countdown', 'arithmetic'],
  },
  actions: {
    label: t('Latent actions for a base model'),
    detail: t('All parts are learned from text, for a model that has no latent actions yet.'),
    judged: false,
    data: ['workspace', 'file', 'countdown', 'arithmetic'],
  },
  search: {
    label: t('Better search'),
    detail: t('Learns which actions lead to reward, for the tree search with MCTS-Q.'),
    judged: true,
    data: ['countdown', 'arithmetic', 'file'],
  },
  agent: {
    label: t('An agent for an environment'),
    detail: t('It acts turn by turn in a world of words, and learns from what it gets done.'),
    judged: false,
    data: ['environment'],
  },
};

/** Rewards that can judge these rows, the usual one first. */
export function rewardsFor(data: DataChoice): readonly RewardName[] {
  if (data.kind === 'countdown') return ['countdown', 'length', 'module'];
  if (data.kind === 'arithmetic') return ['numeric', 'exact', 'maths', 'module'];
  const fitting = data.kind === 'file' ? (data.rewards ?? []) : [];
  const all: readonly RewardName[] = ['exact', 'numeric', 'maths', 'similarity', 'code', 'length', 'module'];
  return [...fitting, ...all.filter((name) => !fitting.includes(name))];
}

export const rewardNotes: Readonly<Record<RewardName, string>> = {
  countdown: t('The expression uses the numbers once and reaches the target.'),
  numeric: t('The last number in the answer equals the column "answer".'),
  exact: t('The answer equals the column "answer".'),
  maths: t('The answer in \\boxed{} equals the column "answer", also in another form.'),
  code: t('The code in the answer parses, type-checks and passes the tests of the column "tests".'),
  similarity: t('The answer resembles the column "answer", character by character.'),
  length: t('The answer has a length between two bounds.'),
  module: t('A file of yours judges: export default function score(input).'),
};

/** A name for the spec's file, without its ending. */
export const specName = ({ goal, data }: Pick<SpecAnswers, 'goal' | 'data'>): string =>
  data.kind === 'countdown' || data.kind === 'arithmetic'
    ? `${data.kind}-${goal}`
    : data.kind === 'environment' && isBuiltIn(data.environment)
      ? `${data.environment}-${goal}`
      : goal;

/** Text that a file of a person's own reward begins with, beside a spec that names it. */
export const rewardFile = 'reward.mjs';
export const rewardModule = `// Judges one answer. Runs in a process of its own, with your rights.
// input: { prompt, completion, row, finished, tokens }; return { value } or { noScore: 'why' }.
export default function score({ completion }) {
  return { value: completion.trim() === '' ? 0 : 1 };
}
`;

/** The spec, with what every setting of it is for. */
export function specText(answers: SpecAnswers): string {
  const { goal, model, latent, short = false, workers = null } = answers;
  const { label, detail } = goalNotes[goal];
  const needsActions = !latent && goal !== 'actions' && goal !== 'code' && goal !== 'agent';
  const stages = [
    ...(needsActions || goal === 'actions' || goal === 'code' ? actionStages(answers) : []),
    ...(goal === 'answers' ? [reinforceStage(answers)] : []),
    ...(goal === 'imitate' ? [guideStage(answers)] : []),
    ...(goal === 'search' ? [qStage(answers)] : []),
    ...(goal === 'agent' ? agentStages(answers) : []),
  ];
  const ofGoal: Partial<Record<Goal, string>> = {
    answers: 'accuracy, codebook',
    imitate: 'codebook',
    agent: 'agent',
  };
  const measures = ofGoal[goal] ?? 'codebook, marginal';
  const evaluate =
    goal === 'search' || short ? [] : ['', '# Measured at the end, on what was held out.', `evaluate: [${measures}]`];
  return `${[
    `# ${label}. ${detail}`,
    '# Run it with the line above the first setting, or: cola train <this file>',
    '# Hover over a setting for its meaning, its unit and the value of the paper.',
    `model: ${yaml(model)}`,
    'device: auto   # the fastest that works here',
    'seed: 7',
    ...(workers === null ? [] : clusterText(workers)),
    '',
    'stages:',
    stages.join('\n'),
    ...evaluate,
  ].join('\n')}\n`;
}

function clusterText({ engine, workers, threads, gpus, shards }: NonNullable<Workers>): string[] {
  const where = engine === 'local' ? 'processes of this machine' : 'actors of the Ray cluster';
  return [
    `threads: ${threads}   # of each worker; results depend on it`,
    'cluster:',
    `  engine: ${engine}   # ${where}; here: this process alone, with the same results`,
    `  workers: ${workers}   # results do not depend on it`,
    ...(gpus === 0 ? [] : [`  gpus: ${gpus}   # graphics cards for each worker`]),
    `  shards: ${shards}   # parts that a step is cut into; results depend on it`,
  ];
}

function actionStages({ data, goal, latent, short }: SpecAnswers): string[] {
  const steps = short === true ? 30 : goal === 'code' && latent ? 200 : 400;
  const first = latent
    ? '  # Stage 1 goes on from the actions that the model has. The base stays frozen.'
    : '  # Stage 1: 64 latent actions learn to say what the next token will be. The base stays frozen.';
  return [
    `${first}
  - control:
      data: ${dataText(data)}
      steps: ${steps}          # updates; tokens: 2e6 can be given instead
      batch: 8            # sequences in an update
      length: 128         # tokens in a sequence`,
    `  # The policy learns to choose actions without seeing the next token.
  - clone:
      data: ${dataText(data)}
      steps: ${steps}
      batch: 8
      length: 128`,
  ];
}

function reinforceStage(answers: SpecAnswers): string {
  const { data, short } = answers;
  const room = data.kind === 'file' ? 64 : data.kind === 'countdown' ? 24 : 12;
  return `  # Stage 3: several answers to each prompt are compared; actions that earned more become more likely.
  - reinforce:
      prompts: ${dataText(data)}
      reward: ${rewardText(answers)}
      steps: ${short === true ? 12 : 40}           # rounds of answers and update
      batch: ${short === true ? 8 : 16}           # prompts in a round
      group: 8            # answers a prompt
      max_new: ${room}         # longest answer, in tokens
      kl: 0.01            # how strongly the policy is held to where it began${solvedAt(answers)}
      evaluate_every: ${short === true ? 6 : 10}
      evaluate_rows: ${short === true ? 16 : 64}   # held-out prompts in a measurement`;
}

function guideStage({ data }: SpecAnswers): string {
  return `  # Stage 2: the base learns to answer as in the rows, guided by the policy's actions.
  - guide:
      variant: policy     # inverse for varied data
      data: ${dataText(data)}
      epochs: 1           # passes over the rows
      batch: 16
      max_length: 256     # prompt and response together, in tokens`;
}

function qStage(answers: SpecAnswers): string {
  return `  # What reward can be expected after each action, learned from answers of the policy.
  - q:
      prompts: ${dataText(answers.data)}
      reward: ${rewardText(answers)}
      steps: 50
      batch: 16           # prompts in a round
      group: 8            # answers a prompt
      max_new: ${answers.data.kind === 'file' ? 64 : 24}`;
}

/** Those that a model has room for: the model in the box reads 512 tokens, and the rules of the other are longer. */
export const agentEnvironments = (model: string) =>
  model.startsWith('builtin:') ? (['household'] as const) : builtInEnvironments;

const isBuiltIn = (environment: string) => builtInEnvironments.some((name) => name === environment);

/** As examples/agent.cola.yaml. */
function agentStages({ data, model, short }: SpecAnswers): string[] {
  const { environment } = data.kind === 'environment' ? data : { environment: 'household' };
  // The model in the box reads 512 tokens.
  const small = model.startsWith('builtin:');
  const text = environmentText(environment, small);
  const [episodes, steps] = short === true ? [200, 4] : [1600, small ? 7 : 20];
  const demonstrations = `  # Episodes of the player who knows how: a model that never wrote a possible turn learns nothing from rewards.
  # What the world says is read, and not learned.
  - tokens:
      method: supervised
      data:
        environment: ${text}
        episodes: ${episodes}
      max_length: ${small ? 320 : 1024}     # of an episode, in tokens; longer ones are cut
      batch: 16${small ? '\n      learning_rate: 1e-3' : ''}
      warmup: 10`;
  const reinforcement = `  # What comes of its own turns; measured in worlds that nothing was trained in.
  - tokens:
      environment: ${text}
      worlds: 64          # to learn in; others are kept for measuring
      turns: ${small ? 14 : 20}           # most turns of an episode
      max_new: ${small ? 16 : 48}         # longest turn, in tokens
      max_tokens: ${small ? 360 : 1024}     # longest episode behind its start
      steps: ${steps}            # rounds of episodes and update
      batch: 5            # worlds in a round
      group: 6            # episodes in each world, which are compared
      minibatches: 1
      learning_rate: ${small ? '1e-4' : '1e-6'}
      evaluate_every: 100
      evaluate_rows: ${short === true ? 8 : 48}   # held-out worlds in a measurement
      evaluate_samples: 1`;
  return isBuiltIn(environment) ? [demonstrations, reinforcement] : [reinforcement];
}

/** @param small whether most episodes are to fit into a context of 512 tokens */
function environmentText(environment: string, small: boolean): string {
  if (environment === 'household' && small) return '{ household: { kind: put, rooms: 2, rules: false } }';
  if (isBuiltIn(environment)) return environment;
  return /^(?:ws|http)s?:/.test(environment)
    ? `{ openenv: ${JSON.stringify(environment)} }`
    : `{ module: { path: ${yaml(environment)} } }`;
}

/** A right answer in the right form earns more than 1. */
function solvedAt({ reward }: SpecAnswers): string {
  return reward === 'countdown' ? '\n      solved_at: 2        # form and result are right' : '';
}

function dataText(data: DataChoice): string {
  switch (data.kind) {
    case 'countdown':
      return '{ task: countdown, format: compact }';
    case 'arithmetic':
      return '{ task: arithmetic }';
    case 'file':
      return fileText(data);
    case 'environment':
      return `{ environment: ${environmentText(data.environment, false)} }`;
    case 'workspace':
      return `{ workspace: ., globs: [${data.globs.map((glob) => JSON.stringify(glob)).join(', ')}] }`;
  }
}

function fileText({ path, columns, note, skipBadRows }: Extract<DataChoice, { kind: 'file' }>): string {
  const comment = columns !== undefined || note === undefined ? '' : `   # ${note.replace(/\s+/g, ' ')}`;
  if (columns === undefined && skipBadRows !== true) return `${yaml(path)}${comment}`;
  const pairs = Object.entries(columns ?? {}).map(([role, column]) => `${role}: ${yaml(column)}`);
  const settings = [
    `jsonl: ${yaml(path)}`,
    ...(pairs.length === 0 ? [] : [`columns: { ${pairs.join(', ')} }`]),
    ...(skipBadRows === true ? ['skip_bad_rows: true'] : []),
  ];
  return `{ ${settings.join(', ')} }${comment}`;
}

function rewardText({ reward, data }: SpecAnswers): string {
  switch (reward) {
    case null:
      return 'exact';
    case 'countdown':
      return data.kind === 'countdown' ? '{ countdown: { form: compact } }' : 'countdown';
    case 'length':
      return '{ length: { min: 4, max: 40 } }   # in tokens';
    case 'module':
      return `{ module: { path: ./${rewardFile} } }`;
    default:
      return reward;
  }
}

/** A plain word where YAML takes it for one. */
const yaml = (text: string): string =>
  /^[A-Za-z./][\w./:@-]*$/.test(text) && !/:$|^(?:true|false|null|yes|no|on|off)$/i.test(text)
    ? text
    : JSON.stringify(text);
