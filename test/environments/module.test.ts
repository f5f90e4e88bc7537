import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bounded, type World } from '../../server/environments/environment.ts';
import { environmentErrors } from '../../server/environments/errors.ts';
import { createEnvironment } from '../../server/environments/registry.ts';
import { environmentSpec } from '../../server/environments/spec.ts';
import type { ColaError } from '../../server/errors.ts';

const support = join(import.meta.dirname, '../support');
const example = 'added-environment.mjs';
const parsed = (path: string, more: object = {}) => environmentSpec.parse({ module: { path, ...more } });

describe("a user's environment", function () {
  this.timeout(120_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cola-environment-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const written = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return name;
  };

  it('is the example of the documentation, and is found by halving', async () => {
    const text = readFileSync(join(support, example), 'utf8');
    assert(readFileSync(join(import.meta.dirname, '../../docs/extending.md'), 'utf8').includes(text.trim()));
    assert(text.trim().split('\n').length <= 33);
    const environment = await createEnvironment(parsed(example), support);
    try {
      assert.match(environment.instructions, /^I think of a number/);
      assert.deepEqual(environment.tools[0].parameters.required, ['number']);
      assert.deepEqual(environment.range, [0, 1]);
      // Many at once, each in a world of its own.
      const found = await Promise.all(
        Array.from({ length: 12 }, async (_, seed) => {
          const world = environment.open();
          assert.equal(await world.reset(seed, { side: seed < 6 ? 'seen' : 'unseen' }), 'Which number is it?');
          let [low, high] = [1, 100];
          for (;;) {
            const guess = Math.floor((low + high) / 2);
            const { observation, reward, done, info } = await world.step(`guess ${guess}`);
            if (done) {
              await world.close();
              assert.deepEqual([observation, reward, info], ['Yes.', 1, {}]);
              return guess;
            }
            if (observation === 'Higher.') low = guess + 1;
            else high = guess - 1;
          }
        }),
      );
      assert(found.every((number, seed) => (number % 10 === 7) === seed >= 6));
      assert(new Set(found).size > 6);
    } finally {
      await environment.close();
    }
  });

  const says = (id: string) => (error: ColaError) => {
    assert.equal(error.id, id, error.message);
    return true;
  };

  it('that cannot be loaded or is none says so', async () => {
    const opened = (path: string) => createEnvironment(parsed(path), folder);
    await assert.rejects(opened('none.mjs'), says('environment.moduleMissing'));
    await assert.rejects(opened(written('syntax.mjs', 'export default {')), says('environment.moduleFailed'));
    await assert.rejects(opened(written('function.mjs', 'export default () => 1;')), says('environment.moduleShape'));
    const wrong = written('tools.mjs', 'export default { tools: 5, create() {} };');
    await assert.rejects(opened(wrong), says('environment.moduleShape'));
    for (const [i, range] of ['[1, 0]', '[0]', "['none', 'all']", '[0, Infinity]', 'null', '{ length: 2 }'].entries()) {
      const text = `export default { range: ${range}, create: () => ({ reset() {}, step() {} }) };`;
      await assert.rejects(opened(written(`range-${i}.mjs`, text)), says('environment.moduleShape'), range);
    }
  });

  it('that lies, throws, floods, hangs or ends costs the world where it does, and no other', async () => {
    const path = written(
      'hostile.mjs',
      `export default { create: () => ({
        reset: (seed) => (seed === 1 ? 5 : 'go'),
        step(text) {
          if (text === 'lie') return { observation: 5 };
          if (text === 'infinite') return { observation: 'x', reward: 1 / 0 };
          if (text === 'throw') throw new Error('no way');
          if (text === 'flood') return { observation: 'y'.repeat(1e6) };
          if (text === 'hang') for (;;);
          if (text === 'end') process.exit(3);
          return { observation: text };
        },
      }) };`,
    );
    const environment = await createEnvironment(parsed(path, { stepMs: 1500, processes: 2 }), folder);
    try {
      const opened = async (): Promise<World> => {
        const world = bounded(environment.open(), { observation: 100, text: 10, stepMs: 60_000 }, (ms) =>
          environmentErrors.late('own', ms),
        );
        assert.equal(await world.reset(0, { side: 'seen' }), 'go');
        return world;
      };
      // The second and the third are in processes of their own.
      const [first, second, third] = [await opened(), await opened(), await opened()];
      await assert.rejects(first.reset(1, { side: 'seen' }), { id: 'environment.badAnswer' });
      await assert.rejects(first.step('lie'), { id: 'environment.badAnswer' });
      await assert.rejects(first.step('infinite'), { id: 'environment.badAnswer' });
      await assert.rejects(first.step('throw'), { id: 'environment.failed' });
      assert.equal((await first.step('flood')).observation.length, 101);
      assert.equal((await first.step('a'.repeat(50))).observation, 'a'.repeat(10));
      await assert.rejects(first.step('hang'), { id: 'environment.late' });
      // The third shared the process of the first, which had to be ended.
      await assert.rejects(third.step('hello'), { id: 'environment.ended' });
      assert.equal((await second.step('hello')).observation, 'hello');
      await assert.rejects(second.step('end'), { id: 'environment.ended' });
      assert.equal(await third.reset(0, { side: 'seen' }), 'go');
      assert.equal((await third.step('hello')).observation, 'hello');
    } finally {
      await environment.close();
    }
  });

  it('that is slow is late by the time of its limits, and stops with the signal', async () => {
    const slow: World = {
      reset: () => new Promise(() => {}),
      step: () => new Promise(() => {}),
      close: async () => undefined,
    };
    const limits = { observation: 10, text: 10, stepMs: 30 };
    const world = bounded(slow, limits, (ms) => environmentErrors.late('slow', ms));
    await assert.rejects(world.step('x'), { id: 'environment.late' });
    const stop = new AbortController();
    const waiting = bounded(slow, { ...limits, stepMs: 60_000 }, (ms) => environmentErrors.late('slow', ms));
    const asked = waiting.reset(0, { side: 'seen' }, stop.signal);
    stop.abort();
    await assert.rejects(asked, { name: 'AbortError' });
  });
});
