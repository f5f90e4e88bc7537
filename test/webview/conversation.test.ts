import assert from 'node:assert/strict';
import type { PlayState } from '../../server/protocol/play.ts';
import { rewardText, shownPlay, shownSample, sumWords } from '../../webview/conversation/words.ts';

const sample = {
  ...{ step: 3, stage: 'reinforce', prompt: 'You are in a house.\n> ', completion: '', tokens: 9 },
  actions: [5, 6, 7, 8, 9],
  reward: 1,
};
const state: PlayState = {
  ...{ environment: 'household', seed: 1, side: 'seen', told: '', start: 'You are in a house.', draft: [] },
  ...{ possible: null, expert: false, back: false, decoding: 'actions', failure: null, ended: null },
  labels: ['zero', null],
  turns: [
    { by: 'you', said: 'go', tokens: [], observation: 'Gone.', reward: 0.25 },
    {
      by: 'model',
      said: 'take',
      tokens: [{ text: 'take', action: 0, probability: 0.5 }, { text: '\n' }],
      observation: null,
      reward: 0,
    },
  ],
};

describe('the words of a conversation', () => {
  it('give every turn of a sample the actions that wrote it', () => {
    const turns = [
      { said: 'go', observation: 'Gone.', reward: 0, end: 2 },
      { said: 'take', observation: 'Taken.', reward: 1, end: 5 },
    ];
    const shown = shownSample({ ...sample, turns, ended: 'done' });
    assert.deepEqual(
      shown.turns.map(({ actions }) => actions),
      [
        [5, 6],
        [7, 8, 9],
      ],
    );
    assert.equal(shown.end, 'The environment ended the episode.');
    assert.equal(sumWords(shown), '2 turns · reward 1');
  });

  it('say why an episode has no more turns, and why it was not judged', () => {
    const turns = [{ said: 'go', observation: null, reward: 0, end: 0 }];
    const ends = (['done', 'turns', 'tokens'] as const).map((ended) => shownSample({ ...sample, turns, ended }).end);
    assert.equal(new Set(ends).size, 3);
    const { reward: _, ...unjudged } = sample;
    const failed = shownSample({ ...unjudged, actions: [], turns, ended: 'failed', noScore: 'It hung.' });
    assert.match(failed.end, /left out\. It hung\.$/);
    assert.ok(failed.bad);
  });

  it('say who wrote a turn, with labels of the actions, and leave out tokens without one', () => {
    const shown = shownPlay(state);
    assert.deepEqual(
      shown.turns.map(({ who }) => who),
      ['You', 'Model'],
    );
    const [{ token, label, probability }, ...others] = shown.turns[1].tokens;
    assert.deepEqual([token, label, probability, others.length], ['take', 'zero', 0.5, 0]);
    assert.equal(shown.end, '');
    assert.equal(sumWords(shown), '2 turns · reward 0.25');
    assert.match(
      shownPlay({ ...state, ended: 'failed', failure: 'It ended.' }).end,
      /^There was no answer\. It ended\.$/,
    );
  });

  it('round rewards, and know those that are none', () => {
    assert.deepEqual([1 / 3, 0, -1, null].map(rewardText), ['0.333', '0', '-1', 'none']);
  });
});
