/** The text of an answer while it is written: stop texts end it, and what could become one is held back. */
import { StreamDecoder, type Tokenizer } from '../model/tokenizer/tokenizer.ts';

export class Writing {
  private readonly decoder: StreamDecoder;
  /** Text that could be the beginning of a stop text. */
  private held = '';
  /** Whether a stop text has come. */
  stopped = false;

  constructor(
    tokenizer: Tokenizer,
    private readonly stop: readonly string[],
    /** Special tokens that are text all the same. */
    shown: ReadonlySet<number> = new Set(),
  ) {
    this.decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: true, shown, continuation: true });
  }

  /** @returns the text that is certain after this token */
  push(id: number): string {
    return this.take(this.decoder.push([id]));
  }

  /** @returns what was held back, when nothing more comes */
  end(): string {
    if (this.stopped) return '';
    const text = this.take(this.decoder.flush()) + this.held;
    this.held = '';
    return text;
  }

  private take(text: string): string {
    if (this.stopped) return '';
    const all = this.held + text;
    const found = this.stop.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      this.held = '';
      return all.slice(0, Math.min(...found));
    }
    const certain = all.length - Math.max(0, ...this.stop.map((stop) => begun(all, stop)));
    this.held = all.slice(certain);
    return all.slice(0, certain);
  }
}

/** Length of the longest end of `text` with which `stop` begins. */
function begun(text: string, stop: string): number {
  let length = Math.min(text.length, stop.length - 1);
  while (length > 0 && !text.endsWith(stop.slice(0, length))) length--;
  return length;
}
