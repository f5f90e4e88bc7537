import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { fillMarks, promptTokens } from '../../server/completion/prompt.ts';
import type { Row } from '../../server/data/rows.ts';
import { encodeRow } from '../../server/data/token-cache.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';

const tokenizer = loadTokenizer(fileURLToPath(new URL('../../assets/nano/', import.meta.url)));
const marks = fillMarks(tokenizer);
const middle = marks?.middle ?? -1;
const mention = "const mark = '<|fim_middle|>'; // <|end|>";
const special = (ids: ArrayLike<number>) => Array.from(ids).filter((id) => tokenizer.specialIds.has(id));

describe('a control token that a document mentions', () => {
  it('is text before and behind the place of a completion', () => {
    assert.ok(middle >= 0);
    const place = { prefix: `${mention}\nlet x = `, suffix: `;\n${mention}\n`, fill: true };
    const { tokens } = promptTokens(tokenizer, marks, place, 400);
    // The marks of the prompt itself, each once, and what the tokenizer puts before every text.
    const around = [marks?.prefix, marks?.suffix, middle];
    assert.deepEqual(special(tokens).slice(-3), around);
    assert.equal(special(tokens).length, 3 + tokenizer.encode('').length);
    const plain = promptTokens(tokenizer, marks, { ...place, suffix: '' }, 400).tokens;
    assert.equal(tokenizer.decode(plain, { skipSpecialTokens: true }), place.prefix);
  });

  it('is text in rows to learn from, unless they say otherwise', () => {
    const rows: Row[] = [
      { kind: 'text', text: mention, columns: {} },
      { kind: 'prompt', prompt: mention, response: mention, columns: {} },
    ];
    for (const row of rows) {
      assert.deepEqual(special(encodeRow(row, tokenizer).ids), []);
      const marked = encodeRow({ ...row, columns: { control_tokens: true } }, tokenizer).ids;
      assert.ok(special(marked).includes(middle));
      assert.equal(tokenizer.decode(marked), tokenizer.decode(encodeRow(row, tokenizer).ids));
    }
  });
});
