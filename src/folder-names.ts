/** What folders of the workspace are called where several are open. Knows nothing of the editor. */

export interface NamedFolder {
  /** As the editor calls it. */
  readonly name: string;
  /** On the disk, absolute. */
  readonly path: string;
}

/** By path, what a list calls each folder: its name; those that share one have as much of their path as tells them apart. */
export function folderNames(folders: readonly NamedFolder[]): Map<string, string> {
  return new Map(
    folders.map(({ name, path }) => {
      const others = folders.filter((other) => other.path !== path && other.name === name);
      return [
        path,
        others.length === 0
          ? name
          : tail(
              path,
              others.map((other) => other.path),
            ),
      ];
    }),
  );
}

/** The shortest end of a path that none of the others has. */
function tail(path: string, others: readonly string[]): string {
  const parts = partsOf(path);
  const end = (of: readonly string[], count: number) => of.slice(-count).join('/');
  for (let count = 2; count < parts.length; count++)
    if (!others.some((other) => end(partsOf(other), count) === end(parts, count))) return end(parts, count);
  return path;
}

const partsOf = (path: string) => path.split(/[\\/]/).filter((part) => part !== '');
