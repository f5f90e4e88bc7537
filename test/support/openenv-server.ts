/**
 * A server of OpenEnv's WebSocket protocol as it is published, for tests: what arrives at /ws and what goes back are the
 * messages of its documentation. The WebSocket is that of another implementation (ws, which comes with playwright-core).
 */
import { createRequire } from 'node:module';

interface Connection {
  send(text: string | Buffer, options?: object, done?: () => void): void;
  ping(): void;
  close(): void;
  on(event: 'message', listener: (data: Buffer) => void): void;
  on(event: 'close', listener: () => void): void;
}
interface SocketServer {
  address(): { readonly port: number };
  close(done: () => void): void;
  readonly clients: Iterable<{ terminate(): void }>;
  on(event: 'connection', listener: (connection: Connection, request: { readonly url?: string }) => void): void;
  once(event: 'listening', listener: () => void): void;
}
const { wsServer } = createRequire(import.meta.url)('playwright-core/lib/utilsBundle') as {
  wsServer: new (options: { readonly host: string; readonly port: number }) => SocketServer;
};

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
export type Mischief = (asked: { readonly type: string }, connection: Connection, count: number) => boolean;

export class OpenenvServer {
  /** Every message that came, in order. */
  readonly asked: { readonly type: string; readonly data?: Readonly<Record<string, unknown>> }[] = [];
  mischief: Mischief = () => false;
  most = 0;
  private sessions = 0;

  private constructor(private readonly server: SocketServer) {
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
    const server = new wsServer({ host: '127.0.0.1', port: 0 });
    await new Promise<void>((resolve) => server.once('listening', resolve));
    return new OpenenvServer(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.server.address().port}`;
  }

  stop(): Promise<void> {
    for (const client of this.server.clients) client.terminate();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
