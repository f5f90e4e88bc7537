/** Helper program: loads the module named by its argument and calls its default export. */
import { defaultExportOf, plainData, serve, Unready } from './helper-serve.ts';

serve(import.meta.url, { heapMb: 4096, stackMb: 4 }, async (path) => {
  const score = await defaultExportOf(path);
  if (typeof score !== 'function') throw new Unready('shape', 'no default export that is a function');
  return async (input) => plainData(await score(input));
});
