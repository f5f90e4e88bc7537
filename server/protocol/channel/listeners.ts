/** Who hears of what happens. A notification is checked once, however many listen. */
import type { ColaError } from '../../errors.ts';
import { firstIssue } from '../../schemas/first-issue.ts';
import { protocolErrors } from '../errors.ts';
import type { NotificationType, ReceivedOf } from './request.ts';

type Heard = (params: unknown) => void;

interface Known {
  readonly type: NotificationType;
  readonly heard: Set<Heard>;
}

export class Listeners {
  private readonly known = new Map<string, Known>();

  /** @param log takes what cannot be understood, which is left out */
  constructor(private readonly log: (error: ColaError) => void) {}

  get methods(): readonly string[] {
    return [...this.known.keys()];
  }

  /** @returns ends it */
  on<T extends NotificationType>(type: T, handler: (params: ReceivedOf<T>) => void): () => void {
    const known = this.known.get(type.method) ?? { type, heard: new Set() };
    this.known.set(type.method, known);
    const heard: Heard = (params) => handler(params as ReceivedOf<T>);
    known.heard.add(heard);
    return () => known.heard.delete(heard);
  }

  /** Nobody listens any more. */
  clear(): void {
    this.known.clear();
  }

  /** Something happened. What nobody listens to is nothing. */
  hear(method: string, params: unknown): void {
    const known = this.known.get(method);
    if (known === undefined || known.heard.size === 0) return;
    const parsed = known.type.params.safeParse(params);
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      this.log(protocolErrors.params(method, path, detail));
      return;
    }
    for (const heard of [...known.heard]) heard(parsed.data);
  }
}
