/** Fails if an import crosses a border of the layers. Part of `npm run check`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { homeless, type Source, trespasses } from './borders.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** All source files of the product. */
export function sources(): Source[] {
  const paths = ['server', 'src', 'webview'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  );
  return paths
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const all = sources();
  const wrong = [...homeless(all.map(({ path }) => path)).map((path) => `${path} is in no layer`), ...trespasses(all)];
  for (const line of wrong) console.error(line);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
