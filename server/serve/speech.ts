/** A conversation as the model reads it: its chat template, and the form of calls that the template teaches. */
import { type ChatTemplate, loadChatTemplate } from '../model/chat/chat.ts';
import { beginningOf, marksOf, type ToolForm, toolFormOf } from '../model/chat/tool-calls.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import { serveErrors } from './errors.ts';
import type { ChatRequest } from './requests.ts';
import type { ToolReading } from './written.ts';

export class Speech {
  private loaded: { readonly template: ChatTemplate; readonly form: ToolForm | undefined } | undefined;

  /** @param folder of the model */
  constructor(
    private readonly folder: string,
    private readonly name: string,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** @throws chat.noTemplate and others of a template that cannot be read */
  private get template() {
    if (this.loaded === undefined) {
      const template = loadChatTemplate(this.folder);
      this.loaded = { template, form: toolFormOf(template.source) };
    }
    return this.loaded;
  }

  /**
   * The tokens of a conversation, up to where the answer begins, and how calls in the answer are read.
   *
   * @throws chat.*, serve.noTools
   */
  prompt({ messages, tools, demanded, several }: Pick<ChatRequest, 'messages' | 'tools' | 'demanded' | 'several'>): {
    readonly ids: Int32Array;
    readonly reading?: ToolReading;
  } {
    const { tokenizer, template } = this;
    const { form } = template;
    const called = messages.some(({ role, toolCalls }) => role === 'tool' || toolCalls !== undefined);
    if (form === undefined && (called || tools.length > 0)) throw serveErrors.noTools(this.name);
    const { text, ids } = template.template.encodePrompt(messages, tokenizer, tools);
    if (form === undefined || tools.length === 0) return { ids };
    // A template may speak of tools and write none.
    if (tools.some((tool) => !text.includes(tool.name))) throw serveErrors.noTools(this.name);
    const beginning = demanded === undefined ? '' : beginningOf(form, demanded.name);
    const begun = tokenizer.encode(beginning, { addSpecialTokens: false, controlTokens: true });
    const marks = marksOf[form].flatMap((mark) => {
      const own = tokenizer.encode(mark, { addSpecialTokens: false, controlTokens: true });
      return own.length === 1 ? [own[0]] : [];
    });
    const names = new Set(tools.map((tool) => tool.name));
    return {
      ids: Int32Array.from([...ids, ...begun]),
      reading: { form, names, marks: new Set(marks), beginning, several },
    };
  }
}
