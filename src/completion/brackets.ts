/**
 * Brackets and quotes of one piece of code at the cursor, matched by nesting. It is no parser: it knows strings, templates and
 * escapes, and what it cannot know, where a string begins before the cursor, it takes from what closes behind it.
 */

const closerOf: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' };
const closers = new Set([')', ']', '}']);
const quotes = new Set(['"', "'", '`']);

const isEscaped = (text: string, at: number) => (/\\+$/.exec(text.slice(0, at))?.[0].length ?? 0) % 2 === 1;

/** A bracket or quote that closes what was open before. */
export interface Closer {
  readonly character: string;
  readonly at: number;
}

export interface Nesting {
  /** What closes, innermost first. */
  readonly closed: readonly Closer[];
  /** What still has to close what was opened here, innermost first. */
  readonly open: readonly string[];
}

/**
 * What stands behind the cursor and closes what is open there.
 *
 * @param rest of the line
 */
export function closersIn(rest: string): readonly Closer[] {
  // A quote of which an odd number follows closes a string that is open.
  const closes = (at: number) => rest.slice(at).split(rest[at]).length % 2 === 0;
  return nestingOf(rest, undefined, closes).closed;
}

/**
 * @param expected what closes what is open around the text, innermost first; undefined where that is asked for
 * @param closes whether a quote outside of what was opened here closes a string
 */
export function nestingOf(
  text: string,
  expected: readonly string[] | undefined,
  closes: (at: number) => boolean = () => false,
): Nesting {
  const open: string[] = [];
  const closed: Closer[] = [];
  // Elsewhere "<" and ">" compare.
  const angles = expected === undefined ? /^[)\]}"'`]*>/.test(text) : expected.includes('>');
  const close = (at: number) => {
    if (expected !== undefined && expected[closed.length] !== text[at]) return false;
    closed.push({ character: text[at], at });
    return true;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    const inner = open[0] ?? expected?.[closed.length];
    if (inner !== undefined && quotes.has(inner)) {
      if (inner === '`' && text.startsWith('${', at)) {
        open.unshift('}');
        at++;
      } else if (character === inner && !isEscaped(text, at)) {
        if (open.length > 0) open.shift();
        else close(at);
      }
    } else if (quotes.has(character)) {
      if (open.length === 0 && closes(at)) close(at);
      else open.unshift(character);
    } else if (closerOf[character] !== undefined && (character !== '<' || (angles && /\w$/.test(text.slice(0, at))))) {
      open.unshift(closerOf[character]);
    } else if (closers.has(character) || (character === '>' && angles && !/[=\-\s]$/.test(text.slice(0, at)))) {
      const own = open.indexOf(character);
      if (own >= 0) open.splice(0, own + 1);
      // It closes something else, further out: all that follows is no longer at this place.
      else if (!close(at)) return { closed, open };
    }
  }
  return { closed, open };
}
