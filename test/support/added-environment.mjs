// Find a number from 1 to 100 in seven turns; the nearer the last guess, the more of the reward.
export default {
  instructions: 'I think of a number from 1 to 100. Guess it; I say whether it is higher or lower.',
  tools: [
    {
      name: 'guess',
      description: 'Guesses the number.',
      parameters: { type: 'object', properties: { number: { type: 'integer' } }, required: ['number'] },
    },
  ],
  range: [0, 1],
  create() {
    let secret = 0;
    let turns = 0;
    return {
      reset(seed, task) {
        // Numbers that end in 7 are kept for measuring. The same seed and task must give the same world.
        const all = Array.from({ length: 100 }, (_, i) => i + 1);
        const own = all.filter((n) => (n % 10 === 7) === (task.side === 'unseen'));
        secret = own[(seed >>> 0) % own.length];
        turns = 0;
        return 'Which number is it?';
      },
      step(text) {
        const guess = Number(/-?\d+/.exec(text)?.[0] ?? 'NaN');
        turns += 1;
        if (guess === secret) return { observation: 'Yes.', reward: 1, done: true };
        const hint = Number.isNaN(guess) ? 'That is no number.' : guess < secret ? 'Higher.' : 'Lower.';
        return { observation: hint, reward: 0, done: turns === 7, info: { turns } };
      },
    };
  },
};
