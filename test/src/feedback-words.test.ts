import assert from 'node:assert/strict';
import { historyWords, preferenceWords, versionWords } from '../../src/feedback/words.ts';

describe('why a suggestion', () => {
  it('tells what was done with its action, in one and in many', () => {
    assert.equal(historyWords(undefined), 'With you it has no history yet.');
    assert.equal(historyWords({ shown: 0, accepted: 0, rejected: 0 }), 'With you it has no history yet.');
    const words = historyWords({ shown: 2, accepted: 0, rejected: 1 });
    assert.equal(words, 'With you: shown 2 times, accepted 0 times, rejected once.');
  });

  it('names the version in use', () => {
    const original = { version: 'original', pinned: false, acceptance: null };
    assert.equal(versionWords(original), 'Policy original.');
    const tuned = { version: 'v0002', pinned: false, acceptance: 0.414 };
    assert.equal(versionWords(tuned), 'Policy v0002, acceptance 41 % on what was held back.');
  });

  it('names the version that prefers it, where there are several', () => {
    const scores = [
      { version: 'original', probability: 0.25 },
      { version: 'v0001', probability: 0.414 },
    ];
    assert.equal(preferenceWords(scores.slice(0, 1), 'original'), '');
    assert.equal(
      preferenceWords(scores, 'original'),
      'Of 2 versions v0001 prefers this suggestion: it gives its actions 41.4 % each on average, the one in use 25.0 %.',
    );
    assert.equal(
      preferenceWords(scores, 'v0001'),
      'Of 2 versions it is also the one that prefers this suggestion: it gives its actions 41.4 % each on average.',
    );
  });
});
