import { MessageChannel } from 'node:worker_threads';

/** Gives memory back that nobody needs any more, which else is there until the next collection of garbage. */
export function discard(buffers: readonly ArrayBuffer[]): void {
  if (buffers.length === 0) return;
  // A message that nobody receives takes them with it.
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(null, buffers);
  port1.close();
  port2.close();
}
