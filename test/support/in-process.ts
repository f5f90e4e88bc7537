/** An engine without a process of its own, for tests, and what it told. */
import type { ParamsOf, RequestType, ResultOf } from '../../server/protocol/channel/request.ts';
import { runEvent, type WireTrainEvent } from '../../server/protocol/runs.ts';
import { searchEvent } from '../../server/protocol/search.ts';
import { engineLine } from './engine-line.ts';

export class InProcess {
  private readonly line = engineLine();
  readonly engine = this.line.engine;
  /** Why the searches that were told to run stand still. */
  readonly ends: string[] = [];
  /** What runs told. */
  readonly events: WireTrainEvent[] = [];
  private woken = () => {};

  constructor() {
    const { channel } = this.line;
    channel.on(runEvent, ({ event }) => {
      this.events.push(event);
      this.woken();
    });
    channel.on(searchEvent, ({ end }) => {
      if (end !== null) this.ends.push(end);
      this.woken();
    });
  }

  get steps(): number {
    return this.events.filter(({ kind }) => kind === 'step').length;
  }

  ask<T extends RequestType>(type: T, params: ParamsOf<T>): Promise<ResultOf<T>> {
    return this.line.channel.ask(type, params);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.woken = resolve;
      });
    }
  }
}
