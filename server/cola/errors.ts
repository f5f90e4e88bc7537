import { catalogue } from '../errors.ts';

export const colaErrors = catalogue('cola', {
  config: (file: string, path: string, detail: string) => [
    `${file} is not a valid CoLA configuration: "${path}": ${detail}.`,
    'Take the file from the model folder it was saved with.',
  ],
  missing: (folder: string, module: string, names: readonly string[]) => [
    `${folder} has no ${module}: cola.safetensors lacks ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ''}.`,
    'Run the stage that trains it first: control makes the inverse dynamics and the world model, clone the policy, q the Q function.',
  ],
  shape: (file: string, name: string, found: readonly number[], expected: readonly number[]) => [
    `${file}: "${name}" has the shape [${found.join(', ')}] where the configuration calls for [${expected.join(', ')}].`,
    'cola.json, cola.safetensors and the base must come from the same model.',
  ],
  extra: (file: string, names: readonly string[]) => [
    `${file} holds ${names.length === 1 ? 'a tensor' : `${names.length} tensors`} that no CoLA module has: ${names.slice(0, 3).join(', ')}.`,
    'Check that the layer counts in cola.json are those the weights were saved with.',
  ],
  noCola: (folder: string) => [
    `${folder} is a language model without latent actions: it has no cola.json.`,
    'Train them with `cola train` and a spec whose first stage is control.',
  ],
  notFinite: (file: string, name: string) => [
    `${file}: "${name}" holds values that are not numbers.`,
    'The file is damaged, or the training that wrote it diverged. Take an earlier checkpoint.',
  ],
  actionsFile: (file: string, detail: string) => [
    `${file} cannot be used: ${detail}.`,
    'Make it anew with `cola actions` and the folder of the model.',
  ],
  modelThere: (target: string, holds: string) => [
    `${target} is there already, and writing over it would lose what it holds: ${holds}.`,
    'Choose a name that is not taken yet, or add --force to replace it.',
  ],
  intoItself: (target: string) => [
    `${target} is where the model itself is: writing over it would lose the weights as they are.`,
    'Choose a name that is not taken yet.',
  ],
  noModelThere: (folder: string) => [
    `${folder} is there already and holds no model.`,
    'Choose a name that is not taken yet.',
  ],
  tooLarge: (folder: string, name: string, value: number) => [
    `${folder}: "${name}" holds ${value}, more than float16 can say.`,
    'Export it with --dtype f32.',
  ],
  action: (code: number, count: number) => [
    `There is no latent action ${code}: the model has 0 to ${count - 1}.`,
    'Choose one of those. `cola actions` lists them with what they do.',
  ],
});
