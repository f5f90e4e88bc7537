import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { ColaError } from '../errors.ts';
import { rewardErrors } from './errors.ts';

/**
 * A child process that answers one question at a time and is killed when it takes too long: the only sure way to bound
 * code that never returns. It is started at the first question, kept between questions and replaced after a kill.
 */

/** The programs a helper can run: files beside this one, `.ts` from source and `.js` in the bundle. */
export type HelperProgram = 'maths-worker' | 'sandbox-worker' | 'module-worker';

export interface HelperPlan {
  /** Name of the reward, for messages. */
  name: string;
  program: HelperProgram;
  /** Handed to the program when it starts. */
  argument?: string;
  /** Whether the program sees this process's environment and may write to its standard error. */
  trusted: boolean;
  /** Turns a failure to start into the error that `start` and `ask` throw. */
  startError?: (failure: StartFailure) => ColaError;
}

/** Why a program did not start. `code` is set when it said so itself. */
export interface StartFailure {
  code?: string;
  message: string;
}

/** How a question ended. */
export type Outcome =
  | { kind: 'answer'; value: unknown }
  | { kind: 'threw'; message: string }
  | { kind: 'late' }
  | { kind: 'ended'; message: string };

const startMs = 60_000;

const reply = z.union([
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('unready'), code: z.string(), message: z.string() }),
  z.object({ type: z.literal('answer'), id: z.number(), value: z.unknown() }),
  z.object({ type: z.literal('threw'), id: z.number(), message: z.string() }),
  z.object({ type: z.literal('ended'), message: z.string() }),
]);
type Reply = z.infer<typeof reply>;

const live = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL');
});

function open(plan: HelperPlan): ChildProcess {
  const source = import.meta.url.endsWith('.ts');
  const file = new URL(`./${plan.program}.${source ? 'ts' : 'js'}`, import.meta.url);
  const { PATH, SystemRoot, TEMP, TMP, TMPDIR, ELECTRON_RUN_AS_NODE } = process.env;
  const output = plan.trusted ? process.stderr.fd : 'ignore';
  const child = fork(fileURLToPath(file), plan.argument === undefined ? [] : [plan.argument], {
    execArgv: source ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [],
    serialization: 'advanced',
    // Standard output may be the engine's protocol channel: no helper ever writes there.
    stdio: ['ignore', output, output, 'ipc'],
    env: plan.trusted ? process.env : { PATH, SystemRoot, TEMP, TMP, TMPDIR, ELECTRON_RUN_AS_NODE },
  });
  live.add(child);
  child.once('exit', () => live.delete(child));
  return child;
}

export class Helper {
  private child: ChildProcess | undefined;
  private receive: ((message: Reply) => void) | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private questions = 0;
  private closed = false;

  constructor(private readonly plan: HelperPlan) {}

  /** Starts the program now, so that an error shows early. */
  async start(signal?: AbortSignal): Promise<void> {
    await this.inTurn(() => this.ready(signal));
  }

  /**
   * Asks one question; questions wait for each other. The limit runs from the moment the program has it.
   *
   * @param limitMs milliseconds until the program is killed
   * @throws {@link ColaError} when the program does not start; the signal's reason when it is aborted
   */
  async ask(question: unknown, limitMs: number, signal?: AbortSignal): Promise<Outcome> {
    return this.inTurn(async () => {
      const child = await this.ready(signal);
      this.questions += 1;
      const id = this.questions;
      const message = await this.wait(child, limitMs, signal, () => child.send({ id, question }), id);
      if (message === 'late') {
        await this.kill();
        return { kind: 'late' };
      }
      if (message.type === 'answer') return { kind: 'answer', value: message.value };
      if (message.type === 'threw') return { kind: 'threw', message: message.message };
      await this.kill();
      return { kind: 'ended', message: message.type === 'ended' ? message.message : 'it broke the protocol' };
    });
  }

  /** Kills the program. A question under way ends as `ended`. */
  async close(): Promise<void> {
    this.closed = true;
    await this.kill();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  private async ready(signal?: AbortSignal): Promise<ChildProcess> {
    signal?.throwIfAborted();
    if (this.closed) throw rewardErrors.closed(this.plan.name);
    if (this.child) return this.child;
    const child = open(this.plan);
    this.child = child;
    child.on('message', (message) => {
      const parsed = reply.safeParse(message);
      this.receive?.(parsed.success ? parsed.data : { type: 'ended', message: 'it broke the protocol' });
    });
    child.on('error', (error) => this.gone(child, error.message));
    child.on('exit', (code, killedBy) =>
      this.gone(child, killedBy ? `it was killed (${killedBy})` : `exit code ${code}`),
    );
    const message = await this.wait(child, startMs, signal);
    if (message !== 'late' && message.type === 'ready') {
      // A resting helper must not keep this process alive.
      child.unref();
      child.channel?.unref();
      return child;
    }
    await this.kill();
    const failure: StartFailure =
      message === 'late'
        ? { message: `it was not ready after ${startMs / 1000} seconds` }
        : message.type === 'unready'
          ? { code: message.code, message: message.message }
          : { message: message.type === 'ended' ? message.message : 'it broke the protocol' };
    throw this.plan.startError?.(failure) ?? rewardErrors.helperFailed(this.plan.name, failure.message);
  }

  private gone(child: ChildProcess, message: string): void {
    if (this.child === child) this.child = undefined;
    this.receive?.({ type: 'ended', message });
  }

  /** The next message, of the given question if any; `late` after the limit. Rejects, and kills, on abort. */
  private async wait(
    child: ChildProcess,
    limitMs: number,
    signal: AbortSignal | undefined,
    begin?: () => void,
    id?: number,
  ): Promise<Reply | 'late'> {
    child.ref();
    child.channel?.ref();
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    try {
      return await new Promise<Reply | 'late'>((resolve, reject) => {
        this.receive = (message) => {
          if (!('id' in message) || message.id === id) resolve(message);
        };
        timer = setTimeout(() => resolve('late'), limitMs);
        abort = () => reject(signal?.reason);
        signal?.addEventListener('abort', abort, { once: true });
        begin?.();
      });
    } catch (error) {
      await this.kill();
      throw error;
    } finally {
      clearTimeout(timer);
      if (abort) signal?.removeEventListener('abort', abort);
      this.receive = undefined;
      child.unref();
      child.channel?.unref();
    }
  }

  private async kill(): Promise<void> {
    const child = this.child;
    if (!child) return;
    this.child = undefined;
    const ended = new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) resolve();
      else child.once('exit', () => resolve());
    });
    child.ref();
    child.kill('SIGKILL');
    await ended;
    this.receive?.({ type: 'ended', message: 'it was stopped' });
  }
}

/** Several helpers of one kind that share the questions. */
export class HelperPool {
  private readonly helpers: { helper: Helper; waiting: number }[];

  constructor(plan: HelperPlan, size: number) {
    this.helpers = Array.from({ length: size }, () => ({ helper: new Helper(plan), waiting: 0 }));
  }

  /** As {@link Helper.ask}, by the helper with the fewest questions waiting. */
  async ask(question: unknown, limitMs: number, signal?: AbortSignal): Promise<Outcome> {
    const chosen = this.helpers.reduce((best, other) => (other.waiting < best.waiting ? other : best));
    chosen.waiting += 1;
    try {
      return await chosen.helper.ask(question, limitMs, signal);
    } finally {
      chosen.waiting -= 1;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.helpers.map(({ helper }) => helper.close()));
  }
}
