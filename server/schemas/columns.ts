/** Columns of a row by name, also those inside of other columns: `reward_model.ground_truth`. */

/** Columns of a JSON object, as they were. */
export type Columns = Readonly<Record<string, unknown>>;

/** Tables have no objects: there, one is JSON in a cell. */
function objectIn(cell: string): unknown {
  if (!/^\s*\{/.test(cell)) return undefined;
  try {
    return JSON.parse(cell);
  } catch {
    return undefined;
  }
}

/** What a column holds; undefined where there is none. A column whose own name has a dot comes first. */
export function columnAt(row: Columns, path: string): unknown {
  if (Object.hasOwn(row, path)) return row[path];
  let value: unknown = row;
  for (const part of path.split('.')) {
    if (typeof value === 'string') value = objectIn(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Columns)[part];
  }
  return value;
}

/** Names of all columns, those inside of others with dots. */
export function columnNames(row: Columns, inside = 2): string[] {
  return Object.entries(row).flatMap(([name, value]) => {
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value) && inside > 0;
    return nested ? columnNames(value as Columns, inside - 1).map((each) => `${name}.${each}`) : [name];
  });
}

/** What a value is, in a sentence. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
