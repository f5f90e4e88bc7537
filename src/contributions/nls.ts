/**
 * Texts of the manifest as VS Code translates them: in `package.json` stands `%name%`, in `package.nls.json` the text, and in
 * `package.nls.de.json` the German one.
 */

/** By name. */
export type Texts = Readonly<Record<string, string>>;

/** Properties whose value a person reads. */
const read = new Set([
  'title',
  'description',
  'markdownDescription',
  'enumDescriptions',
  'contents',
  'contextualTitle',
  'altText',
]);
/** What has a name of its own that a person reads; elsewhere a `name` is one for programs. */
const withReadName = /^views\./;
/** Titles that are the product's name, the same in all languages. */
const product = /^CoLA( Studio)?$/;

/** What an entry of a list is called in the names of its texts. */
function entryName(entry: unknown, at: number): string {
  const { id, command, view, when } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<
    string,
    unknown
  >;
  const name = id ?? command ?? (view === undefined ? undefined : `${view}.${at}`);
  return typeof name === 'string' && (when === undefined || view !== undefined || id !== undefined) ? name : String(at);
}

/**
 * Replaces texts by their names.
 *
 * @param path of the value in the manifest, which becomes the beginning of the names
 */
export function named(value: unknown, path: string): { readonly value: unknown; readonly texts: Texts } {
  const texts: Record<string, string> = {};
  const visit = (each: unknown, at: string, readable: boolean): unknown => {
    if (typeof each === 'string') {
      if (!readable || product.test(each)) return each;
      texts[at] = each;
      return `%${at}%`;
    }
    if (Array.isArray(each))
      return each.map((entry, i) => visit(entry, join(at, readable ? String(i) : entryName(entry, i)), readable));
    if (typeof each !== 'object' || each === null) return each;
    return Object.fromEntries(
      Object.entries(each).map(([key, inner]) => {
        const own = read.has(key) || (key === 'name' && withReadName.test(at));
        return [key, visit(inner, join(at, key), own && (typeof inner === 'string' || Array.isArray(inner)))];
      }),
    );
  };
  return { value: visit(value, path, false), texts };
}

const join = (a: string, b: string) => (a === '' ? b : `${a}.${b}`);
