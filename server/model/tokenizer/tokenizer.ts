/**
 * The tokenizer of a Hugging Face model folder: text to token ids and back, exactly as the reference implementation does it.
 *
 * See tokenizer-added.ts, tokenizer-pattern.ts, tokenizer-split.ts, tokenizer-merge.ts and tokenizer-decode.ts.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ColaError } from '../../errors.ts';
import { AddedTokenFinder, addedTokensOf, anyOf, isControl, textTest } from './added.ts';
import { createDecodeRules, type DecodeOptions, type DecodeRules, StreamDecoder, type TokenTable } from './decode.ts';
import { tokenizerErrors } from './errors.ts';
import {
  type AddedToken,
  type PostProcessorSpec,
  parseTokenizerConfig,
  parseTokenizerFile,
  readModelJson,
  type TokenizerConfig,
  type TokenizerFile,
} from './file.ts';
import { Merger } from './merge.ts';
import { boundedInTime, mayTakeLong } from './pattern.ts';
import { createNormalizer, createSplitter, type Splitter } from './split.ts';

export type { AddedToken, DecodeOptions };
export { StreamDecoder };

export interface EncodeOptions {
  /** Add what the tokenizer puts around every text, such as a BOS token. Default true. */
  readonly addSpecialTokens?: boolean;
  /**
   * Whether text that spells a control token becomes that token. Default true. False for text that somebody wrote, such as a
   * document: what it mentions is text. `exceptAt` has places in the text, in order, that lie inside of no control token.
   */
  readonly controlTokens?: boolean | { readonly exceptAt: readonly number[] };
}

export interface TokenizerOptions {
  /** Rows of the model's embedding, where that is padded beyond the tokenizer: such ids decode to nothing. */
  readonly modelVocabSize?: number;
}

/** More added tokens than published models have: at every place of a text each is looked for. */
const manyAdded = 2000;

/** Tokens that a post-processor may put around a text; those of published models put one or two. */
const mostAround = 64;

/** The ids a post-processor puts in front of a text and behind it. */
function surroundings(spec: PostProcessorSpec | null | undefined, file: string): [before: number[], after: number[]] {
  if (spec === null || spec === undefined || spec.type === 'ByteLevel') return [[], []];
  if (spec.type === 'Sequence') {
    return spec.processors.reduce<[number[], number[]]>(
      ([before, after], stage) => {
        const [first, last] = surroundings(stage, file);
        return [
          [...first, ...before],
          [...after, ...last],
        ];
      },
      [[], []],
    );
  }
  if (spec.type !== 'TemplateProcessing') return [[spec.cls[1]], [spec.sep[1]]];
  const before: number[] = [];
  const after: number[] = [];
  let seen = false;
  for (const part of spec.single) {
    if ('Sequence' in part) {
      if (seen) throw tokenizerErrors.unsupported(file, 'post_processor.single', 'a text that is repeated');
      seen = true;
      continue;
    }
    const special = Object.hasOwn(spec.special_tokens, part.SpecialToken.id)
      ? spec.special_tokens[part.SpecialToken.id]
      : undefined;
    if (special === undefined) {
      throw tokenizerErrors.broken(file, 'post_processor.single', `the token ${part.SpecialToken.id} is not described`);
    }
    (seen ? after : before).push(...special.ids);
  }
  if (!seen) throw tokenizerErrors.broken(file, 'post_processor.single', 'the text itself is left out');
  return [before, after];
}

export class Tokenizer implements TokenTable {
  /** Number of ids: one more than the largest. */
  readonly vocabSize: number;
  /** Ids of special tokens, which {@link DecodeOptions.skipSpecialTokens} leaves out. */
  readonly specialIds: ReadonlySet<number>;
  /** Tokens that are found in a text before anything else, by their text. */
  readonly addedTokens: ReadonlyMap<string, AddedToken>;
  /** Ids of the tokens that tokenizer_config.json names. */
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  readonly rules: DecodeRules;

  private readonly ids: Map<string, number>;
  private readonly tokens: (string | undefined)[] = [];
  private readonly bytes: (Uint8Array | undefined)[] = [];
  private readonly idLimit: number;
  private readonly normalize: ReturnType<typeof createNormalizer>;
  private readonly split: Splitter;
  private readonly merger: Merger;
  private readonly literal: AddedTokenFinder;
  private readonly normalized: AddedTokenFinder;
  /** Finds what spells a control token. */
  private readonly mentions: RegExp | undefined;
  /** Whether encoding runs under a time limit. */
  private readonly watched: boolean;
  private readonly before: readonly number[];
  private readonly after: readonly number[];

  /**
   * @param source the checked tokenizer.json
   * @param config the checked tokenizer_config.json
   * @param fingerprint equal for tokenizers that give equal ids
   * @param file what to call the file in errors
   */
  constructor(
    source: TokenizerFile,
    config: TokenizerConfig,
    readonly fingerprint: string,
    file: string,
    options: TokenizerOptions = {},
  ) {
    const { split, byteLevel } = createSplitter(source.pre_tokenizer, file);
    this.split = split;
    this.normalize = createNormalizer(source.normalizer, file);
    this.rules = createDecodeRules(source.decoder, file);
    this.ids = new Map(Object.entries(source.model.vocab));
    this.addedTokens = addedTokensOf(source, config, this.ids);
    this.watched =
      mayTakeLong(source.pre_tokenizer) || mayTakeLong(source.normalizer) || this.addedTokens.size > manyAdded;
    const controls = [...this.addedTokens.values()].filter(isControl);
    this.mentions = anyOf(controls.map((token) => token.content));
    const control = new Set(controls.map((token) => token.id));
    this.merger = new Merger(source.model, byteLevel, control, file);
    for (const [content, { id }] of this.addedTokens) this.ids.set(content, id);
    for (const [token, id] of this.ids) this.tokens[id] = token;
    // Last, so that an added token wins over a token of the vocabulary with the same id.
    for (const [content, { id }] of this.addedTokens) this.tokens[id] = content;
    if (this.tokens.length === 0) throw tokenizerErrors.broken(file, 'model.vocab', 'it has no tokens');
    this.vocabSize = this.tokens.length;
    this.idLimit = Math.max(this.vocabSize, options.modelVocabSize ?? 0);

    const literal = new Map<string, AddedToken>();
    const normalized = new Map<string, AddedToken>();
    for (const [content, token] of this.addedTokens) {
      if (token.normalized) {
        const { text: form } = this.watched
          ? boundedInTime(content.length, () => this.normalize(content))
          : this.normalize(content);
        // Of several with one form the reference finds any, by chance; here it is a special one, else the first.
        const other = normalized.get(form);
        if (other === undefined || (token.special && !other.special)) normalized.set(form, token);
        // The reference decodes it as what it is found by.
        this.tokens[token.id] = form;
      } else literal.set(content, token);
    }
    this.literal = new AddedTokenFinder(literal);
    this.normalized = new AddedTokenFinder(normalized);
    this.specialIds = new Set([...this.addedTokens.values()].filter((token) => token.special).map((token) => token.id));
    [this.before, this.after] = surroundings(source.post_processor, file);
    const around = this.before.length + this.after.length;
    if (around > mostAround)
      throw tokenizerErrors.broken(file, 'post_processor', `it puts ${around} tokens around a text`);
    for (const id of [...this.before, ...this.after]) {
      if (this.tokens[id] === undefined)
        throw tokenizerErrors.broken(file, 'post_processor', `${id} is the id of no token`);
    }
    const named = (token: string | null | undefined) => (typeof token === 'string' ? this.ids.get(token) : undefined);
    this.bosId = named(config.bos_token);
    this.eosId = named(config.eos_token);
    this.padId = named(config.pad_token);
  }

  /**
   * @param text any string; half a surrogate pair counts as U+FFFD
   * @returns the ids of its tokens. Throws `tokenizer.unencodable`, `tokenizer.tooLong`, `tokenizer.refused`.
   */
  encode(text: string, options: EncodeOptions = {}): Int32Array {
    try {
      return this.watched
        ? boundedInTime(text.length, () => this.encodeNow(text, options))
        : this.encodeNow(text, options);
    } catch (cause) {
      if (cause instanceof ColaError) throw cause;
      // A run of many million characters overflows the regular expression's stack.
      throw tokenizerErrors.tooLong(text.length, cause);
    }
  }

  private encodeNow(text: string, { addSpecialTokens = true, controlTokens = true }: EncodeOptions): Int32Array {
    const ids: number[] = addSpecialTokens ? [...this.before] : [];
    const onToken = (id: number) => ids.push(id);
    const wellFormed = text.replace(/\p{Surrogate}/gu, '\ufffd');
    const isText = textTest(controlTokens);
    const onPiece = (piece: string) => {
      for (const id of this.merger.encode(piece)) ids.push(id);
    };
    this.literal.find(
      wellFormed,
      isText,
      (start, end) => {
        const { text: part, head } = this.normalize(wellFormed.slice(start, end));
        this.normalized.find(
          part,
          // Places are not known any more behind the normaliser, so what holds for one token of the part holds for all.
          () => isText(start, end),
          (a, b) => this.split(part.slice(a, b), start === 0 ? head - a : 0, onPiece),
          onToken,
        );
      },
      onToken,
    );
    if (addSpecialTokens) ids.push(...this.after);
    return Int32Array.from(ids);
  }

  /** Places behind the first character of everything in `text` that spells a control token, for `exceptAt`. */
  controlPlaces(text: string): number[] {
    const places: number[] = [];
    const { mentions } = this;
    if (mentions === undefined) return places;
    mentions.lastIndex = 0;
    for (let match = mentions.exec(text); match !== null; match = mentions.exec(text)) {
      places.push(match.index + 1);
      mentions.lastIndex = match.index + 1;
    }
    return places;
  }

  /** The text of `ids`. Bytes that are not UTF-8 become U+FFFD. Throws `tokenizer.unknownId`. */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const decoder = new StreamDecoder(this, options);
    return decoder.push(ids) + decoder.flush();
  }

  /** The bytes a token stands for, not always whole characters; none for an id without a token. Throws `tokenizer.unknownId`. */
  tokenBytes(id: number): Uint8Array {
    const known = this.bytes[id];
    if (known !== undefined) return known;
    if (!Number.isInteger(id) || id < 0 || id >= this.idLimit) throw tokenizerErrors.unknownId(id, this.vocabSize);
    const token = this.tokens[id];
    if (token === undefined) return new Uint8Array(0);
    const bytes = this.rules.bytesOf(token);
    this.bytes[id] = bytes;
    return bytes;
  }

  /** The spelling of a token in the vocabulary (byte-level: `Ġ` is a space), `undefined` for an id without a token. */
  tokenOf(id: number): string | undefined {
    return this.tokens[id];
  }

  /** The id of a token by its spelling in the vocabulary, `undefined` if there is none. */
  idOf(token: string): number | undefined {
    return this.ids.get(token);
  }
}

/**
 * Reads tokenizer.json and, if it is there, tokenizer_config.json of a model folder.
 * Throws `tokenizer.missingFile`, `tokenizer.broken`, `tokenizer.unsupported`.
 */
export function loadTokenizer(folder: string, options: TokenizerOptions = {}): Tokenizer {
  const name = 'tokenizer.json';
  const file = join(folder, name);
  const source = readModelJson(folder, name, false);
  const config = readModelJson(folder, 'tokenizer_config.json', true);
  return tokenizerFrom(source?.value, config?.value ?? {}, file, options);
}

/** Builds a tokenizer from the parsed contents of its two files. Errors as {@link loadTokenizer}. */
export function tokenizerFrom(
  source: unknown,
  config: unknown,
  file = 'tokenizer.json',
  options: TokenizerOptions = {},
): Tokenizer {
  const checked = parseTokenizerFile(source, file);
  const settings = parseTokenizerConfig(config, join(file, '..', 'tokenizer_config.json'));
  const { chat_template: _, ...relevant } = settings;
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([checked, relevant]))
    .digest('hex');
  try {
    return new Tokenizer(checked, settings, fingerprint, file, options);
  } catch (cause) {
    if (cause instanceof ColaError) throw cause;
    throw tokenizerErrors.broken(file, '', cause instanceof Error ? cause.message : String(cause), cause);
  }
}
