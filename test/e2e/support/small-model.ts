/** A model with latent actions of a hundred thousand weights, for runs of which it does not matter what they learn. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../scripts/bundles.mjs';
import { small, unhurried } from './spec.ts';

/** The three that the model's own files name by number: padding, begin and end. */
const special = ['<pad>', '<begin>', '<end>'];
/** One token a letter: nearly all of ASCII that can be printed, and the space as it is written in files of tokenizers. */
const letters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter(
  (letter) => !'`~'.includes(letter),
);
const tokens = [...special, ...letters, '\u0120'];

const tokenizer = {
  version: '1.0',
  added_tokens: special.map((content, id) => ({
    ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  })),
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: [] },
};

/**
 * Writes it into a folder: a model that tests of graphs have, with a tokenizer of single letters. In a step of a run it takes a
 * tenth of the time that the model in the box takes.
 */
function writeSmallModel(folder: string): void {
  cpSync(join(root, 'test/fixtures/cola/n8-residual'), folder, { recursive: true });
  for (const name of ['expected.json', 'expected.safetensors']) rmSync(join(folder, name));
  writeFileSync(join(folder, 'base/tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(
    join(folder, 'base/tokenizer_config.json'),
    JSON.stringify({ bos_token: '<begin>', eos_token: '<end>', pad_token: '<pad>' }),
  );
}

/** Puts beside a spec of `reinforceSpec` what it is without: its model, and the reward of a run that is not to hurry. */
export function writeForRuns(session: { readonly folder: string; write(path: string, text: string): void }, at = '.') {
  writeSmallModel(join(session.folder, at, small));
  session.write(join(at, unhurried.file), unhurried.text);
}
