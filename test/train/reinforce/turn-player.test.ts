import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ColaModel } from '../../../server/cola/model.ts';
import type { Device } from '../../../server/device/device.ts';
import { openDevice } from '../../../server/device/device.ts';
import type { Environment } from '../../../server/environments/environment.ts';
import { household, householdOptions } from '../../../server/environments/household/household.ts';
import { Subject } from '../../../server/evaluate/subject.ts';
import { turnPlayerOf } from '../../../server/evaluate/turns.ts';
import { reinforceSettings } from '../../../server/spec/settings/reinforcement.ts';
import type { EpisodePlayer } from '../../../server/train/reinforce/turn-player.ts';
import { prepareModules } from '../../../server/train/run/initialise.ts';
import { makeModel, removeFolder, temporaryFolder } from '../../engine/tiny-model.ts';

const { signal } = new AbortController();
const turns = 4;
const task = { seed: 3, side: 'seen' } as const;
const drawn = { seeds: [5, 6, 7], temperature: 1.5, single: false, valued: false, byAction: false };
const likeliest = { ...drawn, seeds: [0], temperature: 0 };

describe('a policy in a world, for a search', function () {
  this.timeout(120_000);
  const environment = household(householdOptions.parse({ kind: 'put', rooms: 2 }));
  let folder: string;
  let device: Device;
  const subjects: Subject[] = [];
  const players: EpisodePlayer[] = [];

  before(async () => {
    folder = await makeModel(await temporaryFolder());
    const cola = await ColaModel.load(folder);
    const settings = reinforceSettings.parse({ environment: 'household', algorithm: 'ppo' });
    const valued = prepareModules({ name: 'reinforce', settings }, cola.base, cola, 5);
    // Codes so long that different actions lead to different tokens.
    const codebook = valued?.weights.get('codebook.weight');
    for (const [i, x] of codebook?.entries() ?? []) codebook![i] = 20 * x;
    await valued?.save(join(folder, 'valued'));
    ({ device } = await openDevice('cpu', { threads: 1 }));
  });
  after(async () => {
    for (const player of players) await player.dispose();
    for (const subject of subjects) subject.dispose();
    await device.dispose();
    await removeFolder(folder);
  });

  const subjectOf = async (decoding: 'actions' | 'tokens', valued = false) => {
    const subject = await Subject.load(device, valued ? join(folder, 'valued') : folder, { decoding });
    subjects.push(subject);
    return subject;
  };
  const playerOf = async (decoding: 'actions' | 'tokens', valued = false, world: Environment = environment) => {
    const player = await turnPlayerOf(await subjectOf(decoding, valued), world, task, { turns, maxNew: 6 }, valued);
    players.push(player);
    return player;
  };

  for (const decoding of ['actions', 'tokens'] as const) {
    it(`goes on behind turns as it would have without a break, by ${decoding}`, async () => {
      const player = await playerOf(decoding);
      const [whole] = await player.play([], likeliest, signal);
      assert.deepEqual([whole!.turns.length, whole!.over], [turns, true]);
      for (const at of [1, 2, 3]) {
        const [rest] = await player.play(whole!.turns.slice(0, at), likeliest, signal);
        assert.deepEqual(rest!.turns, whole!.turns.slice(at));
        assert.equal(
          rest!.generated,
          rest!.turns.reduce((sum, { tokens }) => sum + tokens.length, 0),
        );
      }
    });

    it(`says what was written and what the world says to it, by ${decoding}`, async () => {
      const player = await playerOf(decoding);
      const courses = await player.play([], drawn, signal);
      assert.equal(courses.length, drawn.seeds.length);
      for (const course of courses) {
        const game = environment.game();
        game.reset(task.seed, { side: task.side });
        for (const { said, observation, reward, tokens, actions } of course.turns) {
          const result = game.step(said);
          assert.deepEqual([observation, reward], [result.observation, result.reward]);
          assert.equal(tokens.length, actions.length);
          assert.ok(tokens.length >= 1 && tokens.length <= 6);
          assert.ok(actions.every((action) => action < player.numCodes));
        }
      }
      assert.equal(new Set(courses.map((course) => course.turns.map(({ said }) => said).join())).size, 3);
      assert.deepEqual(await player.play([], drawn, signal), courses, 'the same seeds, the same courses');
      const single = await player.play([], { ...drawn, single: true }, signal);
      assert.deepEqual(
        single.map((course) => [course.turns, course.over]),
        courses.map((course) => [course.turns.slice(0, 1), false]),
      );
      const last = await player.play(courses[0]!.turns.slice(0, turns - 1), { ...drawn, single: true }, signal);
      assert.ok(
        last.every(({ over }) => over),
        'no turn may follow',
      );
    });
  }

  it('begins with different tokens, by the likeliest actions', async () => {
    const player = await playerOf('actions', true);
    const courses = await player.play([], { ...drawn, byAction: true, temperature: 0 }, signal);
    assert.ok(courses.length > 1);
    assert.equal(new Set(courses.map((course) => course.turns[0]!.tokens[0])).size, courses.length);
    const priors = courses.map(({ prior }) => prior!);
    assert.deepEqual(
      priors,
      [...priors].sort((a, b) => b - a),
    );
    assert.ok(priors.reduce((a, b) => a + b, 0) <= 1 + 1e-9);
    const tokens = await (await playerOf('tokens')).play([], { ...drawn, byAction: true }, signal);
    assert.deepEqual(tokens, [], 'there are no actions to begin with');
  });

  it('has values behind the first turn, the same with and without the rest', async () => {
    const player = await playerOf('actions', true);
    assert.equal(player.hasValue, true);
    const whole = await player.play([], { ...drawn, valued: true }, signal);
    const single = await player.play([], { ...drawn, valued: true, single: true }, signal);
    for (const [i, { value, generated, turns: own }] of single.entries()) {
      assert.ok(Number.isFinite(value));
      assert.ok(Math.abs(value! - whole[i]!.value!) < 1e-4);
      assert.equal(generated, own[0]!.tokens.length + 1);
    }
    assert.equal((await playerOf('actions')).hasValue, false);
  });

  it('notices a world that does not answer the same to the same, and refuses one that cannot', async () => {
    let episodes = 0;
    const fickle: Environment = {
      ...environment,
      open() {
        const world = environment.open();
        const salt = episodes++;
        return {
          ...world,
          step: async (text) => ({ ...(await world.step(text)), observation: `It is day ${salt}.` }),
        };
      },
    };
    const player = await playerOf('actions', false, fickle);
    const [course] = await player.play([], likeliest, signal);
    const [again] = await player.play(course!.turns.slice(0, 1), likeliest, signal);
    assert.match(again!.failed!, /did not answer the same to the same: turn 1/);
    const subject = await subjectOf('actions');
    await assert.rejects(turnPlayerOf(subject, { ...environment, repeats: false }, task, { turns, maxNew: 6 }, false), {
      id: 'environment.unrepeatable',
    });
  });
});
