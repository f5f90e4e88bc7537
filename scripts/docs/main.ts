/** Writes the parts of docs/ that come from the code. Run by `npm run docs`; a test compares them with what is committed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sources } from '../layers/check.ts';
import { errorsIn, errorsPage } from './errors.ts';
import { withLayers } from './layers.ts';
import { settingsPage } from './settings.ts';

const file = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));

/** What the pages should say, by name. */
export function pages(): Record<string, string> {
  return {
    'settings.md': settingsPage(),
    'errors.md': errorsPage(errorsIn(sources())),
    'architecture.md': withLayers(readFileSync(file('architecture.md'), 'utf8')),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(pages())) writeFileSync(file(name), text);
}
