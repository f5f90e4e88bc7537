/** Helper program: loads the module named by its argument and calls its default export. */
import { pathToFileURL } from 'node:url';
import { messageOf, serve, Unready } from './helper-serve.ts';

serve(import.meta.url, { heapMb: 4096, stackMb: 4 }, async (path) => {
  let loaded: { default?: unknown };
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (error) {
    throw new Unready('load', messageOf(error));
  }
  const score = loaded.default;
  if (typeof score !== 'function') throw new Unready('shape', 'no default export that is a function');
  return async (input) => {
    const result: unknown = await score(input);
    // Only plain data crosses to the engine; a function or class instance would fail there without a reason.
    return typeof result === 'object' && result !== null ? JSON.parse(JSON.stringify(result, plain)) : result;
  };
});

/** JSON has no NaN; the word tells the engine what was there. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
