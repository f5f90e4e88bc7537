/** The page's side of its messages with the extension. */
import { Channel, type Message } from '../../server/protocol/channel/channel.ts';
import type { NotificationType, ParamsOf, ReceivedOf, RequestType, ResultOf } from '../../server/protocol/index.ts';

interface EditorApi {
  postMessage(message: Message): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): EditorApi;

const api = acquireVsCodeApi();
const channel = new Channel({
  send: (message) => api.postMessage(message),
  // The extension is told as well, and has a log.
  log: (error) => console.warn(error.describe()),
  // The extension may still be at work for the page that was here before a reload: its numbers are others.
  first: Math.floor(Math.random() * 2 ** 48),
});
window.addEventListener('message', ({ data }: MessageEvent<unknown>) => channel.receive(data));

/** Asks the extension. @throws ColaError, with what to do about it; the signal's reason */
export function ask<T extends RequestType>(type: T, params: ParamsOf<T>, signal?: AbortSignal): Promise<ResultOf<T>> {
  return channel.ask(type, params, { signal });
}

/** Listens to the extension. */
export function on<T extends NotificationType>(type: T, handler: (params: ReceivedOf<T>) => void): void {
  channel.on(type, handler);
}

/** State that outlives hiding the page and reloading the window. */
export const saved = {
  get: (): unknown => api.getState(),
  set: (state: unknown): void => api.setState(state),
};
