import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gameOf } from '../../server/environments/registry.ts';
import type { ParamsOf } from '../../server/protocol/channel/request.ts';
import {
  closePlay,
  openPlay,
  type PlayProgress,
  type PlayToken,
  pickAlternative,
  playAlternatives,
  readPlay,
  restartPlay,
  takeTurn,
  turnBack,
} from '../../server/protocol/play.ts';
import { eventually } from '../e2e/support/eventually.ts';
import { type EngineLine, engineLine } from '../support/engine-line.ts';
import { makeModel } from './tiny-model.ts';

/** Answers once, says who it is, and then never again. */
const slow = `import { writeFileSync } from 'node:fs';
export default { instructions: 'Wait.', create() {
  return {
    reset() { writeFileSync(new URL('pid', import.meta.url), String(process.pid)); return 'Go.'; },
    step(text) { return text === 'hang' ? new Promise(() => {}) : { observation: 'Fine.', reward: 0.5, done: false }; },
  };
} };`;

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Probabilities of several alternatives together have other last digits. */
const choices = (tokens: readonly PlayToken[]) => tokens.map(({ action, text }) => [action, text]);

describe('an episode that is played in the engine', function () {
  this.timeout(120_000);
  let line: EngineLine;
  let root = '';
  let model = '';

  before(async () => {
    line = engineLine();
    root = mkdtempSync(join(tmpdir(), 'cola-play-'));
    model = await makeModel(join(root, 'model'));
    cpSync(join(import.meta.dirname, '../support/added-environment.mjs'), join(root, 'number.mjs'));
    writeFileSync(join(root, 'slow.mjs'), slow);
    const stage = 'tokens: { environment: { household: { kind: put, rooms: 2, rules: false } }, steps: 1 }';
    writeFileSync(join(root, 'agent.cola.yaml'), `model: builtin:nano\nstages:\n  - ${stage}\n`);
  });
  after(async () => {
    await line.engine.close();
    rmSync(root, { recursive: true });
  });

  const open = (play: string, setup: Partial<ParamsOf<typeof openPlay>>, progress?: (told: PlayProgress) => void) => {
    const usual = { root, environment: 'household', seed: 3, side: 'seen' as const, model: null, device: 'cpu' };
    return line.channel.ask(openPlay, { play, ...usual, ...setup }, { progress });
  };
  const type = (play: string, text: string) => line.channel.ask(takeTurn, { play, by: 'you', text });

  it('is won by the steps of the player who knows how, and is over then', async () => {
    let state = await open('expert', {});
    const game = gameOf('household').game();
    assert.equal(state.start, game.reset(3, { side: 'seen' }));
    assert.deepEqual([state.expert, state.decoding, state.back, state.turns.length], [true, null, false, 0]);
    assert.ok(state.possible?.every((step) => step.startsWith('go to ')));
    while (state.ended === null) state = await line.channel.ask(takeTurn, { play: 'expert', by: 'expert' });
    assert.equal(state.ended, 'done');
    assert.equal(
      state.turns.reduce((sum, { reward }) => sum + reward, 0),
      1,
    );
    await assert.rejects(type('expert', 'go to bed 1'), { id: 'engine.playOver' });
    assert.deepEqual(await line.channel.ask(readPlay, { play: 'expert' }), state);
  });

  it('goes a turn back to where the same steps lead, and begins again in the same world or another', async () => {
    const first = await open('back', {});
    const [go] = first.possible ?? [];
    const once = await type('back', go);
    const twice = await type('back', 'sing');
    assert.equal(twice.turns[1].observation, 'Nothing happened.');
    assert.deepEqual(await line.channel.ask(turnBack, { play: 'back' }), once);
    assert.deepEqual(await line.channel.ask(turnBack, { play: 'back' }), first);
    await type('back', go);
    assert.deepEqual(await line.channel.ask(restartPlay, { play: 'back', seed: 3, side: 'seen' }), first);
    const other = await line.channel.ask(restartPlay, { play: 'back', seed: 3, side: 'unseen' });
    assert.notEqual(other.start, first.start);
  });

  it('takes the environment that a spec has, and one of a module, which says no more than it does', async () => {
    const spec = await open('spec', { environment: 'agent.cola.yaml' });
    assert.equal(spec.told, '');
    const module = await open('module', { environment: 'number.mjs' });
    assert.match(module.told, /Guess it[\s\S]*"name":"guess"/);
    assert.deepEqual([module.possible, module.expert, module.back], [null, false, false]);
    const after = await type('module', '50');
    assert.match(after.turns[0].observation ?? '', /Higher|Lower|Yes/);
    assert.equal(after.back, false);
    await line.channel.ask(closePlay, { play: 'module' });
  });

  it('ends the process of its environment when it is closed, also while it hangs', async () => {
    await open('slow', { environment: 'slow.mjs' });
    const pid = Number(readFileSync(join(root, 'pid'), 'utf8'));
    assert.equal((await type('slow', 'hello')).turns[0].reward, 0.5);
    assert.ok(alive(pid));
    const hanging = type('slow', 'hang');
    await new Promise((resolve) => setImmediate(resolve));
    await line.channel.ask(closePlay, { play: 'slow' });
    assert.equal((await hanging).ended, 'failed');
    await eventually('its process ends', async () => assert.equal(alive(pid), false));
    await assert.rejects(type('slow', 'hello'), { id: 'engine.noPlay' });
  });

  it('does not wait for an answer that the person breaks off, and can begin again', async () => {
    await open('broken', { environment: 'slow.mjs' });
    const stop = new AbortController();
    const hanging = line.channel.ask(takeTurn, { play: 'broken', by: 'you', text: 'hang' }, { signal: stop.signal });
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error('enough'));
    await assert.rejects(hanging, /enough/);
    const state = await line.channel.ask(readPlay, { play: 'broken' });
    assert.deepEqual([state.ended, state.turns[0].observation], ['failed', null]);
    assert.match(state.failure ?? '', /not waited for/);
    const again = await line.channel.ask(restartPlay, { play: 'broken', seed: 4, side: 'seen' });
    assert.deepEqual([again.ended, again.turns.length, again.start], [null, 0, 'Go.']);
    await line.channel.ask(closePlay, { play: 'broken' });
  });

  it('says when a conversation is too long for its model, and goes on without it', async () => {
    const long = { environment: 'household', seed: 1, model: 'builtin:nano' };
    await open('long', long);
    let state = await line.channel.ask(readPlay, { play: 'long' });
    for (let i = 0; i < 12; i++) state = await type('long', `say ${'a long word '.repeat(20)}`);
    assert.equal(state.ended, null);
    await assert.rejects(line.channel.ask(takeTurn, { play: 'long', by: 'model' }), { id: 'engine.playFull' });
    await assert.rejects(line.channel.ask(playAlternatives, { play: 'long' }), { id: 'engine.playFull' });
    assert.equal((await type('long', 'sing')).turns.length, 13);
    await line.channel.ask(closePlay, { play: 'long' });
  });

  it('refuses what is no environment, and more episodes than there is room for', async () => {
    await assert.rejects(open('none', { environment: 'nowhere' }), { id: 'environment.unknown' });
    await assert.rejects(open('none', { model: join(root, 'nothing') }));
    await assert.rejects(line.channel.ask(readPlay, { play: 'none' }), { id: 'engine.noPlay' });
    const made: string[] = [];
    await assert.rejects(
      async () => {
        for (let i = 0; i < 20; i++) {
          await open(`many-${i}`, { environment: 'guess-the-rule' });
          made.push(`many-${i}`);
        }
      },
      { id: 'engine.playsOpen' },
    );
    for (const play of made) await line.channel.ask(closePlay, { play });
  });

  for (const [decoding, folder] of [
    ['actions', () => model],
    ['tokens', () => join(root, 'base')],
  ] as const) {
    it(`lets a model that chooses ${decoding} take the turn, as far as it is told token by token`, async () => {
      if (decoding === 'tokens') {
        cpSync(model, folder(), { recursive: true, filter: (file) => !/cola\.|actions/.test(file) });
      }
      const told: PlayProgress[] = [];
      const name = `model-${decoding}`;
      const state = await open(name, { environment: 'agent.cola.yaml', model: folder() }, (each) => told.push(each));
      assert.deepEqual(
        told.map(({ waits }) => waits),
        ['environment', 'model'],
      );
      assert.equal(state.decoding, decoding);
      const tokens: string[] = [];
      const progress = ({ token }: PlayProgress) => void (token !== undefined && tokens.push(token.text));
      const after = await line.channel.ask(takeTurn, { play: name, by: 'model' }, { progress });
      const [turn] = after.turns;
      assert.equal(turn.by, 'model');
      assert.equal(turn.tokens.length, tokens.length);
      assert.equal(
        turn.tokens
          .map(({ text }) => text)
          .join('')
          .trim(),
        turn.said,
      );
      assert.equal(turn.tokens[0].action !== undefined, decoding === 'actions');
      // What it has read goes back with the turn, so that it writes the same again.
      await line.channel.ask(turnBack, { play: name });
      const again = await line.channel.ask(takeTurn, { play: name, by: 'model' });
      assert.deepEqual(again, after);
      // And behind a turn of the person, as if all had been read at once.
      const typed = await type(name, 'go to bed 1');
      const next = await line.channel.ask(takeTurn, { play: name, by: 'model' });
      await open(`${name}-fresh`, { environment: 'agent.cola.yaml', model: folder() });
      await line.channel.ask(takeTurn, { play: `${name}-fresh`, by: 'model' });
      assert.deepEqual(await type(`${name}-fresh`, 'go to bed 1'), typed);
      assert.deepEqual(await line.channel.ask(takeTurn, { play: `${name}-fresh`, by: 'model' }), next);
      await line.channel.ask(closePlay, { play: `${name}-fresh` });
      if (decoding === 'tokens') {
        assert.deepEqual(await line.channel.ask(playAlternatives, { play: name }), { alternatives: [] });
      }
    });
  }

  it('acts as its run has tuned it: by tokens, whatever actions the model still has', async () => {
    const run = join(root, 'tuned');
    cpSync(model, join(run, 'model'), { recursive: true });
    const stage = { tokens: { method: 'supervised', data: 'x.jsonl' } };
    writeFileSync(join(run, 'spec.yaml'), JSON.stringify({ model: 'builtin:nano', stages: [stage] }));
    writeFileSync(join(run, 'metrics.jsonl'), '');
    const { decoding } = await open('tuned', { model: join(run, 'model') });
    assert.equal(decoding, 'tokens');
    await line.channel.ask(closePlay, { play: 'tuned' });
  });

  it('lets the person choose the actions: the first alternative is what the model writes, another begins otherwise', async () => {
    const play = 'picked';
    // Of the model in the box other actions lead to other tokens.
    const { labels } = await open(play, { environment: 'agent.cola.yaml', model: 'builtin:nano' });
    assert.ok(labels.some((label) => label !== null));
    const { alternatives } = await line.channel.ask(playAlternatives, { play });
    assert.ok(alternatives.length > 1);
    const begins = alternatives.map(({ tokens }) => tokens[0].action);
    assert.equal(new Set(begins).size, begins.length);
    assert.deepEqual(
      alternatives.map(({ probability }) => probability),
      alternatives.map(({ probability }) => probability).sort((a, b) => b - a),
    );
    const whole = await line.channel.ask(pickAlternative, { play, alternative: 0, whole: true });
    assert.deepEqual([whole.turns[0].by, whole.turns[0].said], ['you', alternatives[0].text]);
    assert.notEqual(whole.turns[0].observation, null);
    await line.channel.ask(turnBack, { play });
    const free = await line.channel.ask(takeTurn, { play, by: 'model' });
    assert.deepEqual(choices(alternatives[0].tokens), choices(free.turns[0].tokens));
    await line.channel.ask(turnBack, { play });

    await line.channel.ask(playAlternatives, { play });
    const begun = await line.channel.ask(pickAlternative, { play, alternative: 1, whole: false });
    assert.deepEqual(choices(begun.draft), choices(alternatives[1].tokens.slice(0, 1)));
    assert.deepEqual([begun.turns.length, begun.back], [0, true]);
    await assert.rejects(line.channel.ask(pickAlternative, { play, alternative: 1, whole: true }), {
      id: 'engine.noAlternative',
    });
    // The model goes on behind what was chosen, as the alternative said it would.
    const ended = await line.channel.ask(takeTurn, { play, by: 'model' });
    assert.deepEqual(choices(ended.turns[0].tokens), choices(alternatives[1].tokens));
    assert.deepEqual(ended.draft, []);
  });
});
