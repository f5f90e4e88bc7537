import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reference } from '../../server/check/reference.ts';
import { scratchFolder } from '../store/scratch.ts';
import { cola } from './cola.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const COLA = ['n8-plain', 'n8-residual'].map((name) => join(FIXTURES, 'cola', name));
const MODEL = COLA[0]!;

interface Generated {
  readonly decoding: string;
  readonly samples: readonly { ids: number[]; actions?: number[]; finish: string }[];
}

describe('cola generate with latent actions', () => {
  const scratch = scratchFolder();

  const ran = async (...args: string[]) => {
    const { code, stdout, stderr } = await cola(['generate', ...args, '--device', 'cpu'], { cwd: scratch() });
    assert.equal(code, 0, stderr);
    return { stdout, stderr };
  };
  const generate = async (...args: string[]): Promise<Generated> =>
    JSON.parse((await ran(...args, '--json')).stdout) as Generated;

  for (const folder of COLA) {
    it(`chooses the actions and tokens of the reference: ${folder.slice(FIXTURES.length)}`, async () => {
      using reference = Reference.open(folder);
      const prompts = reference.ints('in.gen.prompts');
      const [actions, tokens] = ['actions', 'tokens'].map((what) => reference.ints(`gen.greedy.${what}`));
      for (let row = 0; row < 4; row++) {
        const ids = prompts.subarray(5 * row, 5 * row + 5).join();
        const { decoding, samples } = await generate('--model', folder, '--ids', ids, '--max-new', '10');
        const [sample] = samples;
        assert.equal(decoding, 'actions');
        // The reference goes on behind an end token.
        const length = sample!.ids.length;
        assert.deepEqual(sample!.ids, [...tokens!.subarray(10 * row, 10 * row + length)]);
        assert.equal(sample!.actions!.length, length + (sample!.finish === 'end' ? 1 : 0));
        assert.deepEqual(sample!.actions, [...actions!.subarray(10 * row, 10 * row + sample!.actions!.length)]);
      }
    });
  }

  it('samples actions by seed and row, and cuts them to the most likely', async () => {
    const common = ['--model', MODEL, '--ids', '5,6,7', '--max-new', '12'];
    const hot = [...common, '--temperature', '3'];
    const three = (await generate(...hot, '--samples', '3')).samples;
    assert.notDeepEqual(three[0], three[1]);
    // What a row draws does not depend on the others.
    assert.deepEqual((await generate(...hot)).samples[0], three[0]);
    assert.notDeepEqual((await generate(...hot, '--seed', '8')).samples[0], three[0]);
    const cut = await generate(...hot, '--top-k', '1');
    assert.deepEqual(cut.samples, (await generate(...common)).samples);
  });

  it('lets the base choose tokens where that is asked for, or where nothing else is there', async () => {
    const args = ['--ids', '1,2', '--max-new', '8'];
    const plain = await generate('--model', MODEL, '--tokens', ...args, '--top-p', '0.9');
    assert.equal(plain.decoding, 'tokens');
    assert.equal(plain.samples[0]!.actions, undefined);
    assert.deepEqual(plain, {
      ...(await generate('--model', join(MODEL, 'base'), ...args)),
      seconds: (plain as { seconds?: number }).seconds,
    });
  });

  it('takes a run by name, answers as it was tuned to, and prefers a folder of that name', async () => {
    const run = join(scratch('.cola', 'runs', 'tuned'));
    mkdirSync(run, { recursive: true });
    const spec = (stage: string) =>
      writeFileSync(
        join(run, 'spec.yaml'),
        `model: ${MODEL}\nstages: [{ ${stage}: { prompts: countdown, reward: countdown } }]\n`,
      );
    const args = ['--model', 'tuned', '--ids', '1,2', '--max-new', '4'];
    spec('reinforce');
    const early = await cola(['generate', ...args], { cwd: scratch() });
    assert.equal(early.code, 2);
    assert.match(early.stderr, /tuned has no finished model yet[\s\S]*\[evaluate\.noModel\]/);
    cpSync(MODEL, join(run, 'model'), { recursive: true });
    assert.equal((await generate(...args)).decoding, 'actions');
    spec('tokens');
    assert.equal((await generate(...args)).decoding, 'tokens');
    assert.match((await ran(...args)).stderr, /its run tuned it to answer so/);
    cpSync(join(MODEL, 'base'), scratch('tuned'), { recursive: true });
    const folder = await ran(...args);
    assert.doesNotMatch(folder.stderr, /its run/);
  });

  it('finds a run for the other commands too', async () => {
    const run = scratch('.cola', 'runs', 'tuned');
    mkdirSync(run, { recursive: true });
    writeFileSync(
      join(run, 'spec.yaml'),
      `model: ${MODEL}\nstages: [{ reinforce: { prompts: countdown, reward: countdown } }]\n`,
    );
    cpSync(MODEL, join(run, 'model'), { recursive: true });
    const exported = await cola(['export', 'tuned', 'out', '--json'], { cwd: scratch() });
    assert.equal(exported.code, 0, exported.stderr);
    const fit = await cola(['fit', 'tuned', '--batch', '1', '--length', '8', '--json'], { cwd: scratch() });
    assert.equal(fit.code, 0, fit.stderr);
    const other = ['--prompt', 'x', '--reward', 'length', '--simulations', '2', '--device', 'cpu'];
    // It was found: the fixture has no tokenizer for the prompt.
    const search = await cola(['search', 'tuned', ...other], { cwd: scratch() });
    assert.match(search.stderr, /\[model\.noTokenizer\]/);
    const none = await cola(['search', 'other', ...other], { cwd: scratch() });
    assert.doesNotMatch(none.stderr, /noTokenizer/);
  });
});
