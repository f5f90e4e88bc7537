import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { madeData, makeRows } from '../../server/reproduce/made.ts';
import { createReward } from '../../server/rewards/registry.ts';

const root = join(import.meta.dirname, '../../server');
const text = { workspace: '.', globs: ['train/reinforce/*.ts'] };
const rowsOf = async (given: object, seed = 1): Promise<Record<string, string>[]> => {
  const made = await makeRows(
    madeData.parse({
      rows: 200,
      ...('kind' in given && ['solutions', 'thoughts'].includes(String(given.kind)) ? {} : { text }),
      ...given,
    }),
    root,
    seed,
  );
  return made
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
};
const wordsOf = (written: string) => written.split(/\s+/).filter((word) => word !== '');

describe('data that is made of text', () => {
  it('is lines with those that go on, against words in no order', async () => {
    const rows = await rowsOf({ kind: 'preferences', before: 3, lines: 2 });
    assert.equal(rows.length, 200);
    for (const { prompt, chosen, rejected } of rows) {
      assert.equal(prompt.split('\n').length, 4);
      assert.equal(chosen.split('\n').length, 3);
      assert.ok(wordsOf(rejected).length > 0);
    }
  });

  it('is the same for a seed, and other for another seed or part', async () => {
    const given = { kind: 'preferences' };
    const first = await rowsOf(given);
    assert.deepEqual(await rowsOf(given), first);
    assert.notDeepEqual(await rowsOf(given, 2), first);
    assert.notDeepEqual(await rowsOf({ ...given, part: 1 }), first);
  });

  it('is all lines against the first of them in the share that was asked for, and either may be preferred', async () => {
    const rows = await rowsOf({ kind: 'preferences', lines: 3, cut: { share: 0.3, preferred: 'first' } });
    const cut = rows.filter(({ chosen, rejected }) => rejected.startsWith(chosen));
    // Of 200 draws at 0.3, four deviations of 6.5 around 60.
    assert.ok(cut.length > 34 && cut.length < 86, String(cut.length));
    for (const { chosen, rejected } of cut)
      assert.deepEqual(
        [chosen, rejected].map((written) => written.split('\n').length),
        [2, 4],
      );
    const whole = await rowsOf({ kind: 'preferences', lines: 3, cut: { share: 0.3, preferred: 'whole' } });
    assert.deepEqual(
      whole.filter(({ chosen, rejected }) => chosen.startsWith(rejected)),
      cut.map(({ prompt, chosen, rejected }) => ({ prompt, chosen: rejected, rejected: chosen })),
    );
  });

  it('is beginnings with the first word that goes on, which the reward of such experiments knows', async () => {
    const reward = await createReward({ module: { path: join(import.meta.dirname, '../../claims/word.mjs') } });
    const folder = join(root, 'train/reinforce');
    const files = readdirSync(folder)
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8').split('\n'))
      .map((lines) => lines.filter((line) => line.trim() !== '' && line.length <= 100).join('\n'));
    let found = 0;
    for (const row of (await rowsOf({ kind: 'words' })).slice(0, 40)) {
      const [, behind] = files.map((file) => file.split(row.prompt)).find((parts) => parts.length === 2) ?? [];
      const judge = async (completion: string) => {
        const judged = await reward.score({ prompt: row.prompt, completion, row, finished: true, tokens: 1 });
        return 'value' in judged ? judged.value : judged.noScore;
      };
      // A text that stands there twice goes on in two ways.
      if (behind === undefined) continue;
      found++;
      assert.equal(await judge(behind), 1, `${row.answer}\n${behind}`);
      assert.deepEqual([await judge(`x${row.answer}`), await judge('')], [0, 0], row.answer);
    }
    assert.ok(found > 20, String(found));
    const prompts = (await rowsOf({ kind: 'words', rows: 2000 })).map(({ prompt }) => prompt);
    assert.equal(new Set(prompts).size, prompts.length);
    assert.ok(prompts.length > 1000, String(prompts.length));
    await reward.close();
  });

  it('is answers to countdown that are right, and such with the same numbers that are not', async () => {
    const value = (answer: string) => {
      const [written, target] = answer.trim().split('=');
      // Leading zeros would be octal.
      return { reached: new Function(`return ${written.replaceAll(/\b0+(?=\d)/g, '')}`)(), target: Number(target) };
    };
    const numbersOf = (answer: string) => [...answer.split('=')[0].matchAll(/\d+/g)].map(Number).sort((a, b) => a - b);
    for (const { prompt, chosen, rejected } of await rowsOf({ kind: 'solutions' })) {
      const [right, wrong] = [value(chosen), value(rejected)];
      assert.equal(right.reached, right.target, chosen);
      assert.notEqual(wrong.reached, wrong.target, rejected);
      assert.equal(wrong.target, right.target);
      assert.deepEqual(numbersOf(rejected), numbersOf(chosen));
      assert.ok(prompt.includes(`Target: ${right.target}`));
    }
  });

  it('is answers to countdown of which few have the form that the prompt asks for, all of them right', async () => {
    const rows = await rowsOf({ kind: 'thoughts', tagged: 0.2 });
    const reward = await createReward('countdown');
    const given = { finished: true, tokens: 1, row: {} };
    let tagged = 0;
    for (const { prompt, response } of rows) {
      const [, target, numbers] = /^Reach (\d+) with the numbers (.*?)\. /.exec(prompt) as RegExpExecArray;
      const row = { target: Number(target), numbers: numbers.match(/\d+/g) };
      const bare = !response.includes('<');
      const result = await reward.score({
        ...given,
        prompt,
        row,
        completion: bare ? `<think></think><answer>${response}</answer>` : response,
      });
      assert.ok('value' in result && result.value === 2, response);
      tagged += Number(!bare);
    }
    // Of 200 draws at 0.2, four deviations of 5.7 around 40.
    assert.ok(tagged > 17 && tagged < 63, String(tagged));
    await reward.close();
  });

  it('is beginnings alone', async () => {
    const [row] = await rowsOf({ kind: 'beginnings' });
    assert.deepEqual(Object.keys(row), ['prompt']);
  });
});
