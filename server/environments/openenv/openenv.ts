/**
 * Environments of the OpenEnv ecosystem, over the WebSocket protocol of its servers: a session for each world, in which `reset`
 * and `step` are answered by an `observation`, and an `error` by its reason. What a server says is data of a stranger: bounded
 * in size and time, checked, and never more than text that the agent reads.
 *
 * Over HTTP the published servers open a new environment for every request, so that no episode can be played that way; an
 * address that begins with http is that of the same server, and its WebSocket is used, as by OpenEnv's own client.
 */
import { z } from 'zod';
import type { Environment, StepResult, World } from '../environment.ts';
import { environmentErrors } from '../errors.ts';
import { Sessions } from '../sessions.ts';
import { serverAddress } from './address.ts';
import { Socket, SocketProblem } from './socket.ts';

const key = z.string().regex(/^\w{1,64}$/, 'is no name of a field');

export const openenvOptions = z.strictObject({
  url: z.string().max(2000).meta({ description: 'Address of the server: ws://127.0.0.1:8000' }),
  field: key.default('message').meta({ description: 'Field of an action that takes what the model writes.' }),
  observation: key
    .optional()
    .meta({ description: 'Field of an observation that is shown; its only text, or all of it as JSON, if not given.' }),
  instructions: z
    .string()
    .max(20_000)
    .default('')
    .meta({ description: 'What the agent is told before everything else.' }),
  sessions: z
    .int()
    .min(1)
    .max(256)
    .default(1)
    .meta({ description: 'Worlds that are open at once; servers have room for one, unless they say otherwise.' }),
  stepMs: z.int().min(10).max(3_600_000).default(10_000).meta({ description: 'Longest time of an answer.' }),
});
export type OpenenvOptions = z.infer<typeof openenvOptions>;

/** Bytes of a message; screens and documents of a page are no texts to read. */
const mostBytes = 1024 * 1024;

const observed = z.object({
  type: z.literal('observation'),
  data: z.object({
    observation: z.record(z.string(), z.unknown()),
    reward: z.union([z.number(), z.boolean()]).nullish(),
    done: z.boolean().default(false),
  }),
});
const refused = z.object({
  type: z.literal('error'),
  data: z.object({ message: z.string(), code: z.string().max(100).optional() }),
});
const answered = z.discriminatedUnion('type', [observed, refused]);
type Observed = z.infer<typeof observed>['data'];

/** @throws environment.openenvAddress, environment.openenvHost */
export function openenvEnvironment(options: OpenenvOptions): Environment {
  const url = serverAddress(options.url);
  const sessions = new Sessions(options.sessions);
  const open = new Set<OpenenvWorld>();
  return {
    name: `OpenEnv at ${url.host}`,
    instructions: options.instructions,
    tools: [],
    // Each session is a world of its own; whether its seed says all is up to the server, and is seen when it is played again.
    repeats: true,
    open() {
      const world = new OpenenvWorld(url, options, sessions, () => open.delete(world));
      open.add(world);
      return world;
    },
    async close() {
      await Promise.all([...open].map((world) => world.close()));
    },
  };
}

class OpenenvWorld implements World {
  private socket: Socket | undefined;
  private release: (() => void) | undefined;

  constructor(
    private readonly url: URL,
    private readonly options: OpenenvOptions,
    private readonly sessions: Sessions,
    private readonly onClose: () => void,
  ) {}

  async reset(seed: number, { side }: { readonly side: 'seen' | 'unseen' }, signal?: AbortSignal): Promise<string> {
    this.release ??= await this.sessions.enter(signal);
    // Sides share no seed; whether they share worlds is up to the server.
    const own = 2 * seed + (side === 'unseen' ? 1 : 0);
    return this.textOf((await this.ask({ type: 'reset', data: { seed: own } }, signal)).observation);
  }

  async step(text: string, signal?: AbortSignal): Promise<StepResult> {
    const { observation, reward, done } = await this.ask(
      { type: 'step', data: { [this.options.field]: text } },
      signal,
    );
    const result = { observation: this.textOf(observation), reward: Number(reward ?? 0), done, info: {} };
    // Others may be waiting for a session.
    if (done) await this.close();
    return result;
  }

  async close(): Promise<void> {
    const { socket, release } = this;
    this.socket = this.release = undefined;
    this.onClose();
    // A server has room for the next one when this one has gone.
    await socket?.close(JSON.stringify({ type: 'close' }));
    release?.();
  }

  /** @throws environment.openenv*, environment.late; the session is over then */
  private async ask(message: object, signal?: AbortSignal): Promise<Observed> {
    const { url } = this;
    const late = AbortSignal.timeout(this.options.stepMs);
    const either = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      this.socket ??= await Socket.connect(url, mostBytes, either);
      const parsed = answered.safeParse(parse(await this.socket.ask(JSON.stringify(message), either)));
      if (!parsed.success) throw new SocketProblem('broken', problemOf(parsed.error));
      if (parsed.data.type === 'observation') return parsed.data.data;
      const { message: said, code } = parsed.data.data;
      throw environmentErrors.openenvRefused(url.href, plain(code === undefined ? said : `${said} (${code})`));
    } catch (error) {
      await this.close();
      signal?.throwIfAborted();
      if (late.aborted) throw environmentErrors.late(`OpenEnv at ${url.host}`, this.options.stepMs);
      if (!(error instanceof SocketProblem)) throw error;
      const said = plain(error.message);
      throw error.kind === 'away'
        ? environmentErrors.openenvAway(url.href, said)
        : environmentErrors.openenvBroken(url.href, said);
    }
  }

  /** What is shown of an observation. @throws environment.openenvBroken without the field that was named */
  private textOf(observation: Readonly<Record<string, unknown>>): string {
    const { metadata: _, done: __, reward: ___, ...shown } = observation;
    const { observation: named } = this.options;
    if (named !== undefined) {
      const value = shown[named];
      if (typeof value === 'string') return value;
      throw environmentErrors.openenvBroken(this.url.href, `its observation has no text "${named}"`);
    }
    const texts = Object.values(shown).filter((value) => typeof value === 'string' && value !== '');
    return texts.length === 1 ? String(texts[0]) : JSON.stringify(shown);
  }
}

/** JSON of a stranger, which is refused where it is nested deeper than it can be written again. */
function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    JSON.stringify(value);
    return value;
  } catch {
    throw new SocketProblem('broken', 'it sent something else than JSON');
  }
}

const problemOf = ({ issues: [issue] }: z.ZodError) => `${issue.path.join('.') || 'its answer'}: ${issue.message}`;

/** Words of a stranger in an error: short, and on one line. */
const plain = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 300);
