/**
 * The error catalogue. Every error a person can meet has an id, one sentence in the user's words and a remedy.
 * Each area of the code declares its own entries with {@link catalogue}; nothing else constructs a {@link ColaError}.
 */

/** An error that is meant to be read by a person. `message` is the sentence; `remedy` says what to do about it. */
export class ColaError extends Error {
  override readonly name = 'ColaError';

  constructor(
    /** Stable identifier, `area.entry`. */
    readonly id: string,
    sentence: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(sentence, options);
  }

  /** The three parts on one line, as the command line prints them. */
  describe(): string {
    return `${this.message} ${this.remedy} [${this.id}]`;
  }

  toJSON(): { id: string; message: string; remedy: string } {
    return { id: this.id, message: this.message, remedy: this.remedy };
  }
}

/** What a stranger's file has in the place of a word may be megabytes of it. */
const longestSentence = 20_000;
const readableLength = (sentence: string): string =>
  sentence.length <= longestSentence ? sentence : `${sentence.slice(0, 4000)} … ${sentence.slice(-200)}`;

/** What an entry of the catalogue returns: the sentence, the remedy, and optionally the cause. */
export type Entry = readonly [sentence: string, remedy: string, cause?: unknown];

const known = new Set<string>();

/**
 * Declares the errors of one area.
 *
 * @param area first part of every id, such as `safetensors`
 * @param entries one function an error, from its details to sentence and remedy
 * @returns the same names as functions that build the error: `throw modelErrors.missingTensor(file, name)`
 */
export function catalogue<T extends Record<string, (...details: never[]) => Entry>>(
  area: string,
  entries: T,
): { readonly [K in keyof T]: (...details: Parameters<T[K]>) => ColaError } {
  const made: Partial<Record<keyof T, (...details: never[]) => ColaError>> = {};
  for (const key of Object.keys(entries) as (keyof T & string)[]) {
    const id = `${area}.${key}`;
    if (known.has(id)) throw new Error(`error id ${id} is declared twice`);
    known.add(id);
    made[key] = (...details) => {
      const [sentence, remedy, cause] = entries[key](...details);
      return new ColaError(id, readableLength(sentence), remedy, cause === undefined ? undefined : { cause });
    };
  }
  return made as { readonly [K in keyof T]: (...details: Parameters<T[K]>) => ColaError };
}

/** The ids declared so far, for documentation and tests. */
export function knownErrorIds(): readonly string[] {
  return [...known].sort();
}
