/** How what an agent and its world say to each other becomes tokens, turn by turn, in rollouts and in what is learned from. */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ChatTemplate, EncodedChat, Message } from './chat.ts';

export class Speech {
  private readonly breaks = new Map<number, boolean>();
  private end: Int32Array | undefined;

  /** @param template of the model, if it is to be used; without one a turn is a line behind `> ` */
  constructor(
    readonly tokenizer: Tokenizer,
    private readonly template: ChatTemplate | undefined,
  ) {}

  start(text: string): { readonly text: string; readonly ids: Int32Array } {
    if (this.template !== undefined)
      return this.template.encodePrompt([{ role: 'user', content: text }], this.tokenizer);
    const plain = `${text}\n> `;
    return { text: plain, ids: this.tokenizer.encode(plain, { controlTokens: false }) };
  }

  /** What follows a turn. @param last its last token @param ended whether that is an end token */
  reply(observation: string, last: number, ended: boolean): Int32Array {
    if (this.template !== undefined) {
      const ids = this.template.encodeReply(observation, this.tokenizer);
      // The policy has written the end of its answer itself.
      return ended && ids[0] === last ? ids.subarray(1) : ids;
    }
    const start = this.endsLine(last) ? '' : '\n';
    return this.encode(`${start}${observation}\n> `);
  }

  /** A turn as an agent should write it, with what ends it. */
  turn(text: string): Int32Array {
    if (this.template === undefined)
      return this.encode(`${text.replace(/\s+/g, (blank) => (blank.includes('\n') ? ' ' : blank))}\n`);
    this.end ??= this.template.encodeReply('.', this.tokenizer).subarray(0, 1);
    return Int32Array.from([...this.encode(text), ...this.end]);
  }

  /**
   * A whole conversation, as it would have grown in a rollout in which the assistant wrote its messages: the mask is 1 at
   * what it wrote, ends of turns included, and 0 at all that it was told.
   */
  conversation(messages: readonly Message[]): EncodedChat {
    const ids: number[] = [];
    const mask: number[] = [];
    const add = (more: Int32Array, learned: 0 | 1) => {
      for (const id of more) {
        ids.push(id);
        mask.push(learned);
      }
    };
    for (const { role, content } of messages) {
      if (role === 'assistant') add(this.turn(content), 1);
      else add(ids.length === 0 ? this.start(content).ids : this.reply(content, ids[ids.length - 1], true), 0);
    }
    return { ids: Int32Array.from(ids), responseMask: Uint8Array.from(mask) };
  }

  /** Whether a token ends a turn: without a template, one with a line break. */
  endsTurn(token: number): boolean {
    return this.template === undefined && this.endsLine(token);
  }

  private encode(text: string): Int32Array {
    return this.tokenizer.encode(text, { addSpecialTokens: false, controlTokens: false });
  }

  private endsLine(token: number): boolean {
    const known = this.breaks.get(token);
    if (known !== undefined) return known;
    const breaks = this.tokenizer.decode([token]).includes('\n');
    this.breaks.set(token, breaks);
    return breaks;
  }
}
