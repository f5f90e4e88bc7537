/** `cola start`: a tuned model and a report in a few minutes. */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { dataErrors } from '../../data/errors.ts';
import type { ExtraFigure } from '../../report/page.ts';
import { numberIn, type RunRecord } from '../../report/run-record.ts';
import type { DataSpec } from '../../spec/settings/parts.ts';
import { armNames, evaluateSamples, startDefaults } from '../../start/specs.ts';
import { start } from '../../start/start.ts';
import { cliErrors } from '../errors.ts';
import { namedModel } from '../named-model.ts';
import { count, type DeviceOption, integer, type JsonOption, withDevice, withExamples, withJson } from '../options.ts';
import { RunReport } from '../run-report.ts';
import type { Session } from '../session.ts';
import { changesOf, nextSteps, tunedText } from '../start-screen.ts';

type Options = JsonOption &
  DeviceOption & {
    readonly model: string;
    readonly root: string;
    readonly seed: number;
    readonly steps: number;
    readonly batch: number;
    readonly group: number;
    readonly problems: number;
    readonly text?: string;
    readonly verbose?: boolean;
  };

export function addStart(program: Command, session: Session): void {
  const command = program
    .command('start')
    .description(
      'Reinforce the model in the box on countdown, over latent actions and over tokens, and write a report. Ctrl+C saves; the same command goes on where it stopped.',
    )
    .option('--model <folder>', 'model with latent actions', 'builtin:nano')
    .option('--root <folder>', 'folder whose .cola holds the runs and the report', '.')
    .option('--seed <number>', 'seed of everything random', integer, startDefaults.seed)
    .option('--steps <count>', 'rounds of each run', count, startDefaults.steps)
    .option('--batch <count>', 'problems in a round', count, startDefaults.batch)
    .option('--group <count>', 'samples a problem', count, startDefaults.group)
    .option('--problems <count>', 'unseen problems on which is measured', count, startDefaults.problems)
    .option('--verbose', 'show every figure, not only those that matter most')
    .option('--text <file>', "text whose loss is watched (default: this project's own sources)");
  withExamples(withDevice(withJson(command)), ['start', 'start --seed 8 --steps 40']).action((options: Options) =>
    session.perform(options.json === true, async (output) => {
      const root = resolve(session.cwd, options.root);
      const { folder } = await namedModel(options.model, session.cwd);
      const report = new RunReport(output, options.verbose === true);
      const { seed, steps, batch, group, problems, device, threads } = options;
      const model = options.model.startsWith('builtin:') ? options.model : folder;
      const settings = { model, device, threads, seed, steps, batch, group, problems };
      output.note(`Model: ${options.model}. Task: countdown, ${problems} unseen problems.`);
      const done = await start({
        root,
        settings,
        modelFolder: folder,
        text: textOf(options.text, session.cwd),
        signal: session.signal,
        onArm: (arm, run, resumed) =>
          output.line(`\n${armNames[arm]}: ${resumed ? `found the run ${run}` : `run ${run}`}`),
        onEvent: (event) => report.show(event),
        say: (text) => output.note(text),
      });
      output.endProgress();
      output.line(`\n${tunedText(settings)}\n`);
      const table = resultTable(done.runs, done.extra);
      output.table(table);
      const changes = changesOf(done.runs);
      for (const { heading, lines } of changes)
        output.line(`\n${heading}\n${lines.map((line) => `  ${line}`).join('\n')}`);
      output.line(`\nOpen next\n${nextSteps(done.runs, done.report, shownFrom(session.cwd)).join('\n')}`);
      return { value: { report: done.report, runs: done.runs.map(({ path }) => path), table, changes }, ok: true };
    }),
  );
}

/** The sources beside the bundle, or the file that was named. @throws cli.noText in an installation without sources */
function textOf(file: string | undefined, cwd: string): DataSpec {
  if (file !== undefined) {
    const path = resolve(cwd, file);
    // It is read at the end of a run.
    if (!existsSync(path)) throw dataErrors.missingFile(path, Object.assign(new Error('missing'), { code: 'ENOENT' }));
    return path;
  }
  const root = join(import.meta.dirname, '..');
  const top = existsSync(join(root, 'server', 'cli')) ? root : join(root, '..');
  if (!existsSync(join(top, 'server', 'cli'))) throw cliErrors.noText();
  return { workspace: top, globs: ['server/train/**/*.ts', 'server/model/**/*.ts'] };
}

/** A path as it is typed in that folder. */
const shownFrom = (cwd: string) => (path: string) => relative(cwd, path) || '.';

const shown = [
  ['greedy_solved', 'solved, greedy'],
  ['sampled_solved', 'solved, sampled'],
  [`pass_at_${evaluateSamples}`, `pass@${evaluateSamples}`],
  ['different_answers', `different answers of ${evaluateSamples}`],
] as const;

function resultTable(runs: readonly RunRecord[], extra: readonly ExtraFigure[]): string[][] {
  const cell = (value: number | undefined) => value?.toFixed(3) ?? '-';
  const ends = runs.map(({ measurements }) => [measurements[0], measurements[measurements.length - 1]] as const);
  return [
    ['', ...runs.flatMap(({ label }) => [`${label}: before`, 'after'])],
    ...shown.map(([name, words]) => [
      words,
      ...ends.flatMap((lines) => lines.map((line) => cell(line === undefined ? undefined : numberIn(line, name)))),
    ]),
    ...extra.map(({ name, values }) => [name, ...values.flatMap((value) => [cell(value?.[0]), cell(value?.[1])])]),
  ];
}
