/** `cola export`: a model as a folder of its own in another number format, or its base as a GGUF file. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { exportGguf, exportModel } from '../../cola/export.ts';
import { type GgufType, ggufTypes } from '../../model/gguf/write.ts';
import { cliErrors } from '../errors.ts';
import type { Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import { type JsonOption, withExamples, withJson } from '../options.ts';
import type { Session } from '../session.ts';

type Options = JsonOption & {
  readonly format: 'folder' | 'gguf';
  readonly dtype?: keyof typeof dtypes;
  readonly type?: GgufType;
  readonly merge?: boolean;
  readonly force?: boolean;
};

const dtypes = { f16: 'F16', bf16: 'BF16', f32: 'F32' } as const;

export function addExport(program: Command, session: Session): void {
  const command = program
    .command('export')
    .description(
      'Write a model as a Hugging Face folder of its own: weights of the base and the latent actions, tokenizer, configuration, labels. Or its base as a GGUF file for llama.cpp.',
    )
    .argument('<model>', 'model folder, GGUF file, a run, or builtin:nano')
    .argument('<target>', 'where to; appears whole or not at all')
    .addOption(new Option('--format <format>', 'what is written').choices(['folder', 'gguf']).default('folder'))
    .addOption(new Option('--dtype <type>', 'numbers in a folder (default: f16)').choices(Object.keys(dtypes)))
    .addOption(new Option('--type <type>', 'numbers in a GGUF file (default: f16)').choices(ggufTypes))
    .option('--merge', 'add an adapter (LoRA) to the weights of its base, instead of writing it alone as PEFT does')
    .option('--force', 'replace a model that is there already');
  withExamples(withJson(command), [
    'export countdown my-model',
    'export my-model half --dtype f16',
    'export my-run merged --merge --dtype bf16',
    'export builtin:nano nano.gguf --format gguf --type q8_0',
  ]).action((path: string, target: string, { format, dtype, type, merge, force, json }: Options) =>
    session.perform(json === true, async (output) => {
      if (format === 'gguf' ? dtype !== undefined : type !== undefined)
        throw cliErrors.usage("'--dtype' goes with a folder, and '--type' with '--format gguf'", 'cola export');
      if (format === 'folder' && /\.gguf$/i.test(target))
        throw cliErrors.usage(`${target} is the name of a GGUF file: add --format gguf`, 'cola export');
      const { folder } = await namedModel(path, session.cwd);
      const to = resolve(session.cwd, target);
      const value =
        format === 'gguf'
          ? await toGguf(folder, to, type ?? 'f16', force === true, output)
          : await toFolder(folder, to, dtype ?? 'f16', { merge: merge === true, replace: force === true }, output);
      output.note(`Written to ${to}`);
      return { value, ok: true };
    }),
  );
}

async function toFolder(
  folder: string,
  to: string,
  dtype: keyof typeof dtypes,
  how: { readonly merge: boolean; readonly replace: boolean },
  output: Output,
): Promise<unknown> {
  const written = await exportModel(folder, to, dtypes[dtype], how);
  show(written, output);
  return { folder: to, dtype, ...written };
}

async function toGguf(
  folder: string,
  file: string,
  type: GgufType,
  replace: boolean,
  output: Output,
): Promise<unknown> {
  const written = await exportGguf(folder, file, type, replace);
  show(written, output);
  if (written.latent)
    output.note(
      'A GGUF file holds the base alone: llama.cpp knows no latent actions, and the model in it completes without them.',
    );
  if (written.unseenWindow !== null)
    output.note(
      `Layers of this model see a window of ${written.unseenWindow} tokens. llama.cpp reads no windows of this family: there they see all, and texts that are longer come out otherwise.`,
    );
  if (!written.exact)
    output.note(
      `llama.cpp does not know how this tokenizer splits texts. It is told the nearest that it knows (${written.split}), and may make other tokens of a text; the same tokens give the same answers.`,
    );
  return { file, type, ...written };
}

function show(
  { parameters, bytes, largest }: { readonly parameters: number; readonly bytes: number; readonly largest: number },
  output: Output,
): void {
  output.table([
    ['parameters', String(parameters)],
    ['weights', (bytes / 1e6).toFixed(1), 'MB'],
    ['largest change of a weight', largest.toExponential(2)],
  ]);
}
