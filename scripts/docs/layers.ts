/** The layers as a part of docs/architecture.md. */
import { layers, packages } from '../layers/layers.ts';

const begin = '<!-- layers: written by `npm run docs` -->';
const end = '<!-- layers end -->';

function table(): string {
  const rows = [...layers].reverse().map(({ path, what, only }) => {
    const may =
      only === undefined ? 'all below' : only.length === 0 ? 'nothing' : only.map((o) => `\`${o}\``).join(', ');
    return `| \`${path}\` | ${what} | ${may} |`;
  });
  const owned = Object.entries(packages).map(([pack, room]) => `\`${pack}\` by \`${room}\``);
  return [
    '| room, highest first | what | may use |',
    '|---|---|---|',
    ...rows,
    '',
    `Packages that one room alone may know: ${owned.join(', ')}.`,
  ].join('\n');
}

/** The page with its table as the list has it now. */
export function withLayers(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error('docs/architecture.md has lost the marks of its table');
  return `${page.slice(0, from + begin.length)}\n${table()}\n${page.slice(to)}`;
}
