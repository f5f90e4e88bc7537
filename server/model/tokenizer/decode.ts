/**
 * From token ids back to text. The rules are read from the `decoder` of tokenizer.json:
 *
 * - ByteLevel: every token is bytes; bytes that are not UTF-8 become U+FFFD, one for each maximal part (as WHATWG decoders
 *   do). A token with a character outside the byte alphabet is taken as text. @huggingface/tokenizers makes a zero byte of it.
 * - byte fallback: `<0xE4>` is a byte; a run of such tokens that is not UTF-8 becomes one U+FFFD *for each byte*.
 *
 * One departure from the reference, so that decoding returns what was encoded: `clean_up_tokenization_spaces` (which turns
 * " ." into ".") is not applied, whatever tokenizer_config.json says.
 */
import { tokenizerErrors } from './errors.ts';
import type { DecoderSpec } from './file.ts';
import { BYTE_CHARACTERS } from './merge.ts';
import { boundedInTime, compilePattern, mayTakeLong, mostGrown, replaceMatches } from './pattern.ts';

export interface DecodeRules {
  /** The bytes of one token of the vocabulary. */
  readonly bytesOf: (token: string) => Uint8Array;
  /** Whether a token stands for one byte of a longer run (byte fallback). */
  readonly isByte: (token: string) => boolean;
  /** Up to `count` times `character` is removed from the start of the text. */
  readonly strip: { readonly character: string; readonly count: number };
  /** A character of which the first token loses all (Metaspace), or `undefined`. */
  readonly firstLoses: string | undefined;
}

const encoder = new TextEncoder();
const NO_STRIP = { character: ' ', count: 0 } as const;
const FALLBACK = /^<0x[0-9A-Fa-f]{2}>$/;

function byteLevelRules(): DecodeRules {
  const byteOf = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));
  return {
    bytesOf: (token) => {
      const bytes = new Uint8Array(token.length);
      for (let i = 0; i < token.length; i++) {
        const byte = byteOf.get(token[i]);
        if (byte === undefined) return encoder.encode(token);
        bytes[i] = byte;
      }
      return bytes;
    },
    isByte: () => false,
    strip: NO_STRIP,
    firstLoses: undefined,
  };
}

/** `replace` with its results kept, one for each token. Throws `tokenizer.refused` where it takes too long. */
function remembered(spec: DecoderSpec, replace: (token: string) => string): (token: string) => string {
  const known = new Map<string, string>();
  const watched = mayTakeLong(spec);
  return (token) => {
    let text = known.get(token);
    if (text !== undefined) return text;
    text = watched ? boundedInTime(token.length, () => replace(token)) : replace(token);
    known.set(token, text);
    return text;
  };
}

function flatten(spec: DecoderSpec): DecoderSpec[] {
  return spec.type === 'Sequence' ? spec.decoders.flatMap(flatten) : [spec];
}

/** Throws `tokenizer.unsupported` for an order of stages that no tokenizer of the supported families has. */
export function createDecodeRules(spec: DecoderSpec | null | undefined, file: string): DecodeRules {
  if (spec === null || spec === undefined) throw tokenizerErrors.unsupported(file, 'decoder', 'no decoder');
  const stages = flatten(spec);
  const names = stages.map((stage) => stage.type).join(', ');
  if (names === 'ByteLevel') return byteLevelRules();
  if (names === 'Metaspace' && stages[0].type === 'Metaspace') {
    const { replacement, prepend_scheme } = stages[0];
    return {
      bytesOf: (token) => encoder.encode(token.replaceAll(replacement, ' ')),
      isByte: () => false,
      strip: NO_STRIP,
      firstLoses: prepend_scheme === 'never' ? undefined : replacement,
    };
  }
  if (!/^(Replace, )*ByteFallback(, Fuse(, Strip)?)?$/.test(names)) {
    throw tokenizerErrors.unsupported(file, 'decoder', `the stages ${names}`);
  }
  const replacements = stages.flatMap((stage) =>
    stage.type === 'Replace' ? [{ regex: compilePattern(stage.pattern, file, 'decoder'), content: stage.content }] : [],
  );
  const replaced = remembered(spec, (token) =>
    replacements.reduce((t, { regex, content }) => replaceMatches(t, regex, content, mostGrown(token.length)), token),
  );
  const strip = stages.at(-1);
  return {
    bytesOf: (token) => {
      const text = replaced(token);
      return FALLBACK.test(text) ? Uint8Array.of(Number.parseInt(text.slice(3, 5), 16)) : encoder.encode(text);
    },
    isByte: (token) => FALLBACK.test(replaced(token)),
    strip: strip?.type === 'Strip' ? { character: strip.content, count: strip.start } : NO_STRIP,
    firstLoses: undefined,
  };
}

/** What {@link StreamDecoder} needs to know of a tokenizer. */
export interface TokenTable {
  readonly rules: DecodeRules;
  readonly specialIds: ReadonlySet<number>;
  /** Bytes of a token; empty for an id that has none. Throws `tokenizer.unknownId`. */
  tokenBytes(id: number): Uint8Array;
  /** The spelling of a token in the vocabulary, `undefined` for an id without one. */
  tokenOf(id: number): string | undefined;
}

export interface DecodeOptions {
  /** Leave out special tokens such as the end of text. Default false. */
  readonly skipSpecialTokens?: boolean;
  /** Special tokens that are shown all the same. */
  readonly shown?: ReadonlySet<number>;
  /** The ids continue a text: a space at their start is kept where the tokenizer would drop that of a whole text. */
  readonly continuation?: boolean;
}

/**
 * Decodes ids as they arrive. A character is given out once all of its bytes are there; the pieces joined are exactly what
 * {@link Tokenizer.decode} returns for all ids together.
 */
export class StreamDecoder {
  private readonly utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  private run: number[] = [];
  private toStrip: number;
  private isFirst: boolean;

  constructor(
    private readonly table: TokenTable,
    private readonly options: DecodeOptions = {},
  ) {
    this.toStrip = options.continuation === true ? 0 : table.rules.strip.count;
    this.isFirst = options.continuation !== true;
  }

  /** @returns the text that is certain after these ids. Throws `tokenizer.unknownId`. */
  push(ids: number | ArrayLike<number>): string {
    const list = typeof ids === 'number' ? [ids] : ids;
    let text = '';
    let pending: Uint8Array[] = [];
    const settle = () => {
      text += this.utf8.decode(Buffer.concat(pending), { stream: true });
      pending = [];
    };
    for (let i = 0; i < list.length; i++) {
      const id = list[i];
      const bytes = this.table.tokenBytes(id);
      const { skipSpecialTokens, shown } = this.options;
      if (skipSpecialTokens === true && this.table.specialIds.has(id) && shown?.has(id) !== true) continue;
      const token = this.table.tokenOf(id);
      if (token === undefined) continue;
      const { rules } = this.table;
      if (rules.isByte(token)) {
        this.run.push(bytes[0]);
      } else {
        if (this.run.length > 0) {
          settle();
          text += this.endRun();
        }
        pending.push(
          this.isFirst && rules.firstLoses !== undefined
            ? encoder.encode(token.replaceAll(rules.firstLoses, ''))
            : bytes,
        );
      }
      this.isFirst = false;
    }
    settle();
    return this.stripped(text);
  }

  /** @returns what is left: U+FFFD for a character that never became whole. The decoder starts anew after it. */
  flush(): string {
    const text = this.stripped(this.utf8.decode() + this.endRun());
    this.toStrip = this.options.continuation === true ? 0 : this.table.rules.strip.count;
    this.isFirst = this.options.continuation !== true;
    return text;
  }

  private endRun(): string {
    const { run } = this;
    this.run = [];
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(run));
    } catch {
      return '\ufffd'.repeat(run.length);
    }
  }

  private stripped(text: string): string {
    let start = 0;
    while (this.toStrip > 0 && start < text.length) {
      if (text[start] !== this.table.rules.strip.character) {
        this.toStrip = 0;
        break;
      }
      start++;
      this.toStrip--;
    }
    return start === 0 ? text : text.slice(start);
  }
}
