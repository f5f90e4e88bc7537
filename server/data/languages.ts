/** Languages of text files by their ending: what somebody may want a model to write. */
const endings: Readonly<Record<string, readonly string[]>> = {
  TypeScript: ['ts', 'tsx', 'mts', 'cts'],
  JavaScript: ['js', 'jsx', 'mjs', 'cjs'],
  Python: ['py', 'pyi'],
  Rust: ['rs'],
  Go: ['go'],
  Java: ['java'],
  Kotlin: ['kt', 'kts'],
  C: ['c', 'h'],
  'C++': ['cpp', 'cc', 'cxx', 'hpp', 'hh'],
  'C#': ['cs'],
  Ruby: ['rb'],
  PHP: ['php'],
  Swift: ['swift'],
  Scala: ['scala'],
  Dart: ['dart'],
  Lua: ['lua'],
  R: ['r', 'R'],
  Julia: ['jl'],
  Haskell: ['hs'],
  OCaml: ['ml', 'mli'],
  Elixir: ['ex', 'exs'],
  Erlang: ['erl'],
  Clojure: ['clj', 'cljs'],
  Perl: ['pl', 'pm'],
  Zig: ['zig'],
  Shell: ['sh', 'bash'],
  SQL: ['sql'],
  HTML: ['html', 'htm'],
  CSS: ['css', 'scss', 'less'],
  Vue: ['vue'],
  Svelte: ['svelte'],
  Markdown: ['md', 'mdx'],
  Text: ['txt', 'text'],
  reStructuredText: ['rst'],
  TeX: ['tex'],
  AsciiDoc: ['adoc'],
  Org: ['org'],
};

const byEnding = new Map(
  Object.entries(endings).flatMap(([name, list]) => list.map((ending) => [ending, name] as const)),
);

const endingOf = (path: string): string => /\.(\w+)$/.exec(path)?.[1] ?? '';

/** The language of a file; undefined for one that is none, such as a table. */
export const languageOf = (path: string): string | undefined => byEnding.get(endingOf(path));

/** The pattern of files with these endings: `**\/*.ts`, or `**\/*.{ts,tsx}`. */
export function globOf(paths: readonly string[]): string {
  const list = [...new Set(paths.map(endingOf))].sort();
  return `**/*.${list.length === 1 ? list[0] : `{${list.join(',')}}`}`;
}

/** The pattern of files in the language of one; undefined where its name has no ending. */
export function globBeside(path: string): string | undefined {
  const own = endingOf(path);
  if (own === '') return undefined;
  return globOf((endings[languageOf(path) ?? ''] ?? [own]).map((ending) => `.${ending}`));
}

/** All files in a language that is known. */
export const everyLanguage: readonly string[] = [`**/*.{${[...byEnding.keys()].join(',')}}`];
