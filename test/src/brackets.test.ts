import assert from 'node:assert/strict';
import fc from 'fast-check';
import { overlap } from '../../src/completion/remainder.ts';

/** What stands there when the completion is accepted. */
const accepted = (before: string, completion: string, rest: string) =>
  before + completion + rest.slice(overlap(completion, rest));

describe('a completion before what the editor has closed by itself', () => {
  for (const [before, completion, rest, after] of [
    ['print(', 'foo(a)', ')', 'print(foo(a))'],
    ['print(', 'foo)', ')', 'print(foo)'],
    ['if (', 'isReady(x)', ') {', 'if (isReady(x)) {'],
    ['f(', 'g(h(1))', ');', 'f(g(h(1)));'],
    ['f(', 'g(h(1)))', ');', 'f(g(h(1)));'],
    ['f(', 'g(h(1)));', ');', 'f(g(h(1)));'],
    ['if (', 'x) {', ') {', 'if (x) {'],
    ['if (', 'x) {', ')', 'if (x) {'],
    ['if (', 'x)', ') {', 'if (x) {'],
    ['f([', '1, [2]', '])', 'f([1, [2]])'],
    ['f([', '1, 2]', '])', 'f([1, 2])'],
    ['f([', '1, 2])', '])', 'f([1, 2])'],
    ['x = [', '1 ]', ' ]', 'x = [1 ]'],
    ['f(', 'a); g(b)', ')', 'f(a); g(b)'],
    ['f(', 'a); g(b', ')', 'f(a); g(b)'],
    ['f(', '(a) => a', ')', 'f((a) => a)'],
    ['f(', '")"', ')', 'f(")")'],
    ['f(', "'a\\')'", ')', "f('a\\')')"],
    ['const x = {', ' a: {} }', '}', 'const x = { a: {} }'],
    ['const { ', 'a, b } = c;', '}', 'const { a, b } = c;'],
    ['f(', '{\n  a: 1\n})', ')', 'f({\n  a: 1\n})'],
    ['f(', '{\n  a: g(1)\n}', ')', 'f({\n  a: g(1)\n})'],
    ['x["', 'a"]', '"]', 'x["a"]'],
    ['x["', 'a', '"]', 'x["a"]'],
    ['["', 'a", "b"]', '"]', '["a", "b"]'],
    ['["', 'a", "b', '"]', '["a", "b"]'],
    ['import x from "', './a";', '"', 'import x from "./a";'],
    ["s = '", "it\\'s'", "'", "s = 'it\\'s'"],
    ["s = '", 'a "b"', "'", 's = \'a "b"\''],
    ['`', 'a #{f("`")} c`', '`', '`a #{f("`")} c`'],
    ['`a #{', 'b}`', '}`', '`a #{b}`'],
    ['`a #{', 'f({})', '}`', '`a #{f({})}`'],
    ['`a #{f(', 'b)} c`', ')}`', '`a #{f(b)} c`'],
    ['new Map<', 'A<B>', '>', 'new Map<A<B>>'],
    ['new Map<', 'string>()', '>', 'new Map<string>()'],
    ['f(', '(a) => a.b > 2', ')', 'f((a) => a.b > 2)'],
    ['f(', 'a < b', ')', 'f(a < b)'],
    // What stands behind the cursor and closes nothing is not touched.
    ['a(', 'b, "c"', ', "d")', 'a(b, "c", "d")'],
    ['x = ', 'a + ', 'b;', 'x = a + b;'],
    ['f("', 'foo")', 'bar")', 'f("foo")bar")'],
  ] as const) {
    it(`makes ${JSON.stringify(after)} of ${JSON.stringify(completion)} before ${JSON.stringify(rest)}`, () => {
      // "#{" stands for what begins an expression in a template.
      const [start, middle, end, whole] = [before, completion, rest, after].map((text) =>
        text.replaceAll('#{', '\u0024{'),
      );
      assert.equal(accepted(start!, middle!, end!), whole);
    });
  }

  /** Code of nested brackets and strings, as pieces of one character or one escape each. */
  const { code } = fc.letrec<{ code: string[]; part: string[] }>((tie) => ({
    part: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(...'ab.,+ ').map((letter) => [letter]),
      fc
        .tuple(fc.constantFrom('()', '[]', '{}'), tie('code'))
        .map(([[open, close], inner]) => [open!, ...inner, close!]),
      fc
        .tuple(
          fc.constantFrom('"', "'"),
          fc.array(fc.constantFrom('a', ')', '(', '{', '\\"', "\\'", ' '), { maxLength: 4 }),
        )
        .map(([quote, inner]) => [quote, ...inner, quote]),
    ),
    code: fc.array(tie('part'), { maxLength: 4 }).map((parts) => parts.flat()),
  }));

  /** What is open behind each piece, outermost first. */
  function openBehind(pieces: readonly string[]): string[][] {
    const open: string[] = [];
    return pieces.map((piece) => {
      const inner = open[open.length - 1];
      if (inner === '"' || inner === "'") {
        if (piece === inner) open.pop();
      } else if (piece === '"' || piece === "'") open.push(piece);
      else if ('([{'.includes(piece)) open.push({ '(': ')', '[': ']', '{': '}' }[piece]!);
      else if (')]}'.includes(piece)) open.pop();
      return [...open];
    });
  }

  it('leaves code that was whole as it was, wherever the cursor stands and however much is completed', () => {
    fc.assert(
      fc.property(code, fc.nat(), fc.nat(), (pieces, a, b) => {
        const open = openBehind(pieces);
        const from = a % (pieces.length + 1);
        const to = from + (b % (pieces.length - from + 1));
        const at = (index: number) => (index === 0 ? [] : open[index - 1]!);
        // The completion leaves nothing open that it opened.
        fc.pre(at(to).length <= Math.min(...Array.from({ length: to - from + 1 }, (_, i) => at(from + i).length)));
        const rest = at(from).toReversed().join('');
        const before = pieces.slice(0, from).join('');
        const completion = pieces.slice(from, to).join('');
        const closed = at(to).toReversed().join('');
        assert.equal(accepted(before, completion, rest), before + completion + closed);
      }),
      { numRuns: 3000 },
    );
  });

  it('replaces only what the editor finds in the completion again, in its order', () => {
    const letters = fc.string({ unit: fc.constantFrom(...'()[]{}"\'`<>;a ,:$\\\n'), maxLength: 12 });
    fc.assert(
      fc.property(letters, letters, (completion, rest) => {
        const count = overlap(completion, rest);
        assert.ok(count >= 0 && count <= rest.length);
        let from = 0;
        for (const character of rest.slice(0, count).replaceAll(/\s/g, '')) {
          from = completion.indexOf(character, from) + 1;
          assert.ok(from > 0, `${character} of ${rest.slice(0, count)}`);
        }
      }),
    );
  });
});
