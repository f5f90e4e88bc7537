/** `cola export`: a model as a folder of its own, in another number format. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { exportModel } from '../cola/export.ts';
import { namedModel } from './named-model.ts';
import { type JsonOption, withExamples, withJson } from './options.ts';
import type { Session } from './session.ts';

type Options = JsonOption & { readonly dtype: keyof typeof dtypes };

const dtypes = { f16: 'F16', bf16: 'BF16', f32: 'F32' } as const;

export function addExport(program: Command, session: Session): void {
  const command = program
    .command('export')
    .description(
      'Write a model as a Hugging Face folder of its own: weights of the base and the latent actions, tokenizer, configuration, labels.',
    )
    .argument('<model>', 'model folder, a run, or builtin:nano')
    .argument('<folder>', 'where to; a folder that is there is replaced if it holds a model')
    .addOption(new Option('--dtype <type>', 'numbers of the weights').choices(Object.keys(dtypes)).default('f16'));
  withExamples(withJson(command), ['export countdown my-model', 'export my-model half --dtype f16']).action(
    (path: string, target: string, { dtype, json }: Options) =>
      session.perform(json === true, async (output) => {
        const { folder } = await namedModel(path, session.cwd);
        const to = resolve(session.cwd, target);
        const { parameters, bytes, largest } = await exportModel(folder, to, dtypes[dtype]);
        output.table([
          ['parameters', String(parameters)],
          ['weights', (bytes / 1e6).toFixed(1), 'MB'],
          ['largest change of a weight', largest.toExponential(2)],
        ]);
        output.note(`Written to ${to}`);
        return { value: { folder: to, dtype, parameters, bytes, largest }, ok: true };
      }),
  );
}
