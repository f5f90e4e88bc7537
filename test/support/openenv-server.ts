/**
 * A server of OpenEnv's WebSocket protocol as it is published, for tests: what arrives at /ws and what goes back are the
 * messages of its documentation.
 */
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** A world of the server: say a number, and how far it is from the seed is told; the seed itself ends the episode. */
export class Distance {
  private seed = 0;
  private steps = 0;

  reset(seed: number): object {
    this.seed = seed;
    this.steps = 0;
    return { observation: { text: `Seed ${seed}. Guess.`, metadata: {} }, reward: null, done: false };
  }

  step(message: string): object {
    this.steps++;
    const distance = Math.abs(Number(/\d+/.exec(message)?.[0] ?? 'NaN') - this.seed);
    const done = distance === 0;
    const text = Number.isNaN(distance) ? 'No number.' : `${distance} away after ${this.steps}.`;
    return { observation: { text, metadata: {} }, reward: done ? 1 : 0, done };
  }
}

/** What a server does with a message, beside what it should. @returns whether that was all */
export type Mischief = (asked: { readonly type: string }, connection: WebSocket, count: number) => boolean;

export class OpenenvServer {
  /** Every message that came, in order. */
  readonly asked: { readonly type: string; readonly data?: Readonly<Record<string, unknown>> }[] = [];
  mischief: Mischief = () => false;
  most = 0;
  private sessions = 0;

  private constructor(private readonly server: WebSocketServer) {
    server.on('connection', (connection, { url }) => {
      const world = new Distance();
      this.sessions++;
      this.most = Math.max(this.most, this.sessions);
      let open = true;
      const leave = () => {
        if (open) this.sessions--;
        open = false;
      };
      connection.on('close', leave);
      connection.on('message', (data) => {
        const message = JSON.parse(String(data)) as OpenenvServer['asked'][number];
        this.asked.push(message);
        if (url !== '/ws') return connection.close();
        if (this.mischief(message, connection, this.asked.length)) return;
        if (message.type === 'reset') answer(world.reset(Number(message.data?.seed)));
        else if (message.type === 'step' && typeof message.data?.message === 'string')
          answer(world.step(message.data.message));
        else if (message.type === 'close') {
          leave();
          connection.close();
        } else
          connection.send(
            JSON.stringify({ type: 'error', data: { message: 'no such field', code: 'VALIDATION_ERROR' } }),
          );
      });
      const answer = (data: object) => connection.send(JSON.stringify({ type: 'observation', data }));
    });
  }

  static async start(): Promise<OpenenvServer> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await new Promise<void>((resolve) => server.once('listening', resolve));
    return new OpenenvServer(server);
  }

  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `ws://127.0.0.1:${port}`;
  }

  stop(): Promise<void> {
    for (const client of this.server.clients) client.terminate();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
