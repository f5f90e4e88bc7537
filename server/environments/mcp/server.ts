/**
 * A server of the Model Context Protocol (https://modelcontextprotocol.io/specification) in a process of its own, which is asked
 * over its standard input and output. It is the person's program, as a module is, and not confined; what it says is bounded in
 * size and time, checked, and never more than text that the agent reads.
 */
import { spawn } from 'node:child_process';
import { createMessageConnection, type MessageConnection, ResponseError } from 'vscode-jsonrpc/node';
import { z } from 'zod';
import type { ColaError } from '../../errors.ts';
import { type OwnedProcess, startOwned } from '../../rewards/process/owned-process.ts';
import { environmentErrors } from '../errors.ts';
import { LinesIn, LinesOut } from './lines.ts';

export interface ServerPlan {
  /** What it is called in messages. */
  readonly name: string;
  /** A program and its arguments; no shell reads them. */
  readonly command: readonly string[];
  /** Absolute. */
  readonly folder: string;
  /** Variables of the environment that it sees beside the few that every program needs. */
  readonly env: readonly string[];
  /** Longest time until it is ready. */
  readonly startMs: number;
  /** Longest time of an answer. */
  readonly stepMs: number;
}

/** Revisions of the protocol that are understood, the one that is asked for first. */
const revisions = ['2025-06-18', '2025-11-25', '2025-03-26', '2024-11-05'];
const client = { name: 'cola-studio', version: '1' };

/** Pages of a list; more are one that never ends. */
const mostPages = 100;
/** Tools of a server, on all pages. */
const mostTools = 1000;
const longestDescription = 2000;
/** Characters of its standard error that are kept, for messages. */
const keptErrors = 2000;
/** Milliseconds that it may take to end by itself when its input has ended. */
const graceMs = 500;

const greeted = z.object({ protocolVersion: z.string().max(100) });
const tool = z.object({
  name: z.string().min(1).max(100),
  description: z.string().default(''),
  inputSchema: z.record(z.string(), z.unknown()),
});
const listed = z.object({ tools: z.array(tool), nextCursor: z.string().max(10_000).nullish() });
const text = z.object({ type: z.literal('text'), text: z.string() });
const resource = z.object({ type: z.literal('resource'), resource: z.object({ text: z.string() }) });
const link = z.object({ type: z.literal('resource_link'), uri: z.string() });
/** Pictures, sounds, resources that are no text, and what later revisions have. */
const other = z.object({
  type: z
    .string()
    .max(100)
    .refine((type) => type !== 'text' && type !== 'resource_link'),
});
const content = z.union([text, resource, link, other]);
const called = z.object({
  content: z.array(content).default([]),
  structuredContent: z.unknown().optional(),
  isError: z.boolean().default(false),
});

export interface ServerTool {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** What a call of a tool came to. */
export interface Called {
  readonly text: string;
  /** Whether the tool, or the server, says that it went wrong. */
  readonly error: boolean;
}

export class McpServer {
  private readonly process: OwnedProcess;
  private readonly reader: LinesIn;
  private readonly connection: MessageConnection;
  private readonly gone = new AbortController();
  private readonly closed: Promise<void>;
  private complaints = '';
  private ended = 'it ended';

  private constructor(private readonly plan: ServerPlan) {
    const [program, ...rest] = plan.command;
    this.process = startOwned(plan.env, (options) =>
      spawn(program, rest, { ...options, cwd: plan.folder, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true }),
    );
    const { child } = this.process;
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null || stderr === null) throw new Error('a process without pipes');
    stderr.on('data', (chunk: Buffer) => {
      this.complaints = `${this.complaints}${chunk.toString('utf8')}`.slice(-keptErrors);
    });
    for (const pipe of [stdin, stdout, stderr]) pipe.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      child.once('error', (error) => {
        this.fail(environmentErrors.mcpStart(plan.name, error.message));
        if (child.pid === undefined) resolve();
      });
      // Behind all that it wrote: what it started and left behind is ended then, and holds no pipe open.
      child.once('close', (code, killedBy) => {
        this.ended = killedBy === null ? `exit code ${code}` : `it was killed (${killedBy})`;
        this.fail(environmentErrors.mcpEnded(plan.name, this.withComplaints(this.ended)));
        resolve();
      });
    });
    this.reader = new LinesIn(stdout, ({ message }) =>
      this.fail(environmentErrors.mcpBroken(plan.name, plain(message))),
    );
    const silent = () => undefined;
    const logger = { error: silent, warn: silent, info: silent, log: silent };
    this.connection = createMessageConnection(this.reader, new LinesOut(stdin), logger);
    // It may ask whether anybody is there; what else it asks for, roots and samples, is not to be had here.
    this.connection.onRequest('ping', () => ({}));
    this.connection.listen();
  }

  /** @throws environment.mcpStart, environment.mcpBroken; the reason of the signal. Nothing of it is left then. */
  static async start(plan: ServerPlan, signal?: AbortSignal): Promise<McpServer> {
    signal?.throwIfAborted();
    const server = McpServer.open(plan);
    try {
      await server.greet(signal);
      return server;
    } catch (error) {
      await server.end();
      throw error;
    }
  }

  /** @throws environment.mcpStart for what no system starts: too many arguments, or bytes that none can have */
  private static open(plan: ServerPlan): McpServer {
    try {
      return new McpServer(plan);
    } catch (error) {
      throw environmentErrors.mcpStart(plan.name, error instanceof Error ? plain(error.message) : String(error));
    }
  }

  /** Whether it may still be asked. */
  get alive(): boolean {
    return !this.gone.signal.aborted;
  }

  /** All that it offers. @throws environment.mcp* */
  async tools(signal?: AbortSignal): Promise<ServerTool[]> {
    const found: ServerTool[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < mostPages; page++) {
      const answer = await this.ask('tools/list', cursor === undefined ? {} : { cursor }, this.plan.stepMs, signal);
      const { tools, nextCursor } = this.read(listed, 'tools/list', answer);
      for (const { name, description, inputSchema } of tools) {
        const { $schema: _, ...parameters } = inputSchema;
        found.push({ name, description: description.slice(0, longestDescription), parameters });
      }
      if (found.length > mostTools) break;
      if (nextCursor === undefined || nextCursor === null || nextCursor === '') return found;
      cursor = nextCursor;
    }
    throw this.broken('its list of tools has no end');
  }

  /** What it refuses is told as a tool's error is: the agent may have asked for something that there is not. @throws environment.* */
  async call(name: string, given: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<Called> {
    const answer = await this.ask('tools/call', { name, arguments: given }, this.plan.stepMs, signal);
    if (answer instanceof ResponseError) return { text: `Error: ${answer.message}`, error: true };
    const { content: parts, structuredContent, isError } = this.read(called, 'tools/call', answer);
    const said = parts.map(textOf).join('\n');
    const shown = said === '' && structuredContent !== undefined ? JSON.stringify(structuredContent) : said;
    return { text: shown, error: isError };
  }

  /** Lets it end by itself for a moment, and ends it with all that it started. Calling it twice is harmless. */
  async close(): Promise<void> {
    this.process.child.stdin?.end();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.closed, late]);
    clearTimeout(timer);
    await this.end();
  }

  /** Ends it now. */
  async end(): Promise<void> {
    const { child } = this.process;
    this.process.end();
    // What could not be ended may hold the other ends.
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy();
    await this.closed;
    this.connection.dispose();
  }

  private async greet(signal: AbortSignal | undefined): Promise<void> {
    const { name, startMs } = this.plan;
    const hello = { protocolVersion: revisions[0], capabilities: {}, clientInfo: client };
    let answer: unknown;
    try {
      answer = await this.ask('initialize', hello, startMs, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Late)
        throw environmentErrors.mcpStart(name, this.withComplaints(`it was not ready after ${startMs} ms`));
      if (hasId(error, 'environment.mcpEnded')) throw environmentErrors.mcpStart(name, this.withComplaints(this.ended));
      throw error;
    }
    const { protocolVersion } = this.read(greeted, 'initialize', answer);
    if (!revisions.includes(protocolVersion))
      throw this.broken(`it speaks the revision ${plain(protocolVersion)}, and here ${revisions.join(', ')} are known`);
    await this.connection.sendNotification('notifications/initialized');
  }

  /**
   * One question. Who does not get an answer in time ends the process: what it is at is not known then.
   *
   * @returns the answer, or the error that it answered with
   */
  private async ask(method: string, params: object, limitMs: number, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    const gone = this.gone.signal;
    gone.throwIfAborted();
    this.reader.asked();
    let timer: NodeJS.Timeout | undefined;
    let stop = () => {};
    let leave = () => {};
    try {
      return await new Promise<unknown>((resolve, reject) => {
        stop = () => reject(signal?.reason);
        leave = () => reject(gone.reason);
        signal?.addEventListener('abort', stop, { once: true });
        gone.addEventListener('abort', leave, { once: true });
        timer = setTimeout(() => reject(new Late()), limitMs);
        this.connection.sendRequest<unknown>(method, params).then(resolve, (error: unknown) => {
          if (error instanceof ResponseError) resolve(error);
          else reject(error);
        });
      });
    } catch (cause) {
      const late = cause instanceof Late && method !== 'initialize';
      const error = late ? environmentErrors.late(this.plan.name, limitMs) : cause;
      this.gone.abort(error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      gone.removeEventListener('abort', leave);
    }
  }

  private read<T>(schema: z.ZodType<T>, method: string, answer: unknown): T {
    if (answer instanceof ResponseError) throw this.broken(`it refused ${method}: ${plain(answer.message)}`);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw this.broken(
      `it answered ${method} with ${issue.path.join('.') || 'something'} that is wrong (${issue.message})`,
    );
  }

  private broken(problem: string): ColaError {
    const error = environmentErrors.mcpBroken(this.plan.name, problem);
    this.fail(error);
    return error;
  }

  private fail(problem: ColaError): void {
    this.gone.abort(problem);
  }

  /** With the last that it said to its standard error. */
  private withComplaints(how: string): string {
    const said = plain(this.complaints.split('\n').slice(-5).join(' '));
    return said === '' ? how : `${how}, and it said: ${said}`;
  }
}

/** There was no answer in time. */
class Late extends Error {}

const hasId = (error: unknown, id: string) => error instanceof Error && 'id' in error && error.id === id;

function textOf(part: z.infer<typeof content>): string {
  if ('text' in part) return part.text;
  if ('resource' in part) return part.resource.text;
  return 'uri' in part ? part.uri : `(${plain(part.type)}, which is not shown)`;
}

/** Words of a stranger in an error: short, and on one line. */
const plain = (said: string) => said.replace(/\s+/g, ' ').trim().slice(0, 300).replace(/\.$/, '');
