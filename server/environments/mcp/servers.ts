/** Servers of an environment: so many at once, each lent to one episode. */
import { Sessions } from '../sessions.ts';
import { McpServer, type ServerPlan } from './server.ts';

export interface Lent {
  readonly server: McpServer;
  /**
   * Makes room for the next. Calling it twice is harmless.
   *
   * @param how `new`: nobody has called a tool; `over`: an episode is; `broken`: it is not to be asked again
   */
  leave(how: Left): Promise<void>;
}

type Left = 'new' | 'over' | 'broken';

export class Servers {
  private readonly room: Sessions;
  private readonly spare: McpServer[] = [];
  private closed = false;

  /** @param reuse whether an episode may have what an earlier one has left */
  constructor(
    private readonly plan: ServerPlan,
    count: number,
    private readonly reuse: boolean,
  ) {
    this.room = new Sessions(count);
  }

  /** Waits for room, and starts one if none is left over. @throws environment.mcpStart, environment.mcpBroken */
  async take(signal?: AbortSignal): Promise<Lent> {
    const release = await this.room.enter(signal);
    try {
      const server = (await this.rested()) ?? (await McpServer.start(this.plan, signal));
      let held = true;
      return {
        server,
        leave: async (how) => {
          if (held) {
            held = false;
            await this.back(server, release, how);
          }
        },
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.spare.splice(0).map((server) => server.close()));
  }

  private async rested(): Promise<McpServer | undefined> {
    for (let server = this.spare.pop(); server !== undefined; server = this.spare.pop()) {
      if (server.alive) return server;
      await server.end();
    }
    return undefined;
  }

  private async back(server: McpServer, release: () => void, how: Left): Promise<void> {
    const rests = how === 'new' || (how === 'over' && this.reuse);
    try {
      if (rests && server.alive && !this.closed) this.spare.push(server);
      else await (how === 'broken' ? server.end() : server.close());
    } finally {
      release();
    }
  }
}
