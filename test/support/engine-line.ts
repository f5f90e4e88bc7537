/** An engine in this process, asked as from another: what travels is JSON. */
import { Engine } from '../../server/engine/engine.ts';
import { Channel } from '../../server/protocol/channel/channel.ts';

export interface EngineLine {
  readonly engine: Engine;
  /** The asking end. */
  readonly channel: Channel;
}

export function engineLine(): EngineLine {
  const copied = (message: unknown) => JSON.parse(JSON.stringify(message));
  const channel: Channel = new Channel({
    send: (message) => engine.receive(copied(message)),
    log: (error) => console.error(error.describe()),
  });
  const engine = new Engine((message) => channel.receive(copied(message)));
  return { engine, channel };
}
