/** What a list says of a model, in a few words. */
import type { ListedModel } from '../server/protocol/index.ts';
import { t } from './l10n.ts';
import { gigabytes, modelName } from './status-text.ts';

export const sourceWords: Readonly<Record<ListedModel['source'], string>> = {
  builtin: t('in the box'),
  workspace: t('in this folder'),
  run: t('from a run'),
  imported: t('imported'),
  huggingface: t('in the Hugging Face cache'),
  ollama: t('of Ollama'),
  lmstudio: t('of LM Studio'),
};

export const titleOf = ({ title, name }: ListedModel): string => title ?? modelName(name);

/** Size, family, latent actions, and whether it fits; where it was not looked at, less. */
export function modelFacts({ bytes, family, latent, fits }: ListedModel): string[] {
  return [
    ...(bytes === undefined ? [] : [gigabytes(bytes)]),
    ...(family === undefined ? [] : [family]),
    ...(latent ? [] : [t('no latent actions yet')]),
    ...(fits === 'no' ? [t('too large for this machine')] : fits === 'in 4 bits' ? [t('fits in 4 bits')] : []),
  ];
}

/** In the order of a picker: those that can be used, those that training must come first for, those that are not read. */
export function inGroups(models: readonly ListedModel[]): { heading: string; models: ListedModel[] }[] {
  const read = models.filter(({ problem }) => problem === undefined);
  return [
    { heading: t('with latent actions'), models: read.filter(({ latent }) => latent) },
    { heading: t('without latent actions: training gives them'), models: read.filter(({ latent }) => !latent) },
    { heading: t('not read'), models: models.filter(({ problem }) => problem !== undefined) },
  ].filter((group) => group.models.length > 0);
}

/** What downloads a model into a place that is looked at. */
export const downloadCommand = 'hf download OWNER/NAME';
