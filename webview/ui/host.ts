/** The page's side of its messages with the extension. */
import type {
  FromPage,
  NotificationType,
  ParamsOf,
  ReceivedOf,
  RequestType,
  ResultOf,
} from '../../server/protocol/index.ts';
import { toPage } from '../../server/protocol/page.ts';

interface EditorApi {
  postMessage(message: FromPage): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): EditorApi;

/** What the extension could not do, with what to do about it. */
export class PageError extends Error {
  override readonly name = 'PageError';
  constructor(
    readonly id: string,
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }
}

interface Waiting {
  readonly type: RequestType;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

const api = acquireVsCodeApi();
const waiting = new Map<number, Waiting>();
const listeners = new Map<string, { readonly type: NotificationType; readonly handler: (params: unknown) => void }>();
let next = 0;

/** Asks the extension. @throws PageError; the signal's reason */
export function ask<T extends RequestType>(type: T, params: ParamsOf<T>, signal?: AbortSignal): Promise<ResultOf<T>> {
  return new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, { type, resolve: resolve as (result: unknown) => void, reject });
    signal?.addEventListener('abort', () => {
      if (!waiting.delete(id)) return;
      api.postMessage({ kind: 'cancel', id });
      reject(signal.reason);
    });
    api.postMessage({ kind: 'request', id, method: type.method, params });
  });
}

/** Listens to the extension; one handler a notification. */
export function on<T extends NotificationType>(type: T, handler: (params: ReceivedOf<T>) => void): void {
  listeners.set(type.method, { type, handler: handler as (params: unknown) => void });
}

/** State that outlives hiding the page and reloading the window. */
export const saved = {
  get: (): unknown => api.getState(),
  set: (state: unknown): void => api.setState(state),
};

window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
  const message = toPage.safeParse(data).data;
  if (message === undefined) return;
  if (message.kind === 'notification') {
    const listener = listeners.get(message.method);
    const params = listener?.type.params.safeParse(message.params);
    if (params?.success) listener?.handler(params.data);
    return;
  }
  const question = waiting.get(message.id);
  waiting.delete(message.id);
  if (question === undefined) return;
  if (message.kind === 'failure') {
    const { id, message: sentence, remedy } = message.error;
    question.reject(new PageError(id, sentence, remedy));
    return;
  }
  const result = question.type.result.safeParse(message.result);
  if (result.success) question.resolve(result.data);
  else question.reject(new PageError('protocol.result', 'The answer cannot be understood.', 'Reload the window.'));
});
