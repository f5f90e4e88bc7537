import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { deeperThan } from '../../files/json-depth.ts';
import { endTree, markName, markOf } from './process-tree.ts';

/**
 * The child's side of a helper. The work happens in a worker thread; the main thread only passes messages on, so that
 * it always notices when the engine is gone and takes a busy worker down with it.
 */

/** A failure to start that the engine should tell apart. */
export class Unready extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Limits of the working thread. */
export interface WorkLimits {
  heapMb: number;
  stackMb: number;
}

/** Answers one question. What it throws is reported as `threw`. */
export type Answerer = (question: unknown) => unknown;

interface Question {
  id: number;
  question: unknown;
}

/** What an unknown thrown value says, cut to a length fit for a message. */
function messageOf(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return text.slice(0, 500);
  } catch {
    return 'something that cannot be printed was thrown';
  }
}

/**
 * Runs a helper program; call it once, at the top of the program's file.
 *
 * @param entry the program's own `import.meta.url`
 * @param prepare loads what is needed and returns the function that answers; imports belong inside, so that only the
 *   working thread loads them
 */
export function serve(entry: string, limits: WorkLimits, prepare: (argument: string) => Promise<Answerer>): void {
  if (isMainThread) relay(entry, limits);
  else void work(prepare);
}

/** A thread does not inherit the loader that reads TypeScript, so from source it registers its own. */
function fromSource(entry: string): string {
  const api = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  return `import(${api}).then(({ register }) => { register(); return import(${JSON.stringify(entry)}); })`;
}

function relay(entry: string, limits: WorkLimits): void {
  const options = {
    workerData: process.argv[2] ?? '',
    resourceLimits: { maxOldGenerationSizeMb: limits.heapMb, stackSizeMb: limits.stackMb },
  };
  const worker = entry.endsWith('.ts')
    ? new Worker(fromSource(entry), { ...options, eval: true, execArgv: [] })
    : new Worker(new URL(entry), options);
  const leave = (message: string) => {
    if (!process.connected) process.exit(1);
    process.send?.({ type: 'ended', message }, () => process.exit(1));
  };
  process.on('disconnect', () => {
    // The engine is gone, perhaps killed: what the program started goes with it.
    endTree(process.pid, markOf(process.env[markName] ?? '-', process.pid, 'own'));
    process.exit(0);
  });
  process.on('message', (message) => worker.postMessage(message));
  worker.on('message', (message) => process.send?.(message));
  worker.on('messageerror', (error) => leave(messageOf(error)));
  worker.on('error', (error) => leave(messageOf(error)));
  worker.on('exit', (code) => leave(`exit code ${code}`));
}

async function work(prepare: (argument: string) => Promise<Answerer>): Promise<void> {
  const port = parentPort;
  if (!port) return;
  let answer: Answerer;
  try {
    answer = await prepare(String(workerData));
  } catch (error) {
    const code = error instanceof Unready ? error.code : 'failed';
    port.postMessage({ type: 'unready', code, message: error instanceof Unready ? error.message : messageOf(error) });
    return;
  }
  port.on('message', async ({ id, question }: Question) => {
    try {
      port.postMessage({ type: 'answer', id, value: await answer(question) });
    } catch (error) {
      port.postMessage({ type: 'threw', id, message: messageOf(error) });
    }
  });
  port.postMessage({ type: 'ready' });
}

/** What a module has where it has no default export: a name too few is what is forgotten most. */
export class NamedExports {
  constructor(readonly names: readonly string[]) {}
}

/** The default export of a person's module. @throws Unready where it cannot be loaded */
export async function defaultExportOf(path: string): Promise<unknown> {
  try {
    const all = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    const own = all.default;
    // What compilers make of a default export in CommonJS: module.exports is { default }.
    if (typeof own === 'object' && own !== null && 'default' in own) return own.default;
    if (own === undefined && Object.keys(all).length > 0) return new NamedExports(Object.keys(all));
    return own;
  } catch (error) {
    throw new Unready('load', messageOf(error));
  }
}

/** Characters of an answer, as JSON, and how deep it is nested: the engine is no place for more. */
const answerBounds = { length: 2 ** 20, depth: 64 } as const;

/**
 * What crosses to the engine: plain data, for a function or an instance of a class would fail there without a reason. JSON has no
 * NaN; the word tells the engine what was there.
 *
 * @throws Error where it is longer or deeper than an answer may be
 */
export function plainData(value: unknown): unknown {
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) return value;
  const text = JSON.stringify(value, (_, x: unknown) => (typeof x === 'number' && !Number.isFinite(x) ? String(x) : x));
  if (text.length > answerBounds.length)
    throw new Error(`its answer has ${text.length} characters, and at most ${answerBounds.length} are taken`);
  if (deeperThan(text, answerBounds.depth))
    throw new Error(`its answer is nested deeper than ${answerBounds.depth} levels`);
  return JSON.parse(text);
}
