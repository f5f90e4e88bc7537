import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type ActionProfile, actionsFile } from '../../server/protocol/actions.ts';
import { likeness, mapOrder, neatness } from '../../webview/actions/code-map.ts';
import { cardsOf, orderedCards } from '../../webview/actions/profile-list.ts';

const columns = 8;

/** A code that writes these tokens, each as often. */
function profile(code: number, ...texts: string[]): ActionProfile {
  const share = 1 / texts.length;
  return {
    code,
    label: `code ${code}`,
    usage: { inverse: 0.1, policy: 0.1 },
    tokens: texts.map((text) => ({ text, share, lift: 2 })),
    contexts: [],
    examples: [],
    forced: { changed: 1, changed_random: 1, fits: 1, fits_random: 0, tokens: [], samples: [] },
    near: [],
  };
}

describe('the map of the codebook', () => {
  it('puts codes that write the same beside each other, and has each once', () => {
    // Four kinds, dealt out in turn.
    const profiles = Array.from({ length: 64 }, (_, code) => profile(code, `kind ${code % 4}`, `own ${code}`));
    const order = mapOrder(profiles, columns);
    assert.deepEqual(
      order.toSorted((a, b) => a - b),
      profiles.map(({ code }) => code),
    );
    const alike = order.filter((code, cell) => (cell + 1) % columns > 0 && order[cell + 1]! % 4 === code % 4).length;
    // Of 56 pairs in rows; dealt out as they were there would be none.
    assert.ok(alike >= 48, `${alike}`);
    assert.deepEqual(mapOrder(profiles, columns), order);
  });

  it('is neater than the codes by number for the model in the box', () => {
    const { codes, actions } = actionsFile.parse(
      JSON.parse(readFileSync(new URL('../../assets/nano/actions.json', import.meta.url), 'utf8')),
    );
    const cards = cardsOf(codes, actions, []);
    const like = likeness(cards.map((card) => card.profile));
    const map = orderedCards(cards, 'effect', columns).map(({ code }) => code);
    const byNumber = cards.map(({ code }) => code);
    assert.ok(neatness(map, columns, like) > 3 * neatness(byNumber, columns, like));
  });

  it('stands for codes of which nothing is known, and for very many', () => {
    assert.deepEqual(mapOrder([null, null, null], columns), [0, 1, 2]);
    assert.deepEqual(mapOrder([], columns), []);
    const many = Array.from({ length: 300 }, (_, code) => profile(code, `kind ${code % 3}`));
    assert.equal(new Set(mapOrder(many, columns)).size, 300);
  });
});
