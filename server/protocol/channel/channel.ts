/**
 * Two ends that ask each other, answer, break off, say how far they are, and tell what happened: the language server and the
 * engine over a pipe, a page and the extension over `postMessage`. Both ends are this class; what carries the messages is given.
 */
import { z } from 'zod';
import type { ColaError } from '../../errors.ts';
import { firstIssue } from '../../schemas/first-issue.ts';
import { fromWire, protocolErrors, toWire } from '../errors.ts';
import { type Answering, Answers, type Handler, resultOf } from './answers.ts';
import { Listeners } from './listeners.ts';
import {
  type NotificationType,
  type ParamsOf,
  type ProgressOf,
  type ReceivedOf,
  type RequestType,
  type ResultOf,
  wireError,
} from './request.ts';

const id = z.int().nonnegative();
const method = z.string().max(200);

/** What travels. A failure with the id null answers what was no request at all. */
export const message = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('request'), id, method, params: z.unknown() }),
  /** Nobody waits for the answer any more. */
  z.strictObject({ kind: z.literal('cancel'), id }),
  z.strictObject({ kind: z.literal('progress'), id, progress: z.unknown() }),
  z.strictObject({ kind: z.literal('result'), id, result: z.unknown() }),
  z.strictObject({ kind: z.literal('failure'), id: id.nullable(), error: wireError }),
  z.strictObject({ kind: z.literal('notification'), method, params: z.unknown() }),
]);
export type Message = z.infer<typeof message>;

/** Requests that one end may have under way at the other. Nothing honest comes near it. */
export const mostUnderWay = 10_000;

export interface Wire {
  send(message: Message): void;
  /** Takes what could not be understood, and failures that nobody waits for. */
  log(error: ColaError): void;
  /** What an error of this end is to be told as, where that is another. */
  readonly worded?: (error: unknown) => unknown;
  /** Looks at a request before anything is done for it, and throws where it is refused. */
  readonly admit?: (method: string) => void;
  /** Number of the first request, for an end that comes back while the other is still answering the one before. */
  readonly first?: number;
}

export interface AskOptions<T> {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: ProgressOf<T>) => void) | undefined;
}

interface Waiting {
  readonly type: RequestType;
  readonly progress: ((progress: never) => void) | undefined;
  succeed(result: unknown): void;
  fail(error: unknown): void;
}

export class Channel implements Answering {
  private readonly answers = new Answers();
  private readonly listeners: Listeners;
  /** What this end asked. */
  private readonly waiting = new Map<number, Waiting>();
  /** What this end is asked. */
  private readonly pending = new Map<number, AbortController>();
  private next: number;
  private closed: ColaError | undefined;

  constructor(private readonly wire: Wire) {
    this.next = wire.first ?? 0;
    this.listeners = new Listeners((error) => wire.log(error));
  }

  /** Whether this end waits for an answer. */
  get busy(): boolean {
    return this.waiting.size > 0;
  }

  answer<T extends RequestType>(type: T, handler: Handler<T>): void {
    this.answers.answer(type, handler);
  }

  /** Hears of what happens at the other end. @returns ends it */
  on<T extends NotificationType>(type: T, handler: (params: ReceivedOf<T>) => void): () => void {
    return this.listeners.on(type, handler);
  }

  tell<T extends NotificationType>(type: T, params: ParamsOf<T>): void {
    this.post({ kind: 'notification', method: type.method, params });
  }

  /** Asks the other end. @throws what it was closed with, protocol.result, the other end's own errors; the signal's reason */
  ask<T extends RequestType>(type: T, params: ParamsOf<T>, options: AskOptions<T> = {}): Promise<ResultOf<T>> {
    const { signal, progress } = options;
    if (this.closed !== undefined) return Promise.reject(this.closed);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const own = this.next++;
    return new Promise<ResultOf<T>>((resolve, reject) => {
      const settled = () => {
        this.waiting.delete(own);
        signal?.removeEventListener('abort', cancel);
      };
      const fail = (error: unknown) => {
        settled();
        reject(error);
      };
      const cancel = () => {
        this.post({ kind: 'cancel', id: own });
        fail(signal?.reason);
      };
      signal?.addEventListener('abort', cancel, { once: true });
      const succeed = (result: unknown) => {
        settled();
        resolve(result as ResultOf<T>);
      };
      this.waiting.set(own, { type, progress, succeed, fail });
      this.post({ kind: 'request', id: own, method: type.method, params });
    });
  }

  /** Takes a message, whatever it is. Never throws; a request is answered exactly once. */
  receive(received: unknown): void {
    if (this.closed !== undefined) return;
    const parsed = message.safeParse(received);
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      const error = protocolErrors.message(path === '' ? detail : `${path}: ${detail}`);
      this.wire.log(error);
      this.fail(idOf(received), error);
      return;
    }
    const { data } = parsed;
    switch (data.kind) {
      case 'request':
        this.asked(data.id, data.method, data.params);
        break;
      case 'cancel':
        this.pending.get(data.id)?.abort(protocolErrors.cancelled());
        break;
      case 'notification':
        this.listeners.hear(data.method, data.params);
        break;
      case 'progress':
        this.progressed(data.id, data.progress);
        break;
      default:
        this.answered(data);
    }
  }

  /** Ends it: whoever waits learns why, and what is under way here is broken off. */
  close(why: ColaError): void {
    if (this.closed !== undefined) return;
    this.closed = why;
    for (const { fail } of [...this.waiting.values()]) fail(why);
    for (const controller of this.pending.values()) controller.abort(why);
  }

  private asked(own: number, name: string, params: unknown): void {
    if (this.pending.has(own)) {
      this.fail(null, protocolErrors.message(`the request ${own} is under way already`));
      return;
    }
    if (this.pending.size >= mostUnderWay) {
      this.fail(own, protocolErrors.tooMany(mostUnderWay));
      return;
    }
    const controller = new AbortController();
    this.pending.set(own, controller);
    const tell = (progress: unknown) => {
      if (this.pending.get(own) === controller) this.post({ kind: 'progress', id: own, progress });
    };
    this.call(name, params, controller.signal, tell)
      .finally(() => this.pending.delete(own))
      .then(
        (result) => this.post({ kind: 'result', id: own, result }),
        (error: unknown) => this.fail(own, this.wire.worded?.(error) ?? error),
      );
  }

  private async call(name: string, params: unknown, signal: AbortSignal, tell: (progress: unknown) => void) {
    this.wire.admit?.(name);
    return this.answers.call(name, params, signal, tell);
  }

  private answered(data: Extract<Message, { kind: 'result' | 'failure' }>): void {
    const waiting = data.id === null ? undefined : this.waiting.get(data.id);
    if (data.kind === 'failure') {
      if (waiting !== undefined) waiting.fail(fromWire(data.error));
      // Of a request that was broken off, the failure is what was asked for.
      else if (data.id === null) this.wire.log(fromWire(data.error));
      return;
    }
    if (waiting === undefined) return;
    try {
      waiting.succeed(resultOf(waiting.type, data.result));
    } catch (error) {
      waiting.fail(error);
    }
  }

  private progressed(own: number, given: unknown): void {
    const waiting = this.waiting.get(own);
    if (waiting?.progress === undefined) return;
    const parsed = waiting.type.progress?.safeParse(given);
    if (parsed?.success === true) waiting.progress(parsed.data as never);
    else this.wire.log(protocolErrors.message(`what ${waiting.type.method} says of its progress`));
  }

  private fail(own: number | null, error: unknown): void {
    this.post({ kind: 'failure', id: own, error: toWire(error) });
  }

  private post(given: Message): void {
    if (this.closed === undefined) this.wire.send(given);
  }
}

/** The number of a broken request, so that whoever waits for it learns of it. */
function idOf(received: unknown): number | null {
  if (typeof received !== 'object' || received === null) return null;
  const { kind, id: given } = received as { kind?: unknown; id?: unknown };
  return kind === 'request' && Number.isSafeInteger(given) && Number(given) >= 0 ? Number(given) : null;
}
