import assert from 'node:assert/strict';
import { followsOf, nameIn, rowGroups } from '../../src/completion/follows.ts';

describe('what an action would write', () => {
  const is = (text: string, before = '', language = 'typescript') => followsOf(text, before, language);

  it('is told from its beginning', () => {
    assert.equal(is('const total = 0;'), 'declaration');
    assert.equal(is('return items;'), 'statement');
    assert.equal(is('console.log(total)'), 'call');
    assert.equal(is('new Map()'), 'value');
    assert.equal(is('total += item;'), 'name');
    assert.equal(is('"text"'), 'value');
    assert.equal(is('}\n'), 'end');
    assert.equal(is(''), 'end');
    assert.equal(is('// sums'), 'comment');
    assert.equal(is('=> x'), 'other');
    assert.equal(is('# sums', '', 'python'), 'comment');
    assert.equal(is('#field = 1'), 'other');
  });

  it('goes on from the word and the line at the cursor', () => {
    assert.equal(is('m(items)', '  return su'), 'call');
    assert.equal(is('t total = 0;', '  cons'), 'declaration');
    assert.equal(is('of all items', '  // the sum '), 'comment');
    assert.equal(is('delete(key)', 'map.'), 'call', 'a member may be called like a word of the language');
    assert.equal(is(' total', 'const'), 'name', 'a blank ends the word');
    assert.equal(nameIn('m(items)', '  return su'), 'sum');
    assert.equal(nameIn('.length', 'items'), 'length');
    assert.equal(is('(items)', 'return sum'), 'call');
    assert.equal(is('.map(x)', 'items'), 'call');
    assert.equal(nameIn('.length;', 'items '), 'length');
    assert.equal(nameIn('+ 1', 'a '), undefined);
  });

  it('puts rows of a kind together, the likeliest first', () => {
    const row = (action: number, text: string, probability: number) => ({
      preview: { action, label: null, probability, text, like: action },
      probability,
      others: [],
    });
    const rows = [row(1, 'f(x)', 0.5), row(2, 'const a', 0.3), row(3, 'g()', 0.1), row(4, 'let b', 0.1)];
    assert.deepEqual(
      rowGroups(rows, '', 'typescript').map(({ follows, rows: own }) => [
        follows,
        ...own.map(({ preview }) => preview.action),
      ]),
      [
        ['call', 1, 3],
        ['declaration', 2, 4],
      ],
    );
  });
});
