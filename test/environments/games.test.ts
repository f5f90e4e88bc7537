import assert from 'node:assert/strict';
import type { Game, GameEnvironment, Task } from '../../server/environments/environment.ts';
import { guessTheRule, rules, sideOf } from '../../server/environments/guess-the-rule/guess-the-rule.ts';
import { drawHouse, layoutOf } from '../../server/environments/household/house.ts';
import { household, householdOptions } from '../../server/environments/household/household.ts';
import { taskKinds } from '../../server/environments/household/things.ts';
import { writtenCall } from '../../server/environments/tools.ts';
import { Random } from '../../server/random.ts';

const sides = ['seen', 'unseen'] as const;
const mostSteps = 40;

interface Played {
  readonly lines: readonly string[];
  readonly reward: number;
  readonly steps: number;
  readonly nothings: number;
}

function play(game: Game, seed: number, task: Task, act: (game: Game) => string): Played {
  const lines = [game.reset(seed, task)];
  let reward = 0;
  let nothings = 0;
  for (let steps = 1; steps <= mostSteps; steps++) {
    const action = act(game);
    const result = game.step(action);
    lines.push(action, result.observation);
    reward += result.reward;
    if (result.info.possible === false) nothings++;
    if (result.done) return { lines, reward, steps, nothings };
  }
  return { lines, reward, steps: mostSteps, nothings };
}

const expert = (game: Game) => game.expert();
const atRandom = (random: Random) => (game: Game) => {
  const list = game.possible();
  return list[random.integer(list.length)];
};

for (const environment of [household(), guessTheRule()] satisfies GameEnvironment[]) {
  describe(`the environment ${environment.name}`, function () {
    this.timeout(60_000);
    const seeds = Array.from({ length: 400 }, (_, i) => i);

    for (const side of sides) {
      it(`is solved by its expert in every world, ${side}`, () => {
        let longest = 0;
        for (const seed of seeds) {
          const { reward, steps, lines, nothings } = play(environment.game(), seed, { side }, expert);
          assert.equal(reward, 1, lines.join('\n'));
          assert.equal(nothings, 0);
          longest = Math.max(longest, steps);
        }
        assert(longest < mostSteps, `${longest} steps`);
      });

      it(`is solved by chance in less than one of twenty, ${side}`, () => {
        const random = new Random(5);
        const solved = seeds.filter((seed) => play(environment.game(), seed, { side }, atRandom(random)).reward === 1);
        assert(solved.length / seeds.length < 0.05, `${solved.length} of ${seeds.length}`);
      });
    }

    it('is the same for a seed, whoever played in it before', () => {
      const used = environment.game();
      for (const seed of seeds.slice(0, 40)) {
        const once = play(environment.game(), seed, { side: 'seen' }, expert);
        assert.deepEqual(play(used, seed, { side: 'seen' }, expert), once);
      }
      const first = (seed: number) => play(environment.game(), seed, { side: 'seen' }, expert).lines.join('\n');
      assert(new Set(seeds.slice(0, 20).map(first)).size > 10, 'worlds differ');
    });

    it('answers whatever is written, and ends but once', () => {
      const random = new Random(9);
      const game = environment.game();
      for (const seed of seeds.slice(0, 60)) {
        game.reset(seed, { side: 'unseen' });
        for (let i = 0; i < 30; i++) {
          const known = game.possible();
          const base = known[random.integer(known.length)];
          const at = random.integer(base.length + 1);
          const noise = ['', ' ', '\u0000', '😀', 'x'.repeat(random.integer(50)), '<tool_call>{"name":'];
          const text = base.slice(0, at) + noise[random.integer(noise.length)] + base.slice(at + random.integer(3));
          const { observation, reward, done } = game.step(text);
          assert.equal(typeof observation, 'string');
          assert(Number.isFinite(reward));
          if (!done) continue;
          const again = game.step(text);
          assert.deepEqual([again.reward, again.done], [0, true]);
          break;
        }
      }
    });
  });
}

describe('the household', () => {
  it('has six kinds of task, and each on request', () => {
    for (const kind of taskKinds) {
      for (let seed = 0; seed < 30; seed++) assert.equal(drawHouse(seed, { side: 'seen', kind }).goal.kind, kind);
    }
    const drawn = new Set(Array.from({ length: 200 }, (_, seed) => drawHouse(seed, { side: 'seen' }).goal.kind));
    assert.equal(drawn.size, 6);
  });

  it('has layouts that only the unseen side has', () => {
    const layouts = (side: Task['side']) =>
      new Set(Array.from({ length: 600 }, (_, seed) => layoutOf(drawHouse(seed, { side }))));
    const [seen, unseen] = sides.map(layouts);
    assert(seen.size > 50 && unseen.size > 20, `${seen.size} and ${unseen.size}`);
    for (const layout of unseen) assert(!seen.has(layout));
  });

  it('is never solved from the start', () => {
    for (let seed = 0; seed < 300; seed++) {
      const game = household().game();
      game.reset(seed, { side: 'seen' });
      assert.equal(game.step('look around').done, false);
    }
  });

  it('answers "Nothing happened." to what cannot be done, and changes nothing', () => {
    const game = household().game();
    for (let seed = 0; seed < 100; seed++) {
      game.reset(seed, { side: 'seen' });
      const before = [...game.possible()].sort();
      for (const action of [
        'take apple 1 from fridge 1',
        'put apple 1 in fridge 1',
        'open fridge 1',
        'toggle desklamp',
        'fly',
        '',
      ]) {
        assert.deepEqual(game.step(action), {
          observation: 'Nothing happened.',
          reward: 0,
          done: false,
          info: { possible: false, solved: false },
        });
      }
      assert.deepEqual([...game.possible()].sort(), before);
    }
  });

  it('does whatever it says is possible', () => {
    const random = new Random(2);
    const game = household().game();
    for (let seed = 0; seed < 100; seed++) {
      game.reset(seed, { side: 'unseen' });
      for (let i = 0; i < 30; i++) {
        const list = game.possible();
        const { info, done } = game.step(list[random.integer(list.length)]);
        assert.equal(info.possible, true);
        if (done) break;
      }
    }
  });

  it('takes the action out of thoughts', () => {
    const game = household().game();
    game.reset(3, { side: 'seen' });
    assert.match(game.step('Thought: cold things.\nAction: go to fridge 1').observation, /^You are at fridge 1/);
    assert.match(game.step('First I open it.\n> open fridge 1\n').observation, /^You open fridge 1/);
  });

  it('gives parts of the reward for sub-goals, and 1 in all', () => {
    const game = () => household(householdOptions.parse({ subgoals: true })).game();
    const parts = new Set<number>();
    for (let seed = 0; seed < 100; seed++) {
      const own = game();
      own.reset(seed, { side: 'seen' });
      let sum = 0;
      for (let i = 0; i < mostSteps; i++) {
        const { reward, done } = own.step(own.expert());
        if (reward > 0) parts.add(reward);
        sum += reward;
        if (done) break;
      }
      assert.equal(sum, 1, `seed ${seed}`);
    }
    assert.deepEqual([...parts].sort(), [0.25, 0.5, 0.75]);
  });
});

describe('guess the rule', () => {
  it('has rules on both sides, each on one', () => {
    assert.equal(rules.length, 42);
    for (const side of sides) assert(rules.filter((rule) => sideOf(rule) === side).length >= 6, side);
  });

  it('takes calls of its tools and their short forms, and no other arguments', () => {
    const { tools } = guessTheRule();
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['try', 'answer'],
    );
    assert.deepEqual(tools[0].parameters.required, ['numbers']);
    const game = guessTheRule().game();
    game.reset(1, { side: 'seen' });
    const said = game.step(writtenCall('try', { numbers: [2, 4, 6] })).observation;
    assert.equal(game.step('try 2 4 6').observation, said);
    for (const text of [
      'try 2 4',
      'try 2 4 99',
      'try 1 2 3.5',
      writtenCall('try', { numbers: 'x' }),
      'answer sum blue',
    ])
      assert.equal(game.step(text).info.possible, false, text);
  });
});
