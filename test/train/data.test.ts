import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { RunView, runFolder } from '../../server/store/run.ts';
import { errorOf } from '../store/scratch.ts';
import { Bench, linesOf, resume, settingsOf, stages, tinyBase } from '../support/runs.ts';

const steps = 4;
const packed = { data: 'text.jsonl', batch: 4, length: 16, checkpoint_every: 2, evaluate_every: 2 };
const bench = Bench.forTests();

describe('a run on bad data', function () {
  this.timeout(60_000);
  const row = (i: number) => JSON.stringify({ text: `one two three four five ${i}. `.repeat(4) });
  const rows = (n: number) => Array.from({ length: n }, (_, i) => `${row(i)}\n`).join('');
  const good = rows(20);

  const files: Record<string, [content: string, id: string, says: RegExp]> = {
    'a broken line': [`${good}{"text": "half\n${good}`, 'data.brokenJson', /x\.jsonl, line 21 is not JSON/],
    'a row without the column': [`${good}{"other": 1}\n`, 'data.missingColumn', /x\.jsonl, line 21 .*"text"/],
    'columns of which none is known': ['{"a": 1}\n', 'data.unknownColumns', /x\.jsonl, line 1 /],
    'a number for a text': [`${good}{"text": 5}\n`, 'data.wrongType', /x\.jsonl, line 21: .*a number/],
    'a list for a row': [`${good}[1]\n`, 'data.notAnObject', /x\.jsonl, line 21 /],
    'an empty file': ['', 'data.emptyFile', /x\.jsonl is empty/],
    'blank lines only': ['\n\n  \n', 'data.emptyFile', /x\.jsonl is empty/],
    'one giant line': [`${JSON.stringify({ text: 'a'.repeat(17 << 20) })}\n`, 'data.lineTooLong', /x\.jsonl, line 1 /],
    'too few tokens': ['{"text": "a b"}\n', 'train.tooFewTokens', /x\.jsonl has \d+ tokens/],
    'bytes that are no text': ['\u0000'.repeat(9), 'data.brokenJson', /x\.jsonl, line 1 /],
  };

  for (const [i, [what, [content, id, says]]] of Object.entries(files).entries()) {
    // What goes on where nothing was left is the same whatever was wrong: in the short form every third does.
    const goesOn = i % 3 === 0 || process.env.COLA_SLOW === '1';
    it(`names file and line of ${what}, and leaves nothing that is in the way`, async () => {
      const data = bench.write('x.jsonl', content);
      const name = bench.fresh();
      const stage = { pretrain: { ...packed, steps: 2, data } };
      await assert.rejects(bench.run([stage], tinyBase, name), errorOf(id, says));
      assert(!existsSync(runFolder(bench.root, name)));
      assert.deepEqual(
        readdirSync(join(bench.root, '.cola', 'cache')).filter((file) => !/^\w{32}\.(bin|json)$/.test(file)),
        [],
      );
      if (!goesOn) return;
      bench.write('x.jsonl', good);
      await bench.run([stage], tinyBase, name);
    });
  }

  it('says which file is missing', async () => {
    const stage = { pretrain: { ...packed, steps: 2, data: 'nowhere.jsonl' } };
    await assert.rejects(bench.run([stage], tinyBase), errorOf('data.missingFile', /nowhere\.jsonl/));
  });

  it('leaves bad rows out where it is told to, and says how many, also when the tokens are there already', async () => {
    const data = {
      jsonl: bench.write('mixed.jsonl', `${good}{"text": 5}\n{"text\n{"text": 6}\n${good}`),
      skip_bad_rows: true,
    };
    for (let time = 0; time < 2; time++) {
      const said = await bench.saidBy([{ pretrain: { ...packed, steps: 2, data } }], tinyBase);
      const line = said.find((text) => text.includes('left out')) ?? said.join('\n');
      assert.match(line, /mixed\.jsonl: 40 rows used, left out: .*2 x data\.wrongType/);
      assert.match(line, /1 x data\.brokenJson/);
    }
  });

  it('refuses a file without a usable row even then', async () => {
    const data = { jsonl: bench.write('none.jsonl', '{"text": 5}\n{"text": 6}\n'), skip_bad_rows: true };
    const stage = { pretrain: { ...packed, steps: 2, data } };
    await assert.rejects(bench.run([stage], tinyBase), errorOf('data.noUsableRows', /none\.jsonl .*2 x/));
  });

  it('of prompts says the same things', async () => {
    const reinforce = settingsOf('remax', steps);
    const prompt = (n: number) => `${JSON.stringify({ prompt: `after one: ${n}`, answer: 'two' })}\n`;
    const of = (content: string) =>
      bench.run([{ reinforce: { ...reinforce, prompts: bench.write('p.jsonl', content) } }]);
    await assert.rejects(
      of(`${prompt(1)}${prompt(2)}{"answer": "x"}\n`),
      errorOf('data.missingColumn', /p\.jsonl, line 3/),
    );
    await assert.rejects(of(prompt(1)), errorOf('train.tooFewRows', /p\.jsonl has one row/));
    await assert.rejects(of(good), errorOf('train.setting', /no prompt/));
    const prompts = { jsonl: bench.write('p.jsonl', `${prompt(1)}[]\n${prompt(2)}${prompt(3)}`), skip_bad_rows: true };
    const said = await bench.saidBy([{ reinforce: { ...reinforce, prompts } }]);
    assert.match(said.join('\n'), /p\.jsonl: 3 rows used, left out: 1 x data\.notAnObject/);
  });

  it('of responses needs some, and leaves out rows without one', async () => {
    const guide = settingsOf('guide policy', steps);
    const bare = `${JSON.stringify({ prompt: 'after one:' })}\n`;
    const full = `${JSON.stringify({ prompt: 'after one:', response: ' two' })}\n`;
    const data = bench.write('r.jsonl', bare.repeat(4));
    await assert.rejects(bench.run([{ guide: { ...guide, data } }]), errorOf('train.noResponses', /r\.jsonl/));
    bench.write('r.jsonl', `${bare}${full.repeat(9)}`);
    assert.match(
      (await bench.saidBy([{ guide: { ...guide, data } }])).join('\n'),
      /left out 1 rows without a response/,
    );
  });

  it('in a later stage can be put right, and the run goes on', async () => {
    const id = bench.fresh();
    const data = bench.write('late.jsonl', 'nonsense\n');
    const list = [stages(steps).pretrain, { pretrain: { ...packed, steps: 2, data } }];
    await assert.rejects(bench.run(list, tinyBase, id), errorOf('data.brokenJson', /late\.jsonl, line 1/));
    assert.equal(RunView.view(runFolder(bench.root, id)).latestCheckpoint()?.step, steps);
    bench.write('late.jsonl', good);
    await resume({ root: bench.root, id });
    assert(existsSync(join(runFolder(bench.root, id), 'model', 'model.safetensors')));
  });

  it('whose row of prompts has no score is counted, and the run goes on', async () => {
    const content = Array.from({ length: 12 }, (_, i) =>
      JSON.stringify(i % 2 === 0 ? { prompt: 'after one:' } : { prompt: 'after one:', answer: 'two' }),
    ).join('\n');
    const prompts = bench.write('s.jsonl', content);
    for (const name of ['grpo', 'remax', 'ppo', 'q', 'expert'] as const) {
      const kind = name === 'q' || name === 'expert' ? name : 'reinforce';
      const own = settingsOf(name, 2);
      const id = bench.fresh();
      await bench.run([{ [kind]: { ...own, prompts } }], bench.cola, id);
      const lines = linesOf(bench.root, id, 'metrics');
      for (const line of lines)
        for (const [key, value] of Object.entries(line)) assert.notEqual(value, null, `${name} ${key}`);
      if (name !== 'q') assert(lines.some(({ unscored }) => Number(unscored) > 0));
    }
  });

  it('without any score ends after the first round, with the reason', async () => {
    const prompts = bench.write('n.jsonl', Array.from({ length: 6 }, () => '{"prompt": "after one:"}').join('\n'));
    for (const name of ['grpo', 'ppo', 'q', 'expert'] as const) {
      const kind = name === 'q' || name === 'expert' ? name : 'reinforce';
      const own = settingsOf(name, steps);
      const id = bench.fresh();
      await assert.rejects(
        bench.run([{ [kind]: { ...own, prompts } }], bench.cola, id),
        errorOf('train.nothingScored', /none of the .* samples .* the row has no column "answer"/),
        name,
      );
      assert(!existsSync(runFolder(bench.root, id)), name);
    }
  });
});
