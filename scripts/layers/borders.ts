/** Which imports cross a border of {@link layers}. */
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { type Layer, layers, packages } from './layers.ts';

/** A source file by its path from the project's root. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

const holds = ({ path: layer }: Layer, path: string) => path === layer || path.startsWith(`${layer}/`);

/** The rank of the room that a file is in; -1 for tests, benches and scripts, which may use anything. */
const rankOf = (path: string, list: readonly Layer[]) => list.findIndex((layer) => holds(layer, path));

/** What is wrong with the imports of some files, a sentence each. */
export function trespasses(
  sources: readonly Source[],
  list: readonly Layer[] = layers,
  owners: Readonly<Record<string, string>> = packages,
): string[] {
  return sources.flatMap(({ path, text }) => {
    const rank = rankOf(path, list);
    if (rank < 0) return [];
    const { importedFiles } = ts.preProcessFile(text, true, true);
    return importedFiles.flatMap(({ fileName: name }) => {
      const said = name.startsWith('.') ? between(path, rank, name, list) : abroad(path, name, owners);
      return said === undefined ? [] : [said];
    });
  });
}

function between(path: string, rank: number, name: string, list: readonly Layer[]): string | undefined {
  const target = normalize(join(dirname(path), name));
  const other = rankOf(target, list);
  if (other === rank) return undefined;
  if (other < 0)
    return /^(server|src|webview)\//.test(target) ? `${path} imports ${target}, which is in no layer` : undefined;
  const { path: from, only } = list[rank];
  const { path: to } = list[other];
  if (other > rank) return `${path} imports ${target}: ${to} stands above ${from}`;
  if (only !== undefined && !only.includes(to)) return `${path} imports ${target}: ${from} may not use ${to}`;
  return undefined;
}

function abroad(path: string, name: string, owners: Readonly<Record<string, string>>): string | undefined {
  const owner = Object.keys(owners).find((pack) => name === pack || name.startsWith(`${pack}/`));
  if (owner === undefined || path.startsWith(`${owners[owner]}/`)) return undefined;
  return `${path} imports ${owner}, which is for ${owners[owner]} alone`;
}

/** Rooms that hold code and stand in no list. */
export const homeless = (paths: readonly string[], list: readonly Layer[] = layers): string[] =>
  paths.filter((path) => /^(server|src|webview)\//.test(path) && rankOf(path, list) < 0);
