/** An engine without a process of its own, for tests. */
import { Engine } from '../../server/engine/engine.ts';
import type { FromEngine } from '../../server/protocol/envelope.ts';
import type { ParamsOf, RequestType, ResultOf } from '../../server/protocol/request.ts';
import { runEvent } from '../../server/protocol/runs.ts';
import { searchEvent } from '../../server/protocol/search.ts';

/** An engine in this process, asked as from another. */
export class InProcess {
  readonly engine = new Engine((message) => this.receive(message));
  readonly notifications: { method: string; params: unknown }[] = [];
  private readonly waiting = new Map<number, (message: FromEngine) => void>();
  private next = 0;
  private woken = () => {};

  private receive(message: FromEngine): void {
    if (message.kind === 'notification') {
      this.notifications.push(message);
      this.woken();
    } else this.waiting.get(message.id ?? -1)?.(message);
  }

  async ask<T extends RequestType>(type: T, params: ParamsOf<T>): Promise<ResultOf<T>> {
    const id = this.next++;
    const message = await new Promise<FromEngine>((resolve) => {
      this.waiting.set(id, resolve);
      this.engine.receive({ kind: 'request', id, method: type.method, params });
    });
    if (message.kind === 'failure') throw new Error(message.error.id);
    return type.result.parse(message.kind === 'result' ? message.result : undefined) as ResultOf<T>;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.woken = resolve;
      });
    }
  }

  get steps(): number {
    return this.notifications.filter(({ method, params }) => {
      const parsed = runEvent.params.safeParse(params);
      return method === runEvent.method && parsed.success && parsed.data.event.kind === 'step';
    }).length;
  }

  /** Why the searches that were told to run stand still. */
  get ends(): string[] {
    return this.notifications.flatMap(({ method, params }) => {
      const end = method === searchEvent.method ? searchEvent.params.parse(params).end : null;
      return end === null ? [] : [end];
    });
  }
}
