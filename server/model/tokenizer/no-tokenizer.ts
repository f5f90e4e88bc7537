/** What a model that has no tokenizer.json has in its place. */
import type { ColaError } from '../../errors.ts';
import { namesIn } from '../../files/place.ts';
import { modelErrors } from '../model-errors.ts';

/** Files of older tokenizers: of SentencePiece, of byte pairs in two files, of tiktoken. */
const older = ['tokenizer.model', 'spiece.model', 'sentencepiece.bpe.model', 'vocab.json', 'tekken.json', 'vocab.txt'];

/** model.otherTokenizer where the folder has a tokenizer in a form that is not read. */
export function otherTokenizer(folder: string): ColaError | undefined {
  const names = namesIn(folder) ?? [];
  const other = [...older, ...names.filter((name) => name.endsWith('.tiktoken'))].find((name) => names.includes(name));
  return other === undefined ? undefined : modelErrors.otherTokenizer(folder, other);
}

/** Why text cannot be read by the model of a folder: model.otherTokenizer, or model.noTokenizer. */
export const noTokenizer = (folder: string): ColaError => otherTokenizer(folder) ?? modelErrors.noTokenizer(folder);
