import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { ColaError } from '../../errors.ts';
import { rewardErrors } from '../errors.ts';
import { type OwnedProcess, startOwned } from './owned-process.ts';

/**
 * A child process that answers one question at a time and is killed when it takes too long: the only sure way to bound
 * code that never returns. It is started at the first question, kept between questions and replaced after a kill.
 */

/** The programs a helper can run, and where each is written; in the bundle all lie beside this one, by their names. */
const programs = {
  'maths-worker': '../maths/worker.ts',
  'sandbox-worker': '../code/sandbox-worker.ts',
  'module-worker': './module-worker.ts',
  'environment-worker': '../../environments/module/worker.ts',
};
export type HelperProgram = keyof typeof programs;

let bundles: (() => string) | undefined;

/**
 * From now on programs are started from a folder of bundles, although this file is not bundled itself: from its sources a program
 * takes several times as long to start.
 *
 * @param folder asked when a program starts
 */
export function startFromBundles(folder: () => string): void {
  bundles = folder;
}

export interface HelperPlan {
  /** Name of the reward, for messages. */
  name: string;
  program: HelperProgram;
  /** Handed to the program when it starts. */
  argument?: string;
  /** Whether the program may write to this process's standard error. */
  trusted: boolean;
  /** Variables of this process's environment that the program sees beside the few that every program needs. */
  env?: readonly string[];
  /** Turns a failure to start into the error that `start` and `ask` throw. */
  startError?: (failure: StartFailure) => ColaError;
}

/** Why a program did not start. `code` is set when it said so itself. */
export interface StartFailure {
  code?: string;
  message: string;
}

/** How a question ended. */
export type HelperOutcome =
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

function open(plan: HelperPlan): OwnedProcess {
  const source = bundles === undefined && import.meta.url.endsWith('.ts');
  const beside = bundles === undefined ? import.meta.url : pathToFileURL(`${bundles()}/`);
  const file = new URL(source ? programs[plan.program] : `./${plan.program}.js`, beside);
  const output = plan.trusted ? process.stderr.fd : 'ignore';
  return startOwned(plan.env ?? [], (options) =>
    fork(fileURLToPath(file), plan.argument === undefined ? [] : [plan.argument], {
      ...options,
      execArgv: source ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [],
      serialization: 'advanced',
      // Standard output may be the engine's protocol channel: no helper ever writes there.
      stdio: ['ignore', output, output, 'ipc'],
    }),
  );
}

export class Helper {
  private running: OwnedProcess | undefined;
  private receive: ((message: Reply) => void) | undefined;
  /** Whose messages are waited for. */
  private heard: ChildProcess | undefined;
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
  async ask(question: unknown, limitMs: number, signal?: AbortSignal): Promise<HelperOutcome> {
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
    if (this.running) return this.running.child;
    const running = open(this.plan);
    const { child } = running;
    this.running = running;
    child.on('message', (message) => {
      if (this.heard !== child) return;
      const parsed = reply.safeParse(message);
      this.receive?.(parsed.success ? parsed.data : { type: 'ended', message: 'it broke the protocol' });
    });
    child.on('error', (error) => this.gone(child, error.message));
    child.on('exit', (code, killedBy) => {
      if (this.running?.child === child) this.running = undefined;
      const gone = () => this.gone(child, killedBy ? `it was killed (${killedBy})` : `exit code ${code}`);
      // What it said last, such as why it does not start, may lie unread in the pipe.
      if (child.connected) child.once('disconnect', gone);
      else gone();
    });
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
    if (this.running?.child === child) this.running = undefined;
    if (this.heard === child) this.receive?.({ type: 'ended', message });
  }

  /** The next message, of the given question if any; `late` after the limit. Rejects, and kills, on abort. */
  private async wait(
    child: ChildProcess,
    limitMs: number,
    signal: AbortSignal | undefined,
    begin?: () => void,
    id?: number,
  ): Promise<Reply | 'late'> {
    this.heard = child;
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
    const { running } = this;
    if (!running) return;
    this.running = undefined;
    const { child } = running;
    const ended = new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) resolve();
      else child.once('exit', () => resolve());
    });
    child.ref();
    running.end();
    await ended;
    this.receive?.({ type: 'ended', message: 'it was stopped' });
  }
}

/** Several helpers of one kind that share the questions. A slow answer keeps one of them busy, never all that wait. */
export class HelperPool {
  private readonly helpers: readonly Helper[];
  private readonly idle: Helper[];
  private readonly waiting: ((helper: Helper) => void)[] = [];

  /** Programs start when they are needed first. */
  constructor(plan: HelperPlan, size: number) {
    this.helpers = Array.from({ length: size }, () => new Helper(plan));
    // The first is taken first: few questions start few programs.
    this.idle = [...this.helpers].reverse();
  }

  /** Starts one program now, so that an error shows early. */
  async start(signal?: AbortSignal): Promise<void> {
    await this.lend((helper) => helper.start(signal));
  }

  /** As {@link Helper.ask}, by the first helper that is free. */
  async ask(question: unknown, limitMs: number, signal?: AbortSignal): Promise<HelperOutcome> {
    return this.lend((helper) => helper.ask(question, limitMs, signal));
  }

  async close(): Promise<void> {
    await Promise.all(this.helpers.map((helper) => helper.close()));
  }

  private async lend<T>(work: (helper: Helper) => Promise<T>): Promise<T> {
    const helper = this.idle.pop() ?? (await new Promise<Helper>((resolve) => this.waiting.push(resolve)));
    try {
      return await work(helper);
    } finally {
      const next = this.waiting.shift();
      if (next) next(helper);
      else this.idle.push(helper);
    }
  }
}
