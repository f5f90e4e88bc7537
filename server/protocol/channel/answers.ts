/** Who answers which request. What is asked is checked here, whatever it came over: pipe, page or editor. */
import { firstIssue } from '../../schemas/first-issue.ts';
import { protocolErrors } from '../errors.ts';
import type { ProgressOf, ReceivedOf, RequestType, ResultOf } from './request.ts';

/** Says how far an answer is; whoever asked may not listen. */
export type Tell<T> = (progress: ProgressOf<T>) => void;

export type Handler<T extends RequestType> = (
  params: ReceivedOf<T>,
  signal: AbortSignal,
  tell: Tell<T>,
) => Promise<ResultOf<T>>;

/** What can be asked. */
export interface Answering {
  /** Says who answers a request. A later word takes the place of an earlier one. */
  answer<T extends RequestType>(type: T, handler: Handler<T>): void;
}

interface Known {
  readonly type: RequestType;
  readonly handler: Handler<RequestType>;
}

export class Answers implements Answering {
  private readonly known = new Map<string, Known>();

  answer<T extends RequestType>(type: T, handler: Handler<T>): void {
    this.known.set(type.method, { type, handler: handler as unknown as Handler<RequestType> });
  }

  has(method: string): boolean {
    return this.known.has(method);
  }

  /** @throws protocol.method, protocol.params; what the handler throws */
  async call(
    method: string,
    params: unknown,
    signal: AbortSignal,
    tell: (progress: unknown) => void,
  ): Promise<unknown> {
    const known = this.known.get(method);
    if (known === undefined) throw protocolErrors.method(method);
    return known.handler(checked(known.type, params), signal, tell as Tell<RequestType>);
  }
}

function checked(type: RequestType, params: unknown): ReceivedOf<RequestType> {
  const parsed = type.params.safeParse(params ?? {});
  if (parsed.success) return parsed.data as ReceivedOf<RequestType>;
  const { path, detail } = firstIssue(parsed.error);
  throw protocolErrors.params(type.method, path, detail);
}

/** What came back for a request, as its schema has it. @throws protocol.result */
export function resultOf<T extends RequestType>(type: T, result: unknown): ResultOf<T> {
  const parsed = type.result.safeParse(result);
  if (parsed.success) return parsed.data as ResultOf<T>;
  const { path, detail } = firstIssue(parsed.error);
  throw protocolErrors.result(type.method, path === '' ? detail : `${path}: ${detail}`);
}
