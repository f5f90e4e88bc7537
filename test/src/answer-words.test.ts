import assert from 'node:assert/strict';
import type { Alternative } from '../../server/protocol/index.ts';
import { alternativesMarkdown, stripMarkdown } from '../../src/chat/answer-words.ts';

const alternative = (index: number, actions: readonly number[], texts: readonly string[]): Alternative => ({
  text: texts.join(''),
  tokens: texts.map((text, i) => ({
    id: i,
    text,
    action: actions[i] ?? 0,
    label: i === 0 ? 'a *label*' : null,
    probability: 0.25,
    prior: 0.25,
    runnerUp: null,
  })),
  finish: 'end',
  source: { completion: 'c', index },
});

describe('an answer in the chat', () => {
  it('shows the action behind each token, and no Markdown of the model in it', () => {
    const strip = stripMarkdown(alternative(0, [17, 4], ['3 ', '*x*\n']));
    assert.equal(strip, '**Actions** `3·`₁₇ `*x*⏎`₄');
    assert.equal(stripMarkdown(alternative(0, [0], ['a``b`'])), '**Actions** ``` a``b` ```₀');
    const long = stripMarkdown(
      alternative(
        0,
        [],
        Array.from({ length: 70 }, () => 'a'),
      ),
    );
    assert.match(long, / … 10 more$/);
  });

  it('lists the other beginnings with their action, and a link that takes one', () => {
    assert.equal(alternativesMarkdown([alternative(0, [1], ['a'])]), '');
    const text = alternativesMarkdown([alternative(0, [1], ['a']), alternative(1, [5], ['b'])]);
    assert.match(text, /- \*\*5 a &#42;label&#42;\*\* 25 % b \[Take\]\(command:cola\.judgeAnswer\?/);
    const [, argument = ''] = /judgeAnswer\?([^)]+)\)/.exec(text) ?? [];
    assert.deepEqual(JSON.parse(decodeURIComponent(argument)), [{ verdict: 'taken', completion: 'c', index: 1 }]);
  });
});
