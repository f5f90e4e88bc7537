/** Answers to a conversation, each beginning with another token and the action behind it: what completion does behind a cursor. */
import { loadChatTemplate } from '../model/chat/chat.ts';
import type { ChatAlternativesParams } from '../protocol/chat.ts';
import type { Completion } from '../protocol/completion.ts';
import type { Job } from '../schedule/scheduler.ts';
import { goOn } from './complete.ts';
import { completionErrors } from './errors.ts';
import type { LoadedModel } from './loaded-model.ts';

/** @throws chat.*, cola.action, engine.longConversation; the signal's reason */
export async function* answer(
  model: LoadedModel,
  { messages, control, alternatives, maxTokens: most }: ChatAlternativesParams,
  signal: AbortSignal,
): Job<Completion & { generated: number }> {
  const template = loadChatTemplate(model.cola.base.folder);
  const tokens = [...template.encodePrompt(messages, model.tokenizer).ids];
  const maxTokens = Math.min(most, model.context - tokens.length);
  if (maxTokens < 1) throw completionErrors.longConversation(tokens.length, model.context);
  return yield* goOn(
    model,
    {
      prompt: { tokens, healed: undefined },
      control,
      alternatives,
      maxTokens,
      // Only the model ends an answer.
      cut: () => undefined,
      fits: (token) => !model.endIds.has(token),
      prefix: '',
    },
    signal,
  );
}
