/** The errors of model folders: config.json and the set of weights. */
import { catalogue } from '../errors.ts';
import { meantPath } from '../files/meant.ts';
import { quote, reason } from '../files/safetensors-errors.ts';

const ANOTHER = 'Use a Llama, Mistral, Qwen2, Qwen3, SmolLM3, Gemma 2 or 3, Phi-3 or Phi-4 model without this feature.';
const QUANTISED =
  'Use the model that it was quantised from, stored as F32, F16 or BF16 (its page usually names it), or a GGUF file of that, which may have 4 to 8 bits.';
const WHOLE = 'Check that the folder holds one complete model, as it was published or saved.';

export const configErrors = catalogue('config', {
  noModel: (path: string) => [
    `There is no model at ${path}.`,
    `Check the path, or choose a folder with a Hugging Face model (config.json, tokenizer.json and *.safetensors) or a GGUF file.${meantPath(path) || builtIn(path) || ' Nothing is downloaded here: `hf download OWNER/NAME --local-dir FOLDER` does, and `cola models` lists what is on this machine.'}`,
  ],
  cannotRead: (file: string, cause: unknown) => [
    `The file ${file} cannot be read (${reason(cause)}).`,
    'Choose a folder with a Hugging Face model: config.json, tokenizer.json and *.safetensors.',
    cause,
  ],
  json: (file: string, cause: unknown) => [
    `The file ${file} is not valid JSON (${reason(cause)}).`,
    'Correct the file or download it again.',
    cause,
  ],
  value: (file: string, key: string, detail: string) => [
    `${quote(key)} in ${file} is not usable: ${detail}.`,
    'Correct the file or download it again.',
  ],
  comments: (file: string, cause: unknown) => [
    `The file ${file} has comments in it, which JSON does not allow.`,
    'Delete the comments, or download the file again.',
    cause,
  ],
  tooLarge: (file: string, bytes: number, limit: number) => [
    `The file ${file} has ${bytes} bytes; such a file has ${limit} at most.`,
    'It is probably another file under that name. Download it again.',
  ],
  tooDeep: (file: string, limit: number) => [
    `The file ${file} is nested deeper than ${limit} levels.`,
    'It is probably another file under that name. Download it again.',
  ],
  architecture: (file: string, found: string, kind?: string) => [
    `The model in ${file} is of the kind ${quote(found)}${kind === undefined ? '' : ` (${kind})`}, which is not supported.`,
    'Use a causal language model of the families Llama, Mistral, Qwen2, Qwen3, SmolLM3, Gemma 2 or 3, Phi-3 or Phi-4.',
  ],
  noScores: (file: string, found: string) => [
    `The model in ${file} is of the kind ${quote(found)}, which gives no scores.`,
    'Use the model of a run with the stage reward, or another with the architecture LlamaForSequenceClassification (or that of Mistral, Qwen2, Qwen3 or SmolLM3) and one label.',
  ],
  labels: (file: string, labels: number) => [
    `The model in ${file} has ${labels} labels; a reward model has one, the score.`,
    'Use a model with one label: id2label of config.json has one entry then.',
  ],
  feature: (file: string, feature: string) => [
    `The model in ${file} uses ${feature}, which is not supported.`,
    ANOTHER,
  ],
  quantised: (file: string, how: string) => [
    `The weights that ${file} describes are quantised (${how.slice(0, 200)}) in a form that is not read.`,
    QUANTISED,
  ],
});

export const weightErrors = catalogue('weights', {
  none: (folder: string) => [
    `There are no weights in ${folder}: neither model.safetensors nor model.safetensors.index.json.`,
    'Choose a folder with a Hugging Face model in the safetensors format, or a GGUF file; other formats (.bin, .pt) are not read.',
  ],
  index: (file: string, detail: string) => [`The index ${file} cannot be used: ${detail}.`, WHOLE],
  shardMissing: (file: string, absent: readonly string[], of: number) => [
    `The index ${file} names ${of} files, of which ${absent.length === 1 ? 'one is' : `${absent.length} are`} missing: ${list(absent)}.`,
    'Download what is missing into the same folder, or download the model again.',
  ],
  shardName: (file: string, shard: string) => [
    `The index ${file} names the file ${quote(shard)}, which is not the plain name of a safetensors file.`,
    'Use the index as it was published: it may only name files in its own folder.',
  ],
  outside: (file: string) => [
    `The file ${file} is a link that leads out of the model folder.`,
    'Put the file itself into the folder.',
  ],
  missing: (folder: string, names: readonly string[]) => [
    `The weights in ${folder} lack ${list(names)}.`,
    `${WHOLE} config.json and the weights may be of different models.`,
  ],
  headMissing: (folder: string) => [
    `The weights in ${folder} have no output head ("lm_head.weight"), and config.json does not say that it is the embedding.`,
    'If the model was trained with its head tied to the embedding, set "tie_word_embeddings": true in config.json; otherwise the weights are not complete: download them again.',
  ],
  quantised: (file: string, name: string, method: string) => [
    `The weights in ${file} are quantised (${method}): they hold the tensor ${quote(name)}.`,
    QUANTISED,
  ],
  adapter: (file: string, name: string) => [
    `The weights in ${file} hold an adapter (LoRA) that was not merged into its model: the tensor ${quote(name)}.`,
    'Merge it with Python before saving: model.merge_and_unload().save_pretrained("merged").',
  ],
  extra: (folder: string, names: readonly string[]) => [
    `The weights in ${folder} hold ${list(names)}, which config.json does not call for.`,
    `${WHOLE} config.json and the weights may be of different models.`,
  ],
  shape: (file: string, name: string, found: readonly number[], wanted: readonly number[]) => [
    `The tensor ${quote(name)} in ${file} has the shape [${found.join(', ')}]; config.json calls for [${wanted.join(', ')}].`,
    `${WHOLE} config.json and the weights may be of different models.`,
  ],
  dtype: (file: string, name: string, dtype: string) => [
    `The tensor ${quote(name)} in ${file} is stored as ${dtype}.`,
    QUANTISED,
  ],
  untied: (file: string) => [
    `config.json ties the output head to the embedding, but "lm_head.weight" in ${file} differs from the embedding.`,
    'Set "tie_word_embeddings" in config.json to false if the model was trained with its own output head; otherwise remove the tensor.',
  ],
  memory: (folder: string, bytes: number, memory: number) => [
    `The weights in ${folder} are ${inGigabytes(bytes)}, more than the ${inGigabytes(memory)} of memory that there are in all.`,
    'Choose a smaller model, or a machine with more memory.',
  ],
  unknown: (folder: string, name: string) => [
    `The model in ${folder} has no tensor ${quote(name)}.`,
    'Check that the model is the one that this was made for.',
  ],
  tooLarge: (file: string, name: string, value: number, index: number) => [
    `The tensor ${quote(name)} in ${file} holds ${value} at index ${index}, which is no weight of any trained model.`,
    'The weights are damaged or come from a training run that diverged; use another copy or checkpoint.',
  ],
  notFinite: (file: string, name: string, index: number) => [
    `The tensor ${quote(name)} in ${file} holds a value that is not a finite number, at index ${index}.`,
    'The weights are damaged or come from a training run that diverged; use another copy or checkpoint.',
  ],
});

const inGigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

function list(names: readonly string[]): string {
  const shown = names.slice(0, 3).map(quote).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** A sentence with a blank before it where the model in the box was meant. */
function builtIn(path: string): string {
  return /(?:^|[\\/])nano$/.test(path) ? ' The model in the box is written builtin:nano.' : '';
}
