/**
 * Calls of tools in what a model writes, in the forms that chat templates teach, read while they are written.
 *
 * - `tagged`: `<tool_call>{"name": …, "arguments": …}</tool_call>` (Hermes, Qwen2.5, Qwen3)
 * - `listed`: `[TOOL_CALLS][{"name": …, "arguments": …}, …]` (Mistral 7B v0.3, Nemo)
 * - `named`: `[TOOL_CALLS]name[ARGS]{…}` (Mistral Small 3.2, Devstral)
 * - `bare`: an answer that is `{"name": …, "parameters": …}` (Llama 3.1 to 3.3)
 */

import { z } from 'zod';
import { deeperThan } from '../../files/json-depth.ts';
import { jsonText, parseJson } from '../../jinja/json-text.ts';
import { JsonEnd } from './json-end.ts';

export type ToolForm = 'tagged' | 'listed' | 'named' | 'bare';

export interface ToolCall {
  readonly name: string;
  /** A JSON object. */
  readonly arguments: string;
}

/** What came of an answer: text, or a call that is whole. */
export type Said = { readonly text: string } | { readonly call: ToolCall };

/** The form that a template teaches; undefined where it teaches none that is read here. */
export function toolFormOf(template: string): ToolForm | undefined {
  if (!/\btools\b/.test(template)) return undefined;
  if (template.includes('[TOOL_CALLS]')) return template.includes('[ARGS]') ? 'named' : 'listed';
  // Calls in XML (Qwen3-Coder, GLM) are another language between the same marks.
  if (/<function=|<arg_key>/.test(template)) return undefined;
  if (template.includes('<tool_call>')) return 'tagged';
  return /"name": [^\n]{0,200}"parameters": /.test(template) ? 'bare' : undefined;
}

/** Texts that are tokens of their own in some models, and are to be seen by the reader. */
export const marksOf: Readonly<Record<ToolForm, readonly string[]>> = {
  tagged: ['<tool_call>', '</tool_call>'],
  listed: ['[TOOL_CALLS]'],
  named: ['[TOOL_CALLS]', '[ARGS]', '[CALL_ID]'],
  bare: ['<|python_tag|>'],
};

/** How an answer begins that has to be a call; of the tool `name` where one is named. */
export function beginningOf(form: ToolForm, name: string | undefined): string {
  const [mark] = marksOf[form];
  if (form === 'named') return name === undefined ? mark : `${mark}${name}[ARGS]`;
  const opened = { tagged: `${mark}\n`, listed: `${mark}[`, bare: '' }[form];
  const key = form === 'bare' ? 'parameters' : 'arguments';
  return `${opened}{"name": "${name === undefined ? '' : `${name}", "${key}":`}`;
}

const object = z.record(z.string(), z.unknown());
const written = z.object({ name: z.string(), arguments: object.optional(), parameters: object.optional() });

/** Reads an answer. What looks like a call and is none, or one of a tool that nobody offered, stays text. */
export class CallReader {
  /** Text that is not told yet. */
  private held = '';
  /** Behind a mark: what is in `held` from here on is calls. */
  private inside = false;
  /** Nothing but calls has come, of which an answer may consist without a mark. */
  private begun = true;
  private called = false;
  /** Of the call that is being written. */
  private json: JsonEnd | undefined;

  constructor(
    private readonly form: ToolForm,
    private readonly names: ReadonlySet<string>,
  ) {}

  push(text: string): Said[] {
    this.held += text;
    return this.read(false);
  }

  /** What is left when nothing more comes. */
  end(): Said[] {
    return this.read(true);
  }

  private read(last: boolean): Said[] {
    const said: Said[] = [];
    while (this.held !== '') {
      const step = this.inside ? this.call(last) : this.open(last);
      if (step === undefined) break;
      said.push(...step);
    }
    return said;
  }

  /** Looks for where calls begin. @returns undefined to wait for more */
  private open(last: boolean): Said[] | undefined {
    const { held, form } = this;
    if (form === 'bare') {
      const head = /^\s*(?:<\|python_tag\|>)?\s*(?:;\s*)?/.exec(held)?.[0] ?? '';
      if (this.begun && held[head.length] === '{') return this.enter();
      if (this.begun && !last && (head === held || '<|python_tag|>'.startsWith(held.trimStart()))) return undefined;
      this.begun = false;
      return this.take(held.length);
    }
    const [mark] = marksOf[form];
    const at = held.indexOf(mark);
    if (at < 0) {
      // White space is kept back as well: before a call it is none of the text.
      const certain = last ? held.length : held.length - heldBack(held, mark);
      return certain === 0 ? undefined : this.take(certain);
    }
    const before = held.slice(0, at).trimEnd();
    this.held = held.slice(before.length);
    return [...this.tell(before), ...this.enter()];
  }

  private enter(): Said[] {
    this.inside = true;
    this.json = undefined;
    return [];
  }

  /** Reads one call behind a mark. */
  private call(last: boolean): Said[] | undefined {
    const { held, form } = this;
    const head = heads[form].exec(held)?.[0] ?? '';
    if (held[head.length] !== '{') {
      // The list is over.
      if (this.called && form === 'listed' && /\]\s*$/.test(head)) return this.leave(head.length);
      if (!last && mayBecome[form](held, head)) return undefined;
      return this.refuse();
    }
    this.json ??= new JsonEnd(head.length);
    const end = this.json.find(held);
    if (end === undefined) return last ? this.refuse() : undefined;
    const tail = tailOf(form, held.slice(end), last);
    if (tail === undefined) return undefined;
    const call = this.parsed(head, held.slice(head.length, end));
    if (call === undefined) return this.refuse();
    this.called = true;
    this.held = held.slice(end + tail);
    this.json = undefined;
    // In a list the next follows without a mark.
    this.inside = form === 'listed';
    return [{ call }];
  }

  private leave(length: number): Said[] {
    this.inside = false;
    this.held = this.held.slice(length);
    return [];
  }

  /** No call: up to behind the mark it is text, and what follows is looked at anew. */
  private refuse(): Said[] {
    this.inside = false;
    this.json = undefined;
    this.begun = false;
    const [mark] = marksOf[this.form];
    const at = this.held.indexOf(mark);
    return this.take(this.form === 'bare' || at < 0 ? this.held.length : at + mark.length);
  }

  private take(length: number): Said[] {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return this.tell(text);
  }

  private tell(text: string): Said[] {
    // White space between and behind calls is none of the answer's text.
    return text === '' || (this.called && text.trim() === '') ? [] : [{ text }];
  }

  private parsed(head: string, json: string): ToolCall | undefined {
    let value: unknown;
    if (deeperThan(json, deepest)) return undefined;
    try {
      value = parseJson(json);
    } catch {
      return undefined;
    }
    if (this.form === 'named') {
      const name = /([\w.-]+)(?:\[CALL_ID\]\w+)?\[ARGS\]\s*$/.exec(head.slice(-longestHead))?.[1] ?? '';
      return this.names.has(name) ? { name, arguments: jsonText(value) } : undefined;
    }
    const found = written.safeParse(value).data;
    if (found === undefined || !this.names.has(found.name)) return undefined;
    return { name: found.name, arguments: jsonText(found.arguments ?? found.parameters ?? {}) };
  }
}

/** Deeper than any argument. */
const deepest = 64;
/** Characters before the arguments of a call in which its name is looked for. */
const longestHead = 1000;

/** What stands before the JSON of a call. */
const heads: Readonly<Record<ToolForm, RegExp>> = {
  tagged: /^\s*<tool_call>\s*/,
  listed: /^\s*(?:\[TOOL_CALLS\]\s*\[|\]|,)\s*/,
  named: /^\s*\[TOOL_CALLS\]\s*[\w.-]+(?:\[CALL_ID\]\w+)?\[ARGS\]\s*/,
  bare: /^\s*(?:<\|python_tag\|>)?\s*(?:;\s*)?/,
};

/** Whether a text that has no JSON yet may still become a call. */
const mayBecome: Readonly<Record<ToolForm, (held: string, head: string) => boolean>> = {
  tagged: (held, head) => head === held,
  listed: (held, head) => head === held || /^\s*(?:\[TOOL_CALLS\]\s*)?$/.test(held),
  named: (held) => /^\s*\[TOOL_CALLS\]\s*[\w.-]{0,100}(?:\[[A-Z_]{0,8}(?:\][\w]{0,64})?){0,2}\s*$/.test(held),
  bare: (held, head) => head === held,
};

/** How much behind the JSON of a call belongs to it; undefined while that may still come. */
function tailOf(form: ToolForm, rest: string, last: boolean): number | undefined {
  if (form !== 'tagged') return 0;
  const [, close] = marksOf.tagged;
  const at = rest.length - rest.trimStart().length;
  const seen = rest.slice(at, at + close.length);
  if (seen === close) return at + close.length;
  if (!close.startsWith(seen)) return 0;
  return last ? rest.length : undefined;
}

/** Characters at the end of a text that may be the beginning of a mark, with the white space before them. */
function heldBack(text: string, mark: string): number {
  let length = Math.min(text.length, mark.length - 1);
  while (length > 0 && !text.endsWith(mark.slice(0, length))) length--;
  const before = text.slice(0, text.length - length);
  return length + before.length - before.trimEnd().length;
}
