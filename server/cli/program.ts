/** The command line as a function of its arguments. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { versions } from '../report/versions.ts';
import { nearest } from '../schemas/issues.ts';
import { addActions } from './commands/actions.ts';
import { addCheck } from './commands/check.ts';
import { addDevices } from './commands/devices.ts';
import { addEvaluate } from './commands/evaluate.ts';
import { addExport } from './commands/export.ts';
import { addFeedback } from './commands/feedback.ts';
import { addFit } from './commands/fit.ts';
import { addGenerate } from './commands/generate.ts';
import { addModels } from './commands/models.ts';
import { addPlay } from './commands/play.ts';
import { addReport } from './commands/report.ts';
import { addReproduce } from './commands/reproduce.ts';
import { addScore } from './commands/score.ts';
import { addSearch } from './commands/search.ts';
import { addServe } from './commands/serve.ts';
import { addStart } from './commands/start.ts';
import { addTrain } from './commands/train.ts';
import { cliErrors } from './errors.ts';
import type { CliIo } from './io.ts';
import { Session } from './session.ts';

const exitHelp = `
Exit codes: 0 good, 1 a check failed, 2 wrong input, 70 a mistake in CoLA Studio, 130 interrupted,
143 and 129 ended by SIGTERM and SIGHUP, 74 the results could not be written.
With --json results are JSON on stdout, and so are errors: {"error": {"id", "message", "remedy"}}.`;

/** All commands with their options. */
export function makeProgram(session: Session): Command {
  const { io } = session;
  const program = new Command('cola')
    .description('Tune a local language model by reinforcement learning over latent actions.')
    .helpCommand(false)
    .addHelpText('after', exitHelp)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // The catalogued form is printed instead.
      outputError: () => {},
      getOutHelpWidth: () => io.stdout.columns ?? 100,
    });
  program.option('-V, --version', 'versions of CoLA Studio and of what it runs on').on('option:version', () => {
    for (const [name, version] of versions()) io.stdout.write(`${name} ${version}\n`);
    throw new CommanderError(0, 'commander.version', 'versions');
  });
  for (const add of [
    addDevices,
    addModels,
    addCheck,
    addGenerate,
    addPlay,
    addScore,
    addFit,
    addTrain,
    addEvaluate,
    addFeedback,
    addActions,
    addExport,
    addSearch,
    addReport,
    addReproduce,
    addServe,
    addStart,
  ])
    add(program, session);
  return program;
}

/** A file whose name begins with a dash is no option. */
const asPath = (argument: string, cwd: string) =>
  /^-.*\.ya?ml$/i.test(argument) && existsSync(resolve(cwd, argument)) ? `./${argument}` : argument;

/**
 * Runs one command.
 *
 * @param argv arguments without the program's own name
 * @returns the exit code, see `exitCodes`; never throws
 */
export async function run(argv: readonly string[], io: CliIo): Promise<number> {
  const session = new Session(io);
  const program = makeProgram(session);
  // As others have it: `cola help train`.
  const asked = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
  try {
    if (argv.length === 0) program.outputHelp();
    else
      await program.parseAsync(
        asked.map((argument) => asPath(argument, io.cwd)),
        { from: 'user' },
      );
  } catch (error) {
    if (!(error instanceof CommanderError)) session.fail(error, argv.includes('--json'));
    else if (error.exitCode !== 0) {
      const command = program.commands.find((each) => each.name() === argv[0]);
      const inner = command?.commands.find((each) => each.name() === argv[1]);
      // Its help has been shown.
      const own = error.code === 'commander.help' ? command?.commands.map((each) => each.name()) : undefined;
      const problem =
        own === undefined
          ? (slip(error, argv, inner ?? command) ?? sentence(error.message))
          : `It needs one of its commands: ${own.join(', ')}`;
      const words = ['cola', command?.name(), inner?.name()].filter((word) => word !== undefined);
      const usage = cliErrors.usage(problem, words.join(' '));
      session.fail(usage, argv.includes('--json'));
    }
  }
  return session.exitCode;
}

/** What others call the commands. */
const otherNames: Readonly<Record<string, string>> = {
  run: 'train',
  tune: 'train',
  finetune: 'train',
  'fine-tune': 'train',
  complete: 'generate',
  chat: 'generate --chat',
  eval: 'evaluate',
  test: 'evaluate',
  list: 'models',
  ls: 'models',
  convert: 'export',
  quantize: 'export',
  merge: 'export --merge',
  version: '--version',
  init: 'start',
  memory: 'fit',
};

/** What others call the options. */
const otherOptions: Readonly<Record<string, string>> = {
  '--max-tokens': '--max-new',
  '--max-new-tokens': '--max-new',
  '--n-predict': '--max-new',
  '-n': '--max-new',
  '--temp': '--temperature',
  '--model-path': '--model',
  '--model-name-or-path': '--model',
  '--checkpoint': '--model',
  '--dtype': '--precision',
  '--quantize': '--precision',
  '--bits': '--precision',
  '--gpu': '--device',
  '--cuda': '--device',
  '--batch-size': '--batch',
  '--max-length': '--length',
  '--ctx-size': '--length',
  '--output': '--out',
  '--output-dir': '--out',
  '-o': '--out',
  '--num-threads': '--threads',
  '-t': '--threads',
  '--num-samples': '--samples',
  '--lr': '--learning-rate',
  '--tasks': '--measures',
  '--resume-from-checkpoint': '--resume',
};

/** What was meant, where the parser's own words lead elsewhere; without its full stop. */
function slip(error: CommanderError, argv: readonly string[], command: Command | undefined): string | undefined {
  if (command === undefined) {
    const meant = Object.hasOwn(otherNames, argv[0]) ? otherNames[argv[0]] : undefined;
    if (error.code === 'commander.unknownCommand' && meant !== undefined)
      return `Unknown command '${argv[0]}' (Did you mean ${meant}?)`;
    return argv[0] === '-v' ? "Unknown option '-v' (Did you mean --version?)" : undefined;
  }
  const long = (word: string) => command.options.find((option) => option.long === word.split('=')[0]);
  if (error.code === 'commander.unknownOption') {
    const strange = /'([^']*)'/.exec(error.message)?.[1].split('=')[0] ?? '';
    const plain = strange.replaceAll('_', '-');
    const meant = [plain, otherOptions[plain] ?? ''].find((name) => name !== strange && long(name) !== undefined);
    return meant === undefined ? undefined : `Unknown option '${strange}' (Did you mean ${meant}?)`;
  }
  if (error.code === 'commander.missingMandatoryOptionValue') {
    // One that is misspelt is looked at after those that are missing.
    const strange = argv.find((word) => word.startsWith('--') && word.length > 2 && word !== '--help' && !long(word));
    const names = command.options.flatMap((option) => option.long ?? []);
    const meant = strange === undefined ? undefined : nearest(strange, names);
    return meant === undefined ? undefined : `Unknown option '${strange}' (Did you mean ${meant}?)`;
  }
  if (error.code !== 'commander.excessArguments') return undefined;
  const extra = command.args[command.registeredArguments.length];
  const at = argv.lastIndexOf(extra);
  const before = at > 0 ? long(argv[at - 1]) : undefined;
  if (before?.isBoolean() === true)
    return `${before.long} takes no value, and ${JSON.stringify(extra)} stands behind it`;
  const holds = ['--prompt', '--model'].find((name) => long(name) !== undefined && !argv.includes(name));
  const hint = holds === undefined ? '' : `: write ${holds} before it`;
  return `${JSON.stringify(extra)} is too much for 'cola ${command.name()}'${hint}`;
}

/** "error: unknown option '--x'\n(Did you mean --y?)" as a sentence without its full stop. */
function sentence(message: string): string {
  const text = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace(/\.$/, '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
