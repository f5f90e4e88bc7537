/** The answering end of a channel: checks what comes in, calls whoever is responsible, and answers everything. */

import { limitBehind } from '../files/limits.ts';
import { type FromEngine, toEngine } from '../protocol/envelope.ts';
import { protocolErrors, toWire } from '../protocol/errors.ts';
import type { NotificationType, ParamsOf, ReceivedOf, RequestType, ResultOf } from '../protocol/request.ts';
import { firstIssue } from '../schemas/first-issue.ts';

type Handler = (params: unknown, signal: AbortSignal) => Promise<unknown>;

export class Responder {
  private readonly handlers = new Map<string, Handler>();
  private readonly pending = new Map<number, AbortController>();

  constructor(private readonly send: (message: FromEngine) => void) {}

  /** Says who answers a request. */
  on<T extends RequestType>(
    type: T,
    handler: (params: ReceivedOf<T>, signal: AbortSignal) => Promise<ResultOf<T>>,
  ): void {
    this.handlers.set(type.method, async (params, signal) => {
      const parsed = type.params.safeParse(params ?? {});
      if (!parsed.success) {
        const { path, detail } = firstIssue(parsed.error);
        throw protocolErrors.params(type.method, path, detail);
      }
      return handler(parsed.data as ReceivedOf<T>, signal);
    });
  }

  notify<T extends NotificationType>(type: T, params: ParamsOf<T>): void {
    this.send({ kind: 'notification', method: type.method, params });
  }

  /** Takes a message, whatever it is. Never throws; a request is answered exactly once. */
  receive(message: unknown): void {
    const parsed = toEngine.safeParse(message);
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      this.fail(idOf(message), protocolErrors.message(path === '' ? detail : `${path}: ${detail}`));
      return;
    }
    const { data } = parsed;
    if (data.kind === 'cancel') {
      this.pending.get(data.id)?.abort(protocolErrors.cancelled());
      return;
    }
    const { id, method, params } = data;
    const handler = this.handlers.get(method);
    if (this.pending.has(id)) {
      this.fail(null, protocolErrors.message(`the request ${id} is under way already`));
      return;
    }
    if (handler === undefined) {
      this.fail(id, protocolErrors.method(method));
      return;
    }
    const controller = new AbortController();
    this.pending.set(id, controller);
    handler(params, controller.signal)
      .then(
        (result) => this.send({ kind: 'result', id, result }),
        (error: unknown) => this.fail(id, error),
      )
      .finally(() => this.pending.delete(id));
  }

  private fail(id: number | null, error: unknown): void {
    this.send({ kind: 'failure', id, error: toWire(limitBehind(error) ?? error) });
  }
}

/** The number of a broken request, so that whoever waits for it learns of it. */
function idOf(message: unknown): number | null {
  if (typeof message !== 'object' || message === null) return null;
  const { kind, id } = message as { kind?: unknown; id?: unknown };
  return kind === 'request' && Number.isSafeInteger(id) && Number(id) >= 0 ? Number(id) : null;
}
