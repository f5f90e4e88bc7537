/** `cola models`: the models on this machine that are read here, and why others are not. */
import type { Command } from 'commander';
import { findModels } from '../../found/list.ts';
import type { ListedModel } from '../../protocol/model.ts';
import { type JsonOption, withExamples, withJson } from '../options.ts';
import type { Session } from '../session.ts';

const sources: Readonly<Record<ListedModel['source'], string>> = {
  builtin: 'in the box',
  workspace: 'this folder',
  run: 'a run',
  imported: 'imported',
  huggingface: 'Hugging Face',
  ollama: 'Ollama',
  lmstudio: 'LM Studio',
};

export function addModels(program: Command, session: Session): void {
  const command = program
    .command('models')
    .description(
      'List the models on this machine: in the box, in this folder and its runs, in the Hugging Face cache, of Ollama and LM Studio. Nothing is downloaded.',
    );
  withExamples(withJson(command), ['models', 'models --json']).action(({ json }: JsonOption) =>
    session.perform(json === true, async (output) => {
      const { models, more } = await findModels([session.cwd], { trusted: true });
      output.table([
        ['model', 'where', 'size', 'family', 'actions', 'fits'],
        ...models.map(({ name, title, source, bytes, family, latent, fits }) => [
          title ?? name,
          sources[source],
          bytes === undefined ? '' : size(bytes),
          family ?? 'not read',
          latent ? 'yes' : '',
          fits ?? '',
        ]),
      ]);
      for (const { title, name, problem } of models)
        if (problem !== undefined) output.note(`${title ?? name}: ${problem}`);
      const stored = models.find(({ title }) => title !== undefined);
      if (stored !== undefined) output.note(`Name one by its path, such as ${stored.name}; --json lists all paths.`);
      if (more) output.note('Not everything was looked at: the stores are large, or the disk is slow.');
      output.note('Others are downloaded by their own programs: hf download OWNER/NAME, or ollama pull NAME.');
      return { value: { models, more }, ok: true };
    }),
  );
}

function size(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
