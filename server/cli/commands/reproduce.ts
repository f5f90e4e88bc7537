/** `cola reproduce`: what of the paper holds here. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { limits, readTextIfThere } from '../../files/open.ts';
import { chosen, type Experiment, readExperiments } from '../../reproduce/experiment.ts';
import { brief, type Reproduced, reproduce } from '../../reproduce/reproduce.ts';
import { count, type DeviceOption, type JsonOption, positive, withDevice, withExamples, withJson } from '../options.ts';
import { RunReport } from '../run-report.ts';
import type { Session } from '../session.ts';

type Options = JsonOption &
  DeviceOption & {
    readonly seeds: number;
    readonly budget?: number;
    readonly claims?: string;
    readonly root: string;
    readonly out?: string;
    readonly keepRuns?: boolean;
    readonly page?: boolean;
    readonly list?: boolean;
  };

/** The sentences above the table of claims, with places for their numbers. */
const answerFile = 'answer.md';

export function addReproduce(program: Command, session: Session): void {
  const command = program
    .command('reproduce')
    .description(
      'Try claims of the paper in several seeds, and write what holds, with intervals. Ctrl+C saves; the same command goes on where it stopped, and what is known is never done again.',
    )
    .argument('[claim...]', 'names of claims or experiments (default: all, the cheapest first)')
    .option('--seeds <count>', 'seeds of each experiment', count, 5)
    .option('--budget <minutes>', 'stop and save after so many minutes', positive)
    .option('--claims <folder>', 'experiments with their claims (default: those of CoLA Studio)')
    .option('--root <folder>', 'folder whose .cola holds the runs', '.')
    .option('--out <folder>', 'where results and the page go (default: .cola/reproduce of the root)')
    .option('--keep-runs', 'keep runs whose seed is done')
    .option('--page', 'write the page from what is known, and run nothing')
    .option('--list', 'say what there is, and run nothing');
  withExamples(withDevice(withJson(command)), [
    'reproduce --list',
    'reproduce --budget 60',
    'reproduce codes reinforcement --seeds 3',
    'reproduce --out docs/results',
    'reproduce --out docs/results --page',
  ]).action((names: string[], options: Options) =>
    session.perform(options.json === true, async (output) => {
      const folder = options.claims === undefined ? ownClaims() : resolve(session.cwd, options.claims);
      const experiments = readExperiments(folder);
      const wanted = chosen(experiments, names);
      if (options.list === true) {
        output.table([['claim', 'experiment', 'minutes a seed', 'what'], ...wanted.flatMap(listed)]);
        return { value: wanted.flatMap(listed), ok: true };
      }
      const root = resolve(session.cwd, options.root);
      const report = new RunReport(output);
      const { budget } = options;
      const signals = [session.signal, ...(budget === undefined ? [] : [AbortSignal.timeout(budget * 60_000)])];
      const done = await reproduce({
        experiments,
        wanted,
        seeds: options.seeds,
        root,
        out: options.out === undefined ? join(root, '.cola', 'reproduce') : resolve(session.cwd, options.out),
        keepRuns: options.keepRuns === true,
        pageOnly: options.page === true,
        answer: readTextIfThere(join(folder, answerFile), limits.note),
        device: options.device,
        threads: options.threads,
        signal: AbortSignal.any(signals),
        onSeed: ({ name }, seed, known) => output.line(`\n${name}, seed ${seed}${known ? ': known' : ''}`),
        onArm: (arm, run, resumed) => output.line(`${arm}: ${resumed ? 'goes on with' : ''} ${run}`.replace('  ', ' ')),
        onEvent: (event) => report.show(event),
        say: (text) => output.note(text),
      });
      // Whoever asked for the end is told as by every command.
      session.signal.throwIfAborted();
      output.endProgress();
      output.table(verdictTable(done));
      output.line(`\nPage: ${relative(session.cwd, done.page) || done.page}`);
      if (done.stopped) output.note('The time is over before all seeds are done; the same command goes on.');
      return { value: { page: done.page, stopped: done.stopped, claims: done.claims.map(brief) }, ok: true };
    }),
  );
}

/** The folder of the claims beside the sources, from a bundle as well. */
function ownClaims(): string {
  let folder = import.meta.dirname;
  for (let up = 0; up < 4 && !existsSync(join(folder, 'claims')); up++) folder = dirname(folder);
  return join(folder, 'claims');
}

const listed = ({ name, minutes, claims }: Experiment): string[][] =>
  Object.entries(claims).map(([claim, { says }]) => [claim, name, String(minutes), says]);

const verdictTable = ({ claims }: Reproduced): string[][] => [
  ['claim', 'verdict', 'seeds', 'what'],
  ...claims.map(({ name, verdict, seeds, claim }) => [name, verdict, String(seeds.length), claim.says]),
];
