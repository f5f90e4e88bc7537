import assert from 'node:assert/strict';
import { escaped } from '../../src/markdown.ts';
import { searchName, searchTitle } from '../../src/search-name.ts';

describe('words in lists and hovers', () => {
  it('keep their spaces where Markdown is expected, and no Markdown of theirs counts', () => {
    assert.equal(escaped('no Vulkan driver, not *one* $(x)'), 'no Vulkan driver, not &#42;one&#42; &#36;&#40;x&#41;');
  });

  it('call a search by what it begins from, and by its time where that has no words', () => {
    const begun = new Date(2026, 0, 2, 3, 4, 5);
    const name = searchName('  const total = items', begun);
    assert.equal(name, '2026-01-02-030405-const-total-items');
    assert.equal(searchTitle(name), 'const total items');
    assert.equal(searchTitle(searchName('=', begun)), '2026-01-02-030405');
    assert.equal(searchTitle('page'), 'page');
  });
});
