import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fillMarks, promptTokens } from '../../server/completion/prompt.ts';
import { endOfBlock, endOfLine, endOfSense } from '../../server/completion/stop.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { resolvePath } from '../../server/spec/paths.ts';

const line = (text: string) => {
  const cut = endOfLine(text);
  return cut === undefined ? undefined : text.slice(0, cut.length);
};
const block = (prefix: string, text: string) => {
  const cut = endOfBlock(prefix, text);
  return cut === undefined ? undefined : text.slice(0, cut.length);
};

describe('the end of what makes sense', () => {
  const kept = (...pieces: string[]) => {
    const ids = pieces.map((piece) => pieces.indexOf(piece));
    const n = endOfSense(ids, pieces);
    return n === undefined ? undefined : pieces.slice(0, n).join('');
  };

  it('is behind the first of three that are the same', () => {
    assert.equal(kept('is', '-', 'levels', '-', 'levels', '-', 'levels'), 'is-levels');
    assert.equal(kept('{ a: 0', ', b', ': 0', ', b', ': 0', ', b', ': 0'), '{ a: 0, b: 0');
    assert.equal(kept('x', 'x', 'x', 'x', 'x', 'x'), 'xx');
    assert.equal(kept('/', '..', '/', '..', '/', '..'), '/..');
  });

  it('is not there while it may still be meant: twice, a short one, a ruler, indentation', () => {
    assert.equal(kept('-', 'levels', '-', 'levels'), undefined);
    assert.equal(kept('0', '0', '0'), undefined);
    assert.equal(kept(...Array(30).fill('--')), undefined);
    assert.equal(kept(...Array(30).fill('    ')), undefined);
  });
});

describe('the end of a line', () => {
  it('is before the break behind something visible', () => {
    assert.equal(line('a + b;'), undefined);
    assert.equal(line('a + b;\n'), 'a + b;');
    assert.equal(line('a + b;\r\nc'), 'a + b;');
    assert.equal(line('\n  return 1;\n}'), '\n  return 1;');
    assert.equal(line('\n\n  '), undefined);
  });
});

describe('the end of a block', () => {
  it('includes the bracket that closes it', () => {
    assert.equal(block('function f() {', '\n  return 1;\n}\nconst x'), '\n  return 1;\n}');
    assert.equal(block('function f() {', '\n  return 1;\n}'), undefined, 'more may follow the bracket');
    assert.equal(block('  if (a) {', '\n    b();\n  });\n  c();'), '\n    b();\n  });');
  });

  it('is before a line that is indented less', () => {
    assert.equal(block('  a();', '\n  b();\n}\n'), '\n  b();');
    assert.equal(block('def f():', '\n    return 1\nprint()'), '\n    return 1');
  });

  it('is before a line at the same depth behind a blank one', () => {
    assert.equal(block('a();', '\nb();\n\nc();'), '\nb();');
    assert.equal(block('a();', '\nb();\nc()'), undefined);
    assert.equal(block('a();', '\nb();\n\n  '), undefined, 'the depth of the last line is not seen yet');
  });

  it('never takes anything back once it is found', () => {
    const lines = fc.array(fc.constantFrom('', 'a();', '  b();', '    c();', '}', '  }', '\t d'), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom('', 'x', '  x {', '\ty'), lines, fc.nat(60), (prefix, after, more) => {
        const text = `\n${after.join('\n')}`;
        const early = endOfBlock(prefix, text.slice(0, more));
        if (early !== undefined) assert.deepEqual(endOfBlock(prefix, text), early);
      }),
    );
  });
});

describe('the prompt of a place', () => {
  const tokenizer = loadTokenizer(resolvePath('builtin:nano', ''));
  const marks = fillMarks(tokenizer);

  it('fits, ends with the text before the cursor, and is never empty', () => {
    const word = fc.constantFrom('const ', 'a', ' = ', '\n', '😀', 'function ', '  ');
    const text = fc.array(word, { maxLength: 400 }).map((words) => words.join(''));
    fc.assert(
      fc.property(text, text, fc.integer({ min: 1, max: 300 }), fc.boolean(), (prefix, suffix, room, fill) => {
        const { tokens } = promptTokens(tokenizer, marks, { prefix, suffix, fill }, room);
        assert.ok(tokens.length >= 1 && tokens.length <= Math.max(room, 1 + 3), `${tokens.length} in ${room}`);
        const plain = promptTokens(tokenizer, undefined, { prefix, suffix, fill }, room).tokens;
        const decoded = tokenizer.decode(plain, { skipSpecialTokens: true });
        if (prefix !== '') assert.ok(prefix.endsWith(decoded) || decoded.includes('\ufffd'));
      }),
      { numRuns: 60 },
    );
  });

  it('begins alike from one keystroke to the next, in a long document too', () => {
    const document = Array.from({ length: 3000 }, (_, i) => `const value${i} = ${i};`).join('\n');
    let alike = 0;
    for (let typed = 0; typed < 50; typed++) {
      const at = (end: number) =>
        promptTokens(tokenizer, undefined, { prefix: document.slice(0, end), suffix: '', fill: false }, 500).tokens;
      const [before, after] = [at(40_000 + typed), at(40_001 + typed)];
      if (before[0] === after[0] && before[50] === after[50] && Math.abs(before.length - after.length) < 5) alike++;
    }
    assert.ok(alike >= 48, `${alike} of 50`);
  });

  it('puts what follows the cursor between the marks', () => {
    assert.ok(marks !== undefined);
    const { tokens } = promptTokens(tokenizer, marks, { prefix: 'a = ', suffix: ';\nb();', fill: true }, 100);
    const text = tokenizer.decode(tokens, { skipSpecialTokens: false });
    assert.equal(text, '<|fim_prefix|>a = <|fim_suffix|>;\nb();<|fim_middle|>');
  });
});
