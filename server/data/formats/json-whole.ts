/** Files of one JSON object in which rows do not stand in a list of their own: columns beside each other, rows by their names. */
import { deeperThan } from '../../files/json-depth.ts';
import type { Columns } from '../../schemas/columns.ts';
import { utf8Of } from '../bytes.ts';
import { messagesFrom } from '../conversation.ts';
import { dataErrors } from '../errors.ts';
import { deepest, mostColumns } from '../row-object.ts';
import { recognise } from '../shapes.ts';

/** Bytes of a file that is read as a whole. */
const most = 256 * 1024 * 1024;
/** How deep a list of rows may be hidden in objects. */
const hidden = 3;

const isObject = (value: unknown): value is Columns =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isObjects = (value: unknown): value is Columns[] =>
  Array.isArray(value) && value.length > 0 && value.every(isObject);
const numbered = (value: Columns): boolean => Object.keys(value).every((key) => /^\d+$/.test(key));

/** Lists of equal length, one for each column: what `to_dict` gives. */
function besideEachOther(value: Columns): Columns[] | undefined {
  const columns = Object.entries(value);
  const lists = columns.flatMap(([, list]) => (Array.isArray(list) ? [list as unknown[]] : []));
  const [first] = lists;
  if (lists.length < columns.length || first === undefined || first.length === 0) return undefined;
  // One list of objects holds rows, and no column of them.
  if (lists.length === 1 && isObjects(first)) return undefined;
  if (lists.some((list) => list.length !== first.length)) return undefined;
  return first.map((_, i) => Object.fromEntries(columns.map(([name], column) => [name, lists[column][i]])));
}

/** Names of columns and rows as lists of values: `to_json(orient="split")` of pandas. */
function splitUp({ columns, data }: Columns): Columns[] | undefined {
  if (!Array.isArray(columns) || !Array.isArray(data)) return undefined;
  if (!columns.every((name) => typeof name === 'string')) return undefined;
  if (!data.every((row) => Array.isArray(row) && row.length === columns.length)) return undefined;
  return data.map((row: unknown[]) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
}

/** Rows under their names, or the values of each column under the names of their rows, as pandas has both. */
function byName(value: Columns): Columns[] | undefined {
  const inner = Object.values(value);
  if (!inner.every(isObject)) return undefined;
  // One object alone is a row only where it looks like one.
  if (inner.length === 0 || (inner.length === 1 && recognise(inner[0]) === undefined)) return undefined;
  if (numbered(value) || !inner.every(numbered)) return inner;
  const names = Object.keys(inner[0]);
  // All columns have the rows of the first: names of its own in each would make a table as large as the square of the file.
  if (inner.some((list) => Object.keys(list).length !== names.length)) return undefined;
  return names.map((name) =>
    Object.fromEntries(Object.entries(value).map(([column, list]) => [column, (list as Columns)[name]])),
  );
}

/** The rows of an object, `undefined` where it has none. */
function rowsIn(value: unknown, left = hidden): readonly unknown[] | undefined {
  if (!isObject(value)) return undefined;
  if (messagesFrom(value.messages ?? value.conversations) !== undefined) return [value];
  const inner = Object.values(value);
  const lists = inner.filter(isObjects);
  const one = splitUp(value) ?? besideEachOther(value) ?? (lists.length === 1 ? lists[0] : undefined);
  if (one !== undefined) return one;
  const objects = inner.filter(isObject);
  if (objects.length === 1 && left > 0) {
    const found = rowsIn(objects[0], left - 1);
    if (found !== undefined) return found;
  }
  return byName(value) ?? (recognise(value) === undefined ? undefined : [value]);
}

/**
 * The rows of a file that is one object; `undefined` where nothing in it looks like rows.
 * Throws `data.tooLarge`, `data.tooDeep`, `data.tooManyColumns`, `data.brokenJson`.
 */
export async function readWhole(file: string): Promise<readonly unknown[] | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of utf8Of(file)) {
    size += part.length;
    if (size > most) throw dataErrors.tooLarge(file, most);
    parts.push(part);
  }
  const text = Buffer.concat(parts)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  if (deeperThan(text, deepest)) throw dataErrors.tooDeep(file, 1, deepest);
  let rows: readonly unknown[] | undefined;
  try {
    rows = rowsIn(JSON.parse(text));
  } catch (cause) {
    throw dataErrors.brokenJson(file, 1, cause);
  }
  const wide = rows?.findIndex((row) => isObject(row) && Object.keys(row).length > mostColumns) ?? -1;
  if (wide >= 0) throw dataErrors.tooManyColumns(file, wide + 1, mostColumns);
  return rows;
}
