import { catalogue } from '../errors.ts';

export const checkErrors = catalogue('check', {
  noReference: (folder: string) => [
    `${folder} has no expected.safetensors to compare with.`,
    'cola check works on folders that carry reference values. To try a model, use cola generate or cola score.',
  ],
  json: (file: string, detail: string) => [
    `${file} is not in the format of reference values: ${detail}.`,
    'Make the file again with the script that wrote it.',
  ],
});
