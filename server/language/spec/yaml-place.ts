/** Which setting of a run spec a place in its text belongs to. Works on text that is being typed. */
import { type Document, isMap, isPair, isScalar, isSeq, type Node, type Pair, visit } from 'yaml';
import { documentIn, parse } from './parsed-text.ts';

export type Path = readonly (string | number)[];

/** A key or a value at a place. */
export interface Place {
  /** To the key, or to the value. */
  readonly path: Path;
  readonly kind: 'key' | 'value';
  /** Offsets of its text. */
  readonly start: number;
  readonly end: number;
}

type Ancestors = readonly (Document | Node | Pair)[];

/** The path of a scalar from its ancestors, outermost first. */
export function pathOf(ancestors: Ancestors, scalar: unknown): Path {
  const path: (string | number)[] = [];
  for (const [i, ancestor] of ancestors.entries()) {
    const below = ancestors[i + 1] ?? scalar;
    if (isPair(ancestor)) path.push(String(isScalar(ancestor.key) ? ancestor.key.value : ancestor.key));
    else if (isSeq(ancestor)) path.push(ancestor.items.indexOf(below));
  }
  return path;
}

/** The key or value whose text an offset lies in or touches. */
export function placeAt(text: string, offset: number): Place | undefined {
  let found: Place | undefined;
  visit(documentIn(text), {
    Scalar(key, scalar, ancestors) {
      const [start, end] = scalar.range ?? [0, 0];
      if (start === end || offset < start || offset > end) return;
      found = { path: pathOf(ancestors, scalar), kind: key === 'key' ? 'key' : 'value', start, end };
    },
  });
  return found;
}

/** Where something can be typed: at a key of the mapping at `path`, or as the value of `path`. */
export interface TypingPlace extends Place {
  /** Keys that stand beside it, where it is a key. */
  readonly siblings: readonly string[];
  /** Whether the value begins on a later line than its key, so that it could be the first key of a mapping. */
  readonly ownLine: boolean;
}

const mark = 'cola_cursor_mark';
/** Nothing that is offered is longer. */
const longestWord = 100;

/** The word at the cursor is replaced by a mark, and the mark looked for in what the parser makes of the text. */
export function typingPlace(text: string, offset: number): TypingPlace | undefined {
  // A word may have a colon inside, as in builtin:nano.
  const before = text.slice(Math.max(0, offset - longestWord), offset);
  const start = offset - (/(?:\w+:)?[\w@.-]+$/.exec(before)?.[0].length ?? 0);
  const end = offset + (/^[\w-]*/.exec(text.slice(offset, offset + longestWord))?.[0].length ?? 0);
  const rest = text.slice(end);
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  // Without something behind it a lone dash or colon would take the next line for its value.
  for (const tail of /^\s*:/.test(rest) ? [''] : ['', ':']) {
    const found = findMark(parse(`${text.slice(0, start)}${mark}${tail}${rest}`));
    if (found === undefined) continue;
    const { path, kind, siblings } = found;
    return { path, kind, siblings, start, end, ownLine: /^[\s-]*$/.test(line) };
  }
  return undefined;
}

function findMark(document: Document.Parsed): Pick<TypingPlace, 'path' | 'kind' | 'siblings'> | undefined {
  let found: Pick<TypingPlace, 'path' | 'kind' | 'siblings'> | undefined;
  visit(document, {
    Scalar(key, scalar, ancestors) {
      if (scalar.value !== mark) return undefined;
      const path = pathOf(ancestors, scalar);
      const map = ancestors.findLast((ancestor) => isMap(ancestor));
      const keys = isMap(map) ? (map.items as Pair[]).map(({ key }) => (isScalar(key) ? String(key.value) : '')) : [];
      const isKey = key === 'key' || path.length === 0;
      found = {
        path: key === 'key' ? path.slice(0, -1) : path,
        kind: isKey ? 'key' : 'value',
        siblings: isKey ? keys.filter((name) => name !== mark) : [],
      };
      return visit.BREAK;
    },
  });
  return found;
}
