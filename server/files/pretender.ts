/** Files that have the name of a part of a model and hold something else: what stands where a download went wrong. */
import type { ColaError } from '../errors.ts';
import { folderErrors } from './folder-errors.ts';

const startsWith = (bytes: Uint8Array, text: string) =>
  bytes.length >= text.length && [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));

/** What a file begins with, by what it then is. */
const kinds: readonly (readonly [
  is: (bytes: Uint8Array, file: string) => boolean,
  error: (file: string) => ColaError,
])[] = [
  [(bytes) => startsWith(bytes, 'version https://git-lfs.github.com/spec/'), folderErrors.lfsPointer],
  [(bytes) => startsWith(bytes, 'GGUF'), folderErrors.gguf],
  [
    (bytes, file) => /\.(zip|tar|tgz|gz|xz|7z|rar)$/i.test(file) || startsWith(bytes, '\u001f\u008b'),
    folderErrors.archive,
  ],
  [(bytes) => startsWith(bytes, 'PK\u0003\u0004') || startsWith(bytes, '\u0080\u0002'), folderErrors.pickle],
  [
    (bytes) => /^\s*<(!doctype|html|\?xml|error)\b/i.test(new TextDecoder().decode(bytes.slice(0, 64))),
    folderErrors.webPage,
  ],
  [(bytes, file) => file.endsWith('.safetensors') && isSentence(bytes), folderErrors.sentence],
];

/** Weights begin with the length of a header, of which no byte is a letter behind the third. */
const isSentence = (bytes: Uint8Array): boolean =>
  bytes.length > 8 && bytes.slice(0, 64).every((byte) => byte === 9 || byte === 10 || byte === 13 || byte >= 32);

/**
 * @param start the first bytes of the file, 512 or fewer
 * @throws ColaError folder.lfsPointer, gguf, archive, pickle or webPage
 */
export function refusePretender(file: string, start: Uint8Array): void {
  const kind = kinds.find(([is]) => is(start, file));
  if (kind !== undefined) throw kind[1](file);
}
