/** The options of `cola search`, and what they come to. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { checkBudget, type SearchBudget, type SearchSettings } from '../search/options.ts';
import type { TurnSettings } from '../search/turns.ts';
import { cliErrors } from './errors.ts';
import {
  count,
  type DeviceOption,
  integer,
  type JsonOption,
  natural,
  type PrecisionOption,
  positive,
  share,
  withDevice,
  withExamples,
  withJson,
  withPrecision,
} from './options.ts';

/** Settings of the tree; a search that is continued has its own already. */
interface TreeOptions {
  readonly breadth?: number;
  readonly rootBreadth?: number;
  readonly merge: boolean;
  readonly normalise?: boolean;
  readonly widening?: number;
  readonly edges?: 'steps' | 'q';
  readonly stepsPerEdge?: number;
  readonly maxExtra?: number;
  readonly threshold?: number;
  readonly order?: 'descent' | 'global';
  readonly cpuct?: number;
  readonly gamma?: number;
  readonly batch?: number;
  readonly maxNew?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly value?: Weights;
  readonly rewardSeconds?: number;
}

type Weights = { rollout?: number; value?: number; q?: number };

export type SearchCommandOptions = JsonOption &
  DeviceOption &
  PrecisionOption &
  TreeOptions & {
    readonly prompt?: string;
    readonly promptFile?: string;
    readonly ids?: string;
    readonly chat?: boolean;
    readonly reward?: string;
    readonly row?: string;
    readonly simulations?: number;
    readonly tokens?: number;
    readonly seconds?: number;
    readonly out?: string;
    readonly continue?: string;
    readonly html?: string;
    readonly lines: number;
  } & WorldOptions;

/** Of a search over turns. */
export interface WorldOptions {
  readonly environment?: string;
  readonly unseen?: boolean;
  readonly turns?: number;
  readonly begin?: 'samples' | 'actions';
  readonly decoding?: 'actions' | 'tokens';
}

/** Where `--out` is not given. */
export const defaultOut = 'search.json';
const longestAnswer = 64;
/** As `cola play` has it. */
export const longestTurn = 24;

export function withSearchOptions(command: Command): Command {
  command
    .option('--prompt <text>', 'text to continue')
    .option('--prompt-file <file>', 'file with the text to continue')
    .option('--ids <list>', 'token ids to continue, with commas, for models without a tokenizer')
    .option('--chat', "put the text through the model's chat template, as a message to answer")
    .option('--reward <reward>', 'how answers are judged: a name, or what a run spec would say')
    .option('--row <json>', 'the columns that the reward reads, as a JSON object')
    .option('--simulations <count>', 'budget in simulations', natural)
    .option('--tokens <count>', 'budget in generated tokens', natural)
    .option('--seconds <number>', 'budget in seconds of searching', positive)
    .option(
      '--breadth <count>',
      'children of a node: its most probable actions, or turns that are tried (default: 4)',
      count,
    )
    .option('--root-breadth <count>', 'children of the prompt (default: --breadth)', count)
    .option('--no-merge', 'a child for each action, also for those that write the same token, as in the paper')
    .option('--normalise', 'scale values by the least and the largest of the search, whatever rewards are')
    .option('--widening <alpha>', 'look at N^alpha children of a node that was simulated N times', share)
    .addOption(
      new Option(
        '--edges <kind>',
        'a fixed number of steps, or as far as Q agrees with itself (default: steps)',
      ).choices(['steps', 'q']),
    )
    .option('--steps-per-edge <count>', 'with --edges steps: actions of an edge (default: 1)', count)
    .option('--max-extra <count>', 'with --edges q: most further actions of an edge (default: 64)', natural)
    .option('--threshold <number>', 'with --edges q: the Bellman error that ends an edge (default: 0.01)', positive)
    .addOption(
      new Option('--order <order>', 'PUCT from the prompt, or the best open node anywhere (default: descent)').choices([
        'descent',
        'global',
      ]),
    )
    .option('--cpuct <number>', 'how much the policy counts against what was found (default: 0.7)', positive)
    .option('--gamma <number>', 'discount of an edge (default: 0.99)', positive)
    .option('--value <weights>', 'worth of a simulation: rollout, value, q, or a mix such as rollout=1,q=0.5', weights)
    .option('--batch <count>', 'simulations in lockstep (default: 1)', count)
    .option(
      '--max-new <count>',
      `most tokens of an answer (default: ${longestAnswer}), or of a turn (default: ${longestTurn}, or as a run spec has it)`,
      count,
    )
    .option('--temperature <number>', 'of the actions of rollouts; 0 is greedy (default: 0, of turns 1)', positive)
    .option(
      '--seed <number>',
      'seed of the search and of the samples beside it; with --environment also which world (default: 0, of worlds 1)',
      integer,
    )
    .option('--reward-seconds <number>', 'longest wait for one reward (default: 60)', positive)
    .option('--continue <file>', 'search on in the tree of an earlier search, with more budget')
    .option(
      '--out <file>',
      `where the search is saved (default: ${defaultOut}, or the file that is continued; nowhere with --environment)`,
    )
    .option('--html <file>', 'also write the search as a page to look at')
    .option('--environment <name>', 'search over turns of an episode instead: what "cola play" takes')
    .option('--unseen', 'with --environment: a world of those that nothing is trained in')
    .option('--turns <count>', 'with --environment: most turns (default: 20, or as a run spec has it)', count)
    .addOption(
      new Option(
        '--begin <how>',
        'with --environment: turns are drawn, or each begins with another of the likeliest actions (default: samples)',
      ).choices(['samples', 'actions']),
    )
    .addOption(
      new Option(
        '--decoding <how>',
        'with --environment: what writes the turns (default: as the model was tuned)',
      ).choices(['actions', 'tokens']),
    )
    .option('--lines <count>', 'most branches to print, the most visited ones', count, 40);
  return withExamples(withPrecision(withDevice(withJson(command)), 'auto'), [
    'search my-model --prompt "3 4 5 -> 17: " --reward countdown --row \'{"numbers": [3, 4, 5], "target": 17}\' --simulations 200',
    'search .cola/runs/countdown --chat --prompt-file task.txt --reward "{numeric: {column: answer}}" --row \'{"answer": 42}\' --tokens 20_000 --edges q',
    'search my-agent --environment household --seed 3 --tokens 4000 --out house.json',
    'search my-agent --environment household --continue house.json --tokens 4000',
    'search my-model --reward maths --row \'{"answer": "7"}\' --continue search.json --simulations 500 --html search.html',
  ]);
}

function weights(text: string): Weights {
  const result: Weights = {};
  for (const part of text.split(',')) {
    const [, name, weight] = /^\s*(rollout|value|q)\s*(?:=\s*([\d.]+)\s*)?$/.exec(part) ?? [];
    if (name !== 'rollout' && name !== 'value' && name !== 'q') {
      throw new InvalidArgumentError(
        'It should be of rollout, value and q, each with a weight such as q=0.5 if you like.',
      );
    }
    result[name] = weight === undefined ? 1 : Number(weight);
  }
  return result;
}

/** An error of usage in this command. */
export const wrongUse = (problem: string) => cliErrors.usage(problem, 'cola search');

/** @throws search.budget */
export function budgetOf({ simulations, tokens, seconds }: SearchCommandOptions): SearchBudget {
  const budget = {
    ...(simulations === undefined ? {} : { simulations }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(seconds === undefined ? {} : { seconds }),
  };
  checkBudget(budget);
  return budget;
}

/**
 * What the options say about the tree.
 *
 * @throws cli.usage where one of them would have no effect
 */
export function settingsOf(options: SearchCommandOptions): SearchSettings {
  const { breadth, rootBreadth, edges, order, cpuct, gamma, value, batch, temperature, seed, rewardSeconds } = options;
  const given = {
    breadth,
    root_breadth: rootBreadth,
    // A search that is continued has its own.
    merge: options.continue === undefined || !options.merge ? options.merge : undefined,
    normalise: options.normalise,
    widening: options.widening === undefined ? undefined : { alpha: options.widening },
    edge: edgeOf(edges, options),
    order,
    cpuct,
    gamma,
    value,
    batch,
    temperature,
    seed,
    reward_seconds: rewardSeconds,
    max_new: options.maxNew,
  };
  const settings: SearchSettings = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined));
  if (options.continue === undefined) return { max_new: longestAnswer, ...settings };
  const [first] = Object.keys(settings);
  if (first !== undefined) {
    throw wrongUse(
      `A search that is continued keeps its settings, so --${first === 'merge' ? 'no-merge' : first.replaceAll('_', '-')} cannot be given`,
    );
  }
  return settings;
}

function edgeOf(kind: 'steps' | 'q' | undefined, options: TreeOptions): SearchSettings['edge'] {
  const { stepsPerEdge, maxExtra, threshold } = options;
  if (kind === 'q') {
    if (stepsPerEdge !== undefined) throw wrongUse('--steps-per-edge goes with --edges steps');
    return {
      kind,
      ...(maxExtra === undefined ? {} : { max_extra: maxExtra }),
      ...(threshold === undefined ? {} : { threshold }),
    };
  }
  if (maxExtra !== undefined) throw wrongUse('--max-extra goes with --edges q');
  if (threshold !== undefined) throw wrongUse('--threshold goes with --edges q');
  if (kind === undefined && stepsPerEdge === undefined) return undefined;
  return { kind: 'steps', ...(stepsPerEdge === undefined ? {} : { steps: stepsPerEdge }) };
}

/** @throws cli.usage */
export function rowOf(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (error) {
    throw wrongUse(
      `--row is not JSON: ${error instanceof Error ? error.message : String(error)}; write it as --row '{"answer": "4"}', with the quotes`,
    );
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw wrongUse('--row should be a JSON object, such as \'{"answer": "7"}\'');
  }
  return { ...row };
}

/** @returns how answers are judged @throws cli.usage where it is not said, or where something goes with --environment alone */
export function withoutWorld(options: SearchCommandOptions): string {
  const astray = (['unseen', 'turns', 'begin', 'decoding'] as const).find((name) => options[name] !== undefined);
  if (astray !== undefined) throw wrongUse(`--${astray} goes with --environment`);
  if (options.reward === undefined) throw wrongUse('There should be --reward, or --environment for a world to act in');
  return options.reward;
}

/** Options that mean nothing in a world. */
const ofAnswers = [
  'prompt',
  'promptFile',
  'ids',
  'chat',
  'reward',
  'row',
  'edges',
  'stepsPerEdge',
  'maxExtra',
  'threshold',
  'order',
  'normalise',
  'batch',
  'rewardSeconds',
] as const;

/** What is given of the world, and of how the model acts there. */
const ofWorld = ({ seed, unseen, turns, maxNew, decoding }: SearchCommandOptions) =>
  Object.fromEntries(Object.entries({ seed, unseen, turns, maxNew, decoding }).filter(([, v]) => v !== undefined));

/** The option that a setting comes from. */
const optionOf = (name: string) =>
  name === 'byAction' ? 'begin' : name.replaceAll('_', '-').replace(/[A-Z]/g, (x) => `-${x.toLowerCase()}`);

/** What the options say of a search over turns. @throws cli.usage, search.budget */
export function turnSettingsOf(options: SearchCommandOptions): {
  readonly settings: TurnSettings;
  readonly budget: SearchBudget;
} {
  const astray = ofAnswers.find((name) => options[name] !== undefined);
  if (astray !== undefined)
    throw wrongUse(`--${astray.replace(/[A-Z]/g, (x) => `-${x.toLowerCase()}`)} does not go with --environment`);
  if (!options.merge) throw wrongUse('--no-merge does not go with --environment');
  const { breadth, rootBreadth, cpuct, gamma, value, widening, temperature, begin, seed = 1 } = options;
  if (value?.q !== undefined) throw wrongUse('With --environment --value is of rollout and value');
  const given = {
    breadth,
    root_breadth: rootBreadth,
    cpuct,
    gamma,
    value,
    widening: widening === undefined ? undefined : { alpha: widening },
    temperature,
    byAction: begin === undefined ? undefined : begin === 'actions',
  };
  const settings: TurnSettings = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined));
  if (options.continue !== undefined) {
    const kept = { ...settings, ...ofWorld(options) };
    const [first] = Object.keys(kept);
    if (first !== undefined)
      throw wrongUse(
        `A search that is continued keeps its world and its settings, so --${optionOf(first)} cannot be given`,
      );
  }
  const longest = options.maxNew === undefined ? {} : { max_new: options.maxNew };
  return { settings: { ...longest, seed, ...settings }, budget: budgetOf(options) };
}
