/** Models of this machine in VS Code's chat, and for whoever else asks VS Code for a model. */
import { EventEmitter, LanguageModelTextPart, LanguageModelToolCallPart, lm } from 'vscode';
import { ColaError } from '../../server/protocol/errors.ts';
import { chat, countChat, type ListedModel } from '../../server/protocol/index.ts';
import type { Control } from '../completion/control.ts';
import { modelFacts, sourceWords, titleOf } from '../model-words.ts';
import type { ModelShelf } from '../models.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { type ChatModelInformation, type ChatOptions, registrar, vendor } from './api.ts';
import { canChat, messagesOf, roomOf, textOf, toolsOf } from './messages.ts';

/** `LanguageModelChatToolMode.Required`. */
const required = 2;

interface ChatModel extends ChatModelInformation {
  readonly folder: string;
}

/** @param control of the actions that completions are written by: it steers the answers of the same model too */
export function registerChat(studio: Studio, shelf: ModelShelf, control: Control): void {
  const register = registrar(lm);
  if (register === undefined) {
    studio.log.info('This editor takes no chat models from extensions; VS Code does from 1.104 on.');
    return;
  }
  const changed = new EventEmitter<void>();
  studio.context.subscriptions.push(
    changed,
    shelf.onDidChange(() => changed.fire()),
    studio.onServerUp(() => changed.fire()),
    register<ChatModel>(vendor, {
      onDidChangeLanguageModelChatInformation: changed.event,
      async provideLanguageModelChatInformation() {
        const models = (await shelf.list()).filter((model) => canChat(model, setting('cola.precision')));
        return models.map((model) => informationOf(model));
      },
      async provideLanguageModelChatResponse({ folder, maxOutputTokens }, messages, options, progress, token) {
        const steered = studio.status?.model === folder ? control.value : ({ mode: 'free' } as const);
        try {
          const params = { ...placeOf(folder), ...askedOf(options, maxOutputTokens), control: steered };
          const asked = { ...params, messages: messagesOf(messages) };
          await studio.request(chat, asked, token, ({ text, call }) => {
            if (text !== undefined) progress.report(new LanguageModelTextPart(text));
            if (call !== undefined) progress.report(toolCall(call));
          });
        } catch (error) {
          if (token.isCancellationRequested) return;
          throw worded(error);
        }
      },
      async provideTokenCount({ folder }, given, token) {
        const text = typeof given === 'string' ? given : textOf(given.content);
        try {
          return (await studio.request(countChat, { folder, text }, token)).tokens;
        } catch (error) {
          throw worded(error);
        }
      },
    }),
  );
}

function informationOf(model: ListedModel): ChatModel {
  const { input, output } = roomOf(model.context ?? 0);
  return {
    id: model.name,
    folder: model.folder,
    name: titleOf(model),
    family: model.family ?? vendor,
    version: '1',
    detail: sourceWords[model.source],
    tooltip: modelFacts(model).join(' · '),
    maxInputTokens: input,
    maxOutputTokens: output,
    capabilities: { toolCalling: model.chat === 'tools' },
  };
}

function placeOf(folder: string) {
  const threads = setting('cola.threads');
  return {
    folder,
    device: setting('cola.device'),
    precision: setting('cola.precision'),
    ...(threads > 0 ? { threads } : {}),
  };
}

function askedOf({ modelOptions = {}, tools = [], toolMode }: ChatOptions, most: number) {
  const { temperature, maxTokens = modelOptions.max_tokens } = modelOptions;
  const wanted = typeof maxTokens === 'number' && maxTokens >= 1 ? Math.floor(maxTokens) : most;
  return {
    tools: toolsOf(tools),
    demanded: toolMode === required,
    maxTokens: Math.min(wanted, most),
    ...(typeof temperature === 'number' ? { temperature } : {}),
  };
}

function toolCall({ id, name, arguments: text }: { id: string; name: string; arguments: string }) {
  return new LanguageModelToolCallPart(id, name, JSON.parse(text) as object);
}

/** VS Code shows the message alone. */
function worded(error: unknown): unknown {
  return error instanceof ColaError ? new Error(`${error.message} ${error.remedy}`, { cause: error }) : error;
}
