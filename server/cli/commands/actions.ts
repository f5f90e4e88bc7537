/** `cola actions`: what the latent actions of a model do, and what they are called. */
import { accessSync, constants } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { actionsOf, writeActions } from '../../cola/actions-file.ts';
import { defaultProfile, profileActions } from '../../evaluate/actions/actions.ts';
import { evaluateErrors } from '../../evaluate/errors.ts';
import { runDefaults } from '../../evaluate/run.ts';
import { Subject } from '../../evaluate/subject.ts';
import { heldOutText } from '../../evaluate/text.ts';
import { makeFolder } from '../../files/place.ts';
import { isInstalled } from '../../spec/paths.ts';
import { modelThere } from '../named-model.ts';
import {
  count,
  type DeviceOption,
  integer,
  type JsonOption,
  openChosen,
  withDevice,
  withExamples,
  withJson,
} from '../options.ts';
import type { Session } from '../session.ts';

type Options = JsonOption &
  DeviceOption & {
    readonly text?: string;
    readonly out?: string;
    readonly sequences: number;
    readonly length: number;
    readonly prompts: number;
    readonly tokens: number;
    readonly seed: number;
  };

export function addActions(program: Command, session: Session): void {
  const command = program
    .command('actions')
    .description(
      'Look at every latent action of a model over a text it has not learned: when it is chosen, which tokens it stands for, what forcing it changes. Names them, and writes actions.json beside the model where that may be written.',
    )
    .argument('<model>', 'model folder with latent actions, a run, or builtin:nano')
    .option('--text <file>', 'text or .jsonl file (default: what the run held out)')
    .option(
      '--out <file>',
      'where the profiles go (default: actions.json beside the model; of a model that cannot be written, .cola/actions)',
    )
    .option('--sequences <count>', 'most sequences of the text', count, 400)
    .option('--length <tokens>', "tokens in a sequence, at most the model's context", count, 256)
    .option('--prompts <count>', 'prompts on which every action is forced', count, defaultProfile.prompts)
    .option('--tokens <count>', 'tokens that follow a forced action', count, defaultProfile.tokens)
    .option('--seed <number>', 'seed of prompts, examples and random actions', integer, defaultProfile.seed);
  withExamples(withDevice(withJson(command)), [
    'actions builtin:nano --text notes.txt',
    'actions .cola/runs/countdown',
    'actions my-model --text heldout.jsonl --sequences 100 --json',
  ]).action((path: string, options: Options) =>
    session.perform(options.json === true, async (output) => {
      const { folder, run } = await modelThere(path, session.cwd);
      const cacheFolder = join(session.cwd, '.cola', 'cache');
      const own = run === undefined ? undefined : await runDefaults(run, folder, cacheFolder);
      const file = options.text === undefined ? undefined : resolve(session.cwd, options.text);
      const data = file === undefined ? own?.text : { data: file, held_out: file };
      if (data === undefined) throw evaluateErrors.noText(path);
      const device = await openChosen(options, output);
      try {
        const subject = await Subject.load(device, folder, {
          signal: session.signal,
          specFile: own?.specFile,
          cacheFolder,
          say: (text) => output.note(text),
        });
        try {
          const length = Math.min(options.length, subject.base.config.maxPositionEmbeddings);
          const text = await heldOutText(data, subject.context, length, options.sequences);
          const progress = output.startProgress('actions', options.prompts);
          const actions = await profileActions(subject, text, {
            name: file === undefined ? `held out by ${basename(run ?? folder)}` : basename(file),
            prompts: options.prompts,
            promptTokens: defaultProfile.promptTokens,
            tokens: options.tokens,
            seed: options.seed,
            onProgress: (what, done) => progress.update(done, what),
          });
          output.table([
            ['code', 'label', 'use', 'policy', 'forced fits', 'random', 'tokens'],
            ...actions.actions.map(({ code, label, usage, forced, tokens }) => [
              String(code),
              label,
              percent(usage.inverse),
              percent(usage.policy),
              percent(forced.fits),
              percent(forced.fits_random),
              tokens.map(({ text: token }) => JSON.stringify(token)).join(' '),
            ]),
          ]);
          const beside = actionsOf(subject.folder);
          const out = placeFor(subject.folder, options.out, session.cwd);
          if (options.out === undefined) makeFolder(dirname(out));
          await writeActions(out, actions);
          output.note(`Written to ${out}`);
          if (out !== beside && options.out === undefined)
            output.note(
              `${subject.folder} cannot be written and stays as it is. To see these labels, copy the model (cola export ${path} FOLDER) and put the file there as actions.json.`,
            );
          return { value: actions, ok: true };
        } finally {
          subject.dispose();
        }
      } finally {
        await device.dispose();
      }
    }),
  );
}

/** Where the profiles of a model go. Nothing is written into an installation. */
function placeFor(folder: string, out: string | undefined, cwd: string): string {
  if (out !== undefined) return resolve(cwd, out);
  return isInstalled(folder) || !mayWrite(folder)
    ? join(cwd, '.cola', 'actions', `${basename(folder)}.json`)
    : actionsOf(folder);
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
