/**
 * For every test, before the first: a session of ONNX Runtime that a test has released is given to the next who asks for the same
 * program on the CPU. Tests train the same few models many times, and to compile their programs took up to a third of their time.
 * What runs is the same: a session keeps nothing from run to run, and one is never with two at a time.
 */
import { createHash } from 'node:crypto';
import type { InferenceSession } from 'onnxruntime-node';
import { ort } from '../../server/device/runtime.ts';

type Options = InferenceSession.SessionOptions;

/** Sessions that wait, at most; the one that has waited longest goes. */
const mostWaiting = 256;
/** Programs of more than this keep much memory while they wait. */
const mostBytes = 2 ** 23;

const compile = ort.InferenceSession.create as (model: Uint8Array, options?: Options) => Promise<InferenceSession>;
/** Released sessions with the key of their program, in the order in which they were released. */
const waiting: { readonly key: string; readonly session: InferenceSession }[] = [];

ort.InferenceSession.create = (async (model: Uint8Array, options: Options = {}) => {
  const key = keyOf(model, options);
  if (key === undefined) return compile(model, options);
  const at = waiting.findIndex((one) => one.key === key);
  return lent(key, at < 0 ? await compile(model, options) : waiting.splice(at, 1)[0]!.session);
}) as typeof ort.InferenceSession.create;

/** Says what a program computes, its weights and settings among it; undefined of one that is not kept. */
function keyOf(model: Uint8Array, { externalData = [], ...options }: Options): string | undefined {
  if (options.executionProviders?.join() !== 'cpu') return undefined;
  const hash = createHash('sha1').update(JSON.stringify(options)).update(model);
  let bytes = model.byteLength;
  for (const file of externalData) {
    if (typeof file === 'string' || typeof file.data === 'string' || !ArrayBuffer.isView(file.data)) return undefined;
    const { buffer, byteOffset, byteLength } = file.data;
    bytes += byteLength;
    if (bytes > mostBytes) return undefined;
    hash.update(`${file.path} ${byteLength}\n`).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return bytes > mostBytes ? undefined : hash.digest('hex');
}

/** The session for one who asked: it waits again once that one releases it, unless a run of it went wrong. */
function lent(key: string, session: InferenceSession): InferenceSession {
  let released = false;
  let well = true;
  const overrides = {
    async run(...given: [never, never, never]) {
      if (released) throw new Error('the session was released');
      try {
        return await session.run(...given);
      } catch (error) {
        well = false;
        throw error;
      }
    },
    async release() {
      if (released) throw new Error('the session was released before');
      released = true;
      if (!well) return session.release();
      waiting.push({ key, session });
      if (waiting.length > mostWaiting) await waiting.shift()!.session.release();
    },
  };
  return new Proxy(session, {
    get: (target, name) => overrides[name as keyof typeof overrides] ?? Reflect.get(target, name, target),
  });
}
