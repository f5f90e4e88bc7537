/**
 * The part of VS Code's interface that takes chat models. VS Code has it from 1.104 on, and this extension runs in older ones and
 * in editors that leave it out: so it is looked for, and its types are here.
 */
import type {
  CancellationToken,
  Disposable,
  Event,
  LanguageModelChatTool,
  LanguageModelChatToolMode,
  LanguageModelTextPart,
  LanguageModelToolCallPart,
  Progress,
} from 'vscode';
import type { Said } from './messages.ts';

/** Whose models they are, as `package.json` declares it. */
export const vendor = 'cola';

export interface ChatModelInformation {
  readonly id: string;
  readonly name: string;
  readonly family: string;
  readonly tooltip?: string;
  readonly detail?: string;
  readonly version: string;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly capabilities: { readonly imageInput?: boolean; readonly toolCalling?: boolean | number };
}

export interface ChatOptions {
  readonly modelOptions?: { readonly [name: string]: unknown };
  readonly tools?: readonly LanguageModelChatTool[];
  readonly toolMode?: LanguageModelChatToolMode;
}

export interface ChatProvider<T extends ChatModelInformation> {
  readonly onDidChangeLanguageModelChatInformation: Event<void>;
  provideLanguageModelChatInformation(options: object, token: CancellationToken): Promise<T[]>;
  provideLanguageModelChatResponse(
    model: T,
    messages: readonly Said[],
    options: ChatOptions,
    progress: Progress<LanguageModelTextPart | LanguageModelToolCallPart>,
    token: CancellationToken,
  ): Promise<void>;
  provideTokenCount(model: T, text: string | Said, token: CancellationToken): Promise<number>;
}

type Register = <T extends ChatModelInformation>(vendor: string, provider: ChatProvider<T>) => Disposable;

/** What takes a provider; undefined where the editor has no such thing. */
export function registrar(lm: object | undefined): Register | undefined {
  const register: unknown = lm === undefined ? undefined : Reflect.get(lm, 'registerLanguageModelChatProvider');
  return typeof register === 'function' ? (register.bind(lm) as Register) : undefined;
}
