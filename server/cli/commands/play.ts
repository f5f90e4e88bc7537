/** `cola play`: one episode in an environment, in which a person, an expert, chance or a model acts. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Environment, type Game, isGame, type Task, worldOf } from '../../environments/environment.ts';
import { builtIn } from '../../environments/spec.ts';
import { toolsText } from '../../environments/tools.ts';
import { type Watcher, watched, watchedWorld } from '../../environments/watched.ts';
import { runDecoding } from '../../evaluate/run.ts';
import { Subject } from '../../evaluate/subject.ts';
import { Speech } from '../../model/chat/speech.ts';
import { Random } from '../../random.ts';
import { namedEnvironment } from '../../spec/named-environment.ts';
import { templateOf, tokenizerOf } from '../../train/data.ts';
import { environmentPrompt, inEnvironment, openWorld } from '../../train/reinforce/environment-rollouts.ts';
import { openEnvironment } from '../../train/reinforce/open-environment.ts';
import { cliErrors } from '../errors.ts';
import type { Lines, Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import {
  count,
  type DeviceOption,
  integer,
  type JsonOption,
  openChosen,
  positive,
  withDevice,
  withExamples,
  withJson,
} from '../options.ts';
import type { Session } from '../session.ts';

interface Options extends JsonOption, DeviceOption {
  readonly model?: string;
  readonly expert?: boolean;
  readonly random?: boolean;
  readonly seed: number;
  readonly unseen?: boolean;
  readonly turns: number;
  readonly maxNew: number;
  readonly temperature: number;
  readonly tokens?: boolean;
}

interface Turn {
  readonly text: string;
  readonly observation: string;
  readonly reward: number;
}

/** Steps that a person is shown. */
const mostListed = 40;

/** What happened, for `--json`. */
interface Played {
  readonly environment: string;
  readonly seed: number;
  readonly side: Task['side'];
  readonly start: string;
  readonly turns: readonly Turn[];
  readonly reward: number;
  /** Whether it came to its end, and was not given up. */
  readonly done: boolean;
}

export function addPlay(program: Command, session: Session): void {
  const command = program
    .command('play')
    .description(
      'Play an episode in an environment: by yourself, a line a turn (? lists what can be done, an empty line or Ctrl+D gives up), or watch a model, the expert or chance.',
    )
    .argument(
      '<environment>',
      `${builtIn.join(', ')}, a module of your own (.mjs, .js, .cjs), the address of an OpenEnv server, or a run spec (.yaml) with an environment`,
    )
    .option('--model <folder>', 'this model acts: a model folder, a run, or builtin:nano')
    .option('--expert', 'the player who knows how acts')
    .option('--random', 'chance acts, among what can be done')
    .option('--seed <number>', 'which world', integer, 1)
    .option('--unseen', 'a world of those that nothing is trained in')
    .option('--turns <count>', 'most turns', count, 40)
    .option('--max-new <count>', 'longest turn of a model, in tokens', count, 24)
    .option('--temperature <number>', '0 always takes the most likely action or token', positive, 0)
    .option('--tokens', 'a model chooses tokens with the base, even if it has latent actions');
  withExamples(withDevice(withJson(command)), [
    'play household',
    'play guess-the-rule --expert --seed 3',
    'play household --model my-agent --unseen --temperature 1',
  ]).action((name: string, options: Options) =>
    session.perform(options.json === true, async (output) => {
      const { cwd, signal } = session;
      const context = {
        resolve: (path: string) => resolve(cwd, path),
        signal,
        say: (text: string) => output.note(text),
        seed: options.seed,
      };
      const environment = await openEnvironment(namedEnvironment(name, cwd), context);
      try {
        return { value: await play(environment, options, session, output), ok: true };
      } finally {
        await environment.close();
      }
    }),
  );
}

async function play(inner: Environment, options: Options, session: Session, output: Output): Promise<Played> {
  const { seed, model, expert = false, random = false } = options;
  if ([model !== undefined, expert, random].filter((given) => given).length > 1)
    throw cliErrors.usage('Only one can act: --model, --expert or --random', 'cola play');
  const byPerson = model === undefined && !expert && !random;
  const side = options.unseen === true ? 'unseen' : 'seen';
  const turns: Turn[] = [];
  let [start, done] = ['', false];
  const watcher: Watcher = {
    onStart(observation) {
      // A model's world is asked once more for what the model has read already.
      if (start !== '') return;
      start = observation;
      const told = [inner.instructions, toolsText(inner.tools)].filter((part) => part !== '');
      output.line(`${told.join('\n')}\n\n${observation}`);
    },
    onStep(text, { observation, reward, done: over }) {
      // What a person wrote stands there already.
      if (!byPerson) output.line(`> ${text}`);
      output.line(observation);
      turns.push({ text, observation, reward });
      done = over;
    },
  };
  if (model !== undefined) await byModel(watched(inner, watcher), { ...options, model, side }, session, output);
  else {
    const game = isGame(inner) ? inner.game() : undefined;
    const world = watchedWorld(game === undefined ? openWorld(inner) : worldOf(game), watcher);
    const lines = byPerson ? session.io.lines?.() : undefined;
    const next = lines === undefined ? automatic(inner, game, options) : person(game, lines, session.signal, output);
    try {
      await world.reset(seed, { side }, session.signal);
      while (!done && turns.length < options.turns) {
        const text = await next();
        if (text === undefined) break;
        await world.step(text, session.signal);
      }
    } finally {
      lines?.close();
      await world.close();
    }
  }
  const reward = turns.reduce((sum, turn) => sum + turn.reward, 0);
  output.line(`\n${done ? 'Over' : 'Not over'} after ${turns.length} turns. Reward: ${reward}.`);
  return { environment: inner.name, seed, side, start, turns, reward, done };
}

/** What is written next; undefined to give up. */
type Player = () => Promise<string | undefined>;

/** @throws cli.noExpert for an environment that is no game */
function automatic({ name }: Environment, game: Game | undefined, { expert, random, seed }: Options): Player {
  if (game === undefined && (expert === true || random === true)) throw cliErrors.noExpert(name);
  const numbers = new Random(seed);
  return async () => {
    if (expert === true) return game?.expert();
    const possible = random === true ? game?.possible() : undefined;
    return possible?.[numbers.integer(possible.length)];
  };
}

function person(game: Game | undefined, lines: Lines, signal: AbortSignal, output: Output): Player {
  return async () => {
    for (;;) {
      output.write('> ');
      const text = (await lines.next(signal))?.trim();
      if (text !== '?') return text === '' ? undefined : text;
      if (game === undefined) output.line('This environment does not say what can be done.');
      else output.line(game.possible().slice(0, mostListed).join(' · '));
    }
  };
}

/** A model reads what has been said and writes a turn, until the world is done or nothing more fits into its context. */
async function byModel(
  environment: Environment,
  options: Options & { readonly model: string; readonly side: Task['side'] },
  { cwd, signal }: Session,
  output: Output,
): Promise<void> {
  const { side, seed, turns, maxNew, temperature } = options;
  const device = await openChosen(options, output);
  try {
    const { folder, run } = await namedModel(options.model, cwd);
    const tuned = run === undefined ? undefined : runDecoding(run);
    const decoding = options.tokens === true ? 'tokens' : tuned;
    const subject = await Subject.load(device, folder, { decoding, signal });
    const actor = subject.actor(0);
    try {
      const { context, base } = subject;
      const speech = new Speech(tokenizerOf(context), templateOf(context));
      const room = base.config.maxPositionEmbeddings - maxNew;
      const prompt = await environmentPrompt(environment, speech, { seed, side }, room, signal);
      const maxTokens = base.config.maxPositionEmbeddings - prompt.ids.length;
      const rollouts = inEnvironment(environment, actor, speech, { turns, maxTokens });
      const { rows } = await rollouts.run([{ prompt, seeds: [seed] }], { maxNew, temperature, topK: 0 }, signal);
      for (const { result } of rows) if ('noScore' in result) output.note(result.noScore);
    } finally {
      await actor.dispose();
      subject.dispose();
    }
  } finally {
    await device.dispose();
  }
}
