/** Helper program: loads the module named by its argument and calls its default export. */
import { defaultExportOf, NamedExports, plainData, serve, Unready } from './helper-serve.ts';

serve(import.meta.url, { heapMb: 4096, stackMb: 4 }, async (path) => {
  const score = await defaultExportOf(path);
  if (score instanceof NamedExports) throw new Unready('shape', score.names.slice(0, 8).join(', '));
  if (typeof score !== 'function') throw new Unready('shape', '');
  return async (input) => plainData(await score(input));
});
