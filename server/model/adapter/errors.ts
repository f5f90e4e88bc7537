/** The errors of adapters (LoRA) in PEFT's folder format. */
import { catalogue } from '../../errors.ts';
import { quote } from '../../files/safetensors-errors.ts';

const MERGE =
  'Merge it into its base with Python: AutoPeftModelForCausalLM.from_pretrained(folder).merge_and_unload().save_pretrained("merged"), then use the folder "merged" with the tokenizer of the base.';
const WHOLE =
  'Check that the folder holds one adapter as PEFT saved it, and that its base is the model it was trained on.';

export const adapterErrors = catalogue('adapter', {
  base: (file: string, named: string | null | undefined) => [
    `${file} is an adapter (LoRA, PEFT) ${named == null || named === '' ? 'that does not say of which model' : `of the model ${quote(named)}, and no folder here is called so`}.`,
    `Write the folder of that model into ${file} as "base_model_name_or_path", or into the run spec as base: {model: FOLDER}. "cola models" lists the models that are here.`,
  ],
  chained: (file: string, base: string) => [
    `${file} is an adapter (LoRA, PEFT) of ${base}, which is an adapter itself.`,
    `Merge that one first: cola export ${base} merged --merge. Then name the folder "merged" as "base_model_name_or_path".`,
  ],
  targets: (folder: string, targets: readonly string[], has: readonly string[]) => [
    `The model in ${folder} has none of the linear layers that "lora" names: ${targets.join(', ')}.`,
    `Name some of these under "targets", or leave "targets" out: ${has.join(', ')}.`,
  ],
  noWeights: (folder: string) => [
    `${folder} holds the configuration of an adapter (LoRA, PEFT), but not its weights, adapter_model.safetensors.`,
    "Save it again with PEFT, which writes that file; weights in PyTorch's own format (adapter_model.bin) are not read because loading them can run programs.",
  ],
  value: (file: string, key: string, detail: string) => [
    `${quote(key)} in ${file} is not usable: ${detail}.`,
    'Correct the file, or save the adapter again with PEFT.',
  ],
  feature: (file: string, feature: string) => [
    `The adapter in ${file} uses ${feature}, which is not supported.`,
    MERGE,
  ],
  layer: (file: string, name: string) => [
    `The adapter in ${file} has the tensor ${quote(name)}, which belongs to no linear layer of a block of its base.`,
    `${WHOLE} Adapters of the embedding and of the head are not read.`,
  ],
  half: (file: string, name: string) => [`The adapter in ${file} lacks the tensor ${quote(name)}.`, WHOLE],
  shape: (file: string, name: string, found: readonly number[], wanted: readonly number[]) => [
    `The tensor ${quote(name)} in ${file} has the shape [${found.join(', ')}]; the adapter and its base call for [${wanted.join(', ')}].`,
    WHOLE,
  ],
  notFinite: (file: string, name: string) => [
    `The tensor ${quote(name)} in ${file} holds NaN or infinity.`,
    'Take an adapter of an earlier step of the training.',
  ],
});
