import assert from 'node:assert/strict';
import { beginningsOf, likeliest, withSaid } from '../../server/completion/beginnings.ts';
import type { Outlook } from '../../server/completion/outlook.ts';
import { type Rivals, voted } from '../../server/completion/vote.ts';

const log = (...p: number[]) => Float32Array.from(p, Math.log);

describe('the next token of a completion', () => {
  // pi = .5, .3, .2: the likeliest actions 0 and 1 lead to tokens 7 and 8, the base would take 9.
  const policy = log(0.5, 0.3, 0.2);
  const rivals = {
    actions: [0, 1],
    tokens: [7, 8],
    baseToken: 9,
    codeLogp: [log(0.8, 0.1, 0.1), log(0.1, 0.6, 0.3)],
  } as const;
  const given = (...base: number[]) => chosen(policy, { ...rivals, baseLogp: log(...base) });
  /** Action and token, and what they were chosen with in thousandths. */
  function chosen(policy: Float32Array, all: Rivals) {
    const { action, token, probability } = voted(policy, all);
    return { action, token, of1000: Math.round(1000 * probability) };
  }

  it('is that of which the base says most, and the actions half as much where the policy is unsure', () => {
    // .5 * (.5 * .8 + .3 * .1) = .215, .5 * (.5 * .1 + .3 * .6) = .115, .5 * (.5 * .1 + .3 * .3) = .07
    // Of all that is given, 1 + .5 * (.5 + .3).
    assert.deepEqual(given(0.3, 0.1, 0.4), { action: 0, token: 7, of1000: 368 }); // .515, .215, .47
    assert.deepEqual(given(0.01, 0.44, 0.45), { action: 1, token: 8, of1000: 396 }); // .225, .555, .52
  });

  it('is the base’s where nobody else says more, with the action that is likeliest behind it', () => {
    // .5 * .1 < .3 * .3
    assert.deepEqual(given(0.1, 0.1, 0.8), { action: 1, token: 9, of1000: 621 }); // .87 of 1.4
  });

  it('counts what both actions give one token', () => {
    const both = { ...rivals, tokens: [7, 7] as const, codeLogp: [log(0.7, 0.7, 0.1), log(0.9, 0.9, 0.1)] as const };
    // .05 + .5 * (.5 * .7 + .3 * .9) = .36 against .35 + .5 * .08
    assert.equal(voted(policy, { ...both, baseLogp: log(0.05, 0.05, 0.35) }).token, 9);
    assert.equal(voted(policy, { ...both, baseLogp: log(0.1, 0.1, 0.35) }).token, 7);
  });

  it('is the policy’s where that is sure: the actions count as much as the base then', () => {
    const sure = { ...rivals, codeLogp: [log(0.9, 0.05, 0.05), log(0.1, 0.6, 0.3)] as const };
    // .1 + .98 * .98 * .9 = .96 against .8
    assert.deepEqual(chosen(log(0.98, 0.01, 0.01), { ...sure, baseLogp: log(0.1, 0.1, 0.8) }), {
      action: 0,
      token: 7,
      of1000: 490,
    });
    // An unsure world model does not decide, however sure the policy is.
    const unsure = { ...rivals, codeLogp: [log(0.4, 0.3, 0.3), log(0.1, 0.6, 0.3)] as const };
    assert.equal(voted(log(0.98, 0.01, 0.01), { ...unsure, baseLogp: log(0.1, 0.1, 0.8) }).token, 9);
  });
});

describe('beginnings of alternatives', () => {
  const outlook = (...p: number[]): Outlook => ({
    policyLogits: log(1),
    nextTokens: Int32Array.of(0),
    logp: log(...p),
    actions: new Int32Array(p.length),
  });
  const texts = ['a', 'b', 'c', 'd'];

  it('are the likeliest that fit, each text once and with all ways to cut it', () => {
    const within = beginningsOf(
      outlook(0.3, 0.2, 0.1, 0.4),
      (token) => texts[token],
      (token) => token !== 3,
    );
    // Behind what was typed, which is half the time complete: .5 * .4 for "b", .5 * .1 for "a".
    const behind = beginningsOf(
      outlook(0.1, 0.4, 0.2, 0.3),
      (token) => texts[token],
      (token) => token < 2,
      Math.log(0.5),
    );
    const found = likeliest([...within, ...behind], 3);
    // b: .2 + .2, a: .3 + .05, c: .1
    assert.deepEqual(
      found.map(({ text }) => text),
      ['b', 'a', 'c'],
    );
    assert.equal(likeliest([...within, ...behind], 2).length, 2);
  });

  it('count by half what other texts say, where these say something', () => {
    const own = outlook(0.5, 0.3, 0.2, 1e-12);
    assert.equal(withSaid(own, undefined), own);
    const counts = new Map([
      [1, 1],
      [3, 3],
    ]);
    const both = withSaid(own, { token: 3, counts, total: 4, elsewhere: new Set([1, 3]) });
    // .25, .15 + .5 / 4, .1, .5 * 3 / 4
    const thousandths = Array.from(both.logp, (x) => Math.round(1000 * Math.exp(x)));
    assert.deepEqual(thousandths, [250, 275, 100, 375]);
    assert.deepEqual([...(both.byTexts ?? [])], [3]);
    // What stands in the text itself is no other text.
    const itself = withSaid(own, { token: 3, counts, total: 4, elsewhere: new Set() });
    assert.deepEqual([itself.logp, itself.byTexts], [both.logp, new Set()]);
  });
});
