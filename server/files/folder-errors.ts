/** Errors of what people point at as a model: what it is, and the way from there to one that is read. */
import { catalogue } from '../errors.ts';
import { quote } from './safetensors-errors.ts';

const FORMAT = 'Read are Hugging Face folders (config.json, tokenizer.json and *.safetensors) and GGUF files.';

export const folderErrors = catalogue('folder', {
  lfsPointer: (file: string) => [
    `The file ${file} is a Git LFS pointer: a few lines that name the real file, which was not downloaded.`,
    'Install Git LFS and run `git lfs pull` in the folder that was cloned, or download the file from the page of the model.',
  ],
  webPage: (file: string) => [
    `The file ${file} is a web page, not a part of a model.`,
    'The download got a page in its place, of a login or an error say. Download the file again.',
  ],
  sentence: (file: string) => [
    `The file ${file} is a text, not weights.`,
    'Look at it with an editor: it may say why the download failed, or where the file is. Download it again.',
  ],
  gguf: (file: string) => [
    `${file} is a GGUF file where another part of a model is looked for.`,
    'Choose the GGUF file itself as the model.',
  ],
  archive: (file: string) => [
    `${file} is a packed archive, not a model.`,
    'Unpack it, and choose the folder with config.json that comes out of it.',
  ],
  pickle: (file: string) => [
    `${file} holds weights in PyTorch's own format (.bin, .pt, .pth), which is not read because loading it can run programs.`,
    `${FORMAT} Convert it with Python: AutoModelForCausalLM.from_pretrained(folder, dtype="auto").save_pretrained(new_folder).`,
  ],
  onnx: (file: string) => [
    `${file} is a model exported to ONNX, which is not read: training needs its weights by name.`,
    `${FORMAT} Take the model that it was exported from.`,
  ],
  original: (folder: string) => [
    `${folder} holds a model in the format of its makers (params.json), which is not read.`,
    `${FORMAT} Published models have such a folder too, often on the same page.`,
  ],
  pipeline: (folder: string) => [
    `${folder} holds a pipeline that makes pictures (model_index.json), not a language model.`,
    'Choose a causal language model of the families Llama, Mistral, Qwen2, Qwen3, SmolLM3, Gemma 2 and 3 or Phi-3.',
  ],
  incomplete: (file: string) => [
    `The download of the model is not finished: ${file} is still there.`,
    'Start the download again; it goes on where it stopped. Then choose the folder again.',
  ],
  emptyCache: (folder: string) => [
    `${folder} is a folder of the Hugging Face cache without a downloaded model.`,
    'Download the model again, or choose another one.',
  ],
  tokenizerOnly: (folder: string) => [
    `${folder} holds a tokenizer alone: neither config.json nor weights.`,
    'Choose the folder of the whole model; or, for a new model, name this folder as its tokenizer in a spec (model: {tokenizer: …}).',
  ],
  noConfig: (folder: string, weights: string) => [
    `${folder} holds weights (${quote(weights)}) without a config.json, which says what they are weights of.`,
    'Put the config.json and the tokenizer.json that were published with the weights beside them.',
  ],
  deeper: (folder: string, inside: string) => [
    `${folder} is no model itself, but there is one inside it: ${inside}.`,
    `Choose ${inside}.`,
  ],
  strangeName: (folder: string, weights: string) => [
    `The weights in ${folder} are called ${quote(weights)}; they are looked for under the name model.safetensors.`,
    'If they are the whole model, rename the file to model.safetensors.',
  ],
  noIndex: (folder: string, shard: string) => [
    `${folder} holds a part of the weights (${quote(shard)}), but not the index model.safetensors.index.json that says what is in which part.`,
    'Download the index from the page of the model, and all parts that it names.',
  ],
  file: (file: string) => [`${file} is a file and no model.`, `${FORMAT} Choose the folder they are in.`],
});
