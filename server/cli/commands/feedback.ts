/** `cola feedback`: the log of what people did with completions, tuning from it, its versions, and the experiment. */
import { type Stats, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { ColaModel } from '../../cola/model.ts';
import { dataErrors } from '../../data/errors.ts';
import { readRows, type Source } from '../../data/sources.ts';
import { feedbackErrors } from '../../feedback/errors.ts';
import { historyOf, textOf } from '../../feedback/history.ts';
import { FeedbackLog, feedbackFile, mostBytes } from '../../feedback/log.ts';
import { judge } from '../../feedback/rewards.ts';
import { type PolicyVersion, PolicyVersions } from '../../feedback/versions.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import { readBytes } from '../../files/open.ts';
import { feedbackSettings } from '../../spec/settings/feedback.ts';
import { experimentTable, simulate, textsLines } from '../../tuning/experiment.ts';
import type { SourceText } from '../../tuning/simulated-person.ts';
import { Tuner } from '../../tuning/tuner.ts';
import { givenFolder } from '../given-folder.ts';
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

interface RootOption extends JsonOption {
  readonly root: string;
}

type SimulateOptions = JsonOption &
  DeviceOption & {
    readonly model: string;
    readonly seeds: number;
    readonly events: number;
    readonly places: number;
    readonly learningRate?: number;
    readonly epochs?: number;
    readonly kl?: number;
    readonly tune: boolean;
  };

export function addFeedback(program: Command, session: Session): void {
  const feedback = program
    .command('feedback')
    .description('What people did with completions: the log, tuning from it, and the policy versions that came of it.');
  const withRoot = (command: Command) =>
    withJson(command).option('--root <folder>', 'folder whose .cola/feedback and .cola/versions are meant', '.');
  addTune(withRoot(withDevice(feedback.command('tune'))), session);
  addVersions(withRoot(feedback.command('versions')), session);
  addUse(withRoot(feedback.command('use')), session);
  addShow(withRoot(feedback.command('show')), session);
  addExport(withRoot(feedback.command('export')), session);
  addClear(withRoot(feedback.command('clear')), session);
  addSimulate(withJson(withDevice(feedback.command('simulate'))), session);
}

function addTune(command: Command, session: Session): void {
  withExamples(
    command
      .description('Tune a policy from the log; a new version is put in use if what was held back speaks for it.')
      .argument('<model>', 'model folder, a run, or builtin:nano'),
    ['feedback tune builtin:nano --root my-project'],
  ).action((folder: string, options: RootOption & DeviceOption) =>
    session.perform(options.json === true, async (output) => {
      const root = givenFolder(options.root, session.cwd);
      const cola = await ColaModel.load((await namedModel(folder, session.cwd)).folder);
      cola.require('world', 'policy');
      const device = await openChosen(options, output);
      const tuner = new Tuner(device, cola);
      try {
        const progress = output.startProgress('updates');
        const { version } = await tuner.tune(new FeedbackLog(feedbackFile(root)), new PolicyVersions(root), {
          settings: feedbackSettings.parse({}),
          signal: session.signal,
          onProgress: (done) => progress.update(done),
        });
        output.endProgress();
        output.line(`${version.id} ${version.verdict}: ${version.why}`);
        return { value: version, ok: version.verdict !== 'refused' };
      } finally {
        await tuner.dispose();
        await device.dispose();
      }
    }),
  );
}

const share = (x: number | null) => (x === null ? '-' : `${(100 * x).toFixed(1)} %`);

const versionRow = (version: PolicyVersion, current: string): string[] => [
  `${version.id === current ? '*' : ' '} ${version.id}`,
  version.parent,
  new Date(version.at).toISOString().slice(0, 16).replace('T', ' '),
  String(version.moments),
  // Of too little a share says nothing.
  version.verdict === 'unjudged' ? '-' : `${share(version.acceptance.before)} -> ${share(version.acceptance.after)}`,
  version.verdict,
  version.why,
];

function addVersions(command: Command, session: Session): void {
  command.description('List the policy versions of a folder; * is in use.').action((options: RootOption) =>
    session.perform(options.json === true, async (output) => {
      const versions = new PolicyVersions(givenFolder(options.root, session.cwd));
      const { version, pinned } = versions.current;
      const list = versions.list();
      output.line(`In use: ${version}${pinned ? ', pinned' : ''}`);
      if (list.length > 0)
        output.table([
          ['version', 'from', 'made', 'moments', 'acceptance', 'verdict', 'why'],
          ...list.map((each) => versionRow(each, version)),
        ]);
      return { value: { current: version, pinned, versions: list }, ok: true };
    }),
  );
}

function addUse(command: Command, session: Session): void {
  command
    .description("Put a version in use: one of the list, or `original` for the model's own policy.")
    .argument('<version>')
    .option('--pin', 'let no new version replace it')
    .action((version: string, options: RootOption & { readonly pin?: boolean }) =>
      session.perform(options.json === true, async (output) => {
        await new PolicyVersions(givenFolder(options.root, session.cwd)).choose(version, options.pin === true);
        output.line(`In use: ${version}${options.pin === true ? ', pinned' : ''}`);
        return { value: { version, pinned: options.pin === true }, ok: true };
      }),
    );
}

function addShow(command: Command, session: Session): void {
  command.description('Show what was recorded, with what it is worth.').action((options: RootOption) =>
    session.perform(options.json === true, async (output) => {
      const log = new FeedbackLog(feedbackFile(givenFolder(options.root, session.cwd)));
      const { rewards, blame } = feedbackSettings.parse({});
      const moments = historyOf(log.read().map(({ line }) => line));
      output.line(`${log.path}: ${moments.length} moments, ${(log.size / 1000).toFixed(1)} kB`);
      const value = moments.map((moment) => ({
        id: moment.line.id,
        before: moment.line.before,
        alternatives: moment.line.alternatives.map((alternative, i) => ({
          text: textOf(alternative),
          actions: alternative.actions,
          reward: judge(moment, i, rewards, blame)?.reward ?? null,
        })),
      }));
      for (const { before, alternatives } of value) {
        output.line(JSON.stringify(before.slice(-60)));
        for (const { text, reward } of alternatives)
          output.line(`  ${(reward === null ? '' : reward.toFixed(2)).padStart(6)}  ${JSON.stringify(text)}`);
      }
      return { value: { path: log.path, moments: value }, ok: true };
    }),
  );
}

function addExport(command: Command, session: Session): void {
  command
    .description('Copy the log to a file of JSON lines.')
    .argument('<file>')
    .action((file: string, options: RootOption) =>
      session.perform(options.json === true, async (output) => {
        const log = new FeedbackLog(feedbackFile(givenFolder(options.root, session.cwd)));
        if (log.size === 0) throw feedbackErrors.nothingYet(log.path);
        const target = resolve(session.cwd, file);
        const lines = readBytes(log.path, mostBytes);
        await writeFileAtomic(target, lines);
        output.line(`${lines.length} bytes in ${target}`);
        return { value: { file: target, bytes: lines.length }, ok: true };
      }),
    );
}

function addClear(command: Command, session: Session): void {
  command.description('Delete everything that was recorded. Policy versions stay.').action((options: RootOption) =>
    session.perform(options.json === true, async (output) => {
      const log = new FeedbackLog(feedbackFile(givenFolder(options.root, session.cwd)));
      const bytes = log.size;
      log.clear();
      output.line(`${bytes} bytes deleted from ${log.path}`);
      return { value: { bytes }, ok: true };
    }),
  );
}

function addSimulate(command: Command, session: Session): void {
  const defaults = feedbackSettings.parse({});
  withExamples(
    command
      .description(
        'Let a simulated person use a model on held-out files, tune from that, and try it on other files; beside it a control with shuffled rewards, and what it does that those files have a say.',
      )
      .argument('<file>', 'held-out text: a file of text, a .jsonl file with text, or a folder of source files')
      .requiredOption('--model <folder>', 'model folder, or builtin:nano')
      .option('--seeds <count>', 'how often it is done', count, 3)
      .option('--seed <number>', 'the first seed', integer, 1)
      .option('--events <count>', 'moments that are learned from', count, 500)
      .option('--places <count>', 'places that the result is tried at', count, 200)
      .option('--learning-rate <rate>', 'of the stage feedback (default: by the width of its policy)', positive)
      .option('--epochs <count>', `passes over the moments (default: ${defaults.epochs})`, count)
      .option('--kl <weight>', `of the KL divergence (default: ${defaults.kl})`, positive)
      .option('--no-tune', 'tune nothing: only let the files that the person was at have a say in others'),
    ['feedback simulate .cache/corpus/heldout.jsonl --model builtin:nano'],
  ).action((file: string, options: SimulateOptions & { readonly seed: number }) =>
    session.perform(options.json === true, async (output) => {
      const { learningRate, epochs, kl } = options;
      const settings = feedbackSettings.parse({
        ...(learningRate === undefined ? {} : { learning_rate: learningRate }),
        ...(epochs === undefined ? {} : { epochs }),
        ...(kl === undefined ? {} : { kl }),
      });
      const result = await simulate({
        folder: (await namedModel(options.model, session.cwd)).folder,
        device: options.device,
        threads: options.threads,
        texts: await textsOf(resolve(session.cwd, file)),
        seeds: Array.from({ length: options.seeds }, (_, i) => options.seed + i),
        events: options.events,
        places: options.places,
        settings,
        signal: session.signal,
        onProgress: (text) => output.note(text),
        tune: options.tune,
      });
      output.table(experimentTable(result));
      for (const line of textsLines(result)) output.line(line);
      return { value: result, ok: true };
    }),
  );
}

/** Source texts of a file of rows or of text, or of a folder. Conversations and generated problems are no files that anybody writes. */
async function textsOf(path: string): Promise<SourceText[]> {
  const texts: SourceText[] = [];
  for await (const row of readRows(sourceOf(path))) {
    if (row.kind !== 'text' || row.columns.kind === 'chat' || row.columns.kind === 'task') continue;
    const name = typeof row.columns.path === 'string' ? row.columns.path : join(path, String(texts.length));
    texts.push({ name, text: row.text });
  }
  return texts;
}

/** @throws data.missingFile */
function sourceOf(path: string): Source {
  let found: Stats;
  try {
    found = statSync(path);
  } catch (cause) {
    throw dataErrors.missingFile(path, cause);
  }
  if (found.isDirectory()) return { kind: 'workspace', root: path, globs: ['**/*.{ts,tsx,js,mjs,py,go,rs}'] };
  return path.endsWith('.jsonl') ? { kind: 'jsonl', file: path } : { kind: 'text', files: [path] };
}
