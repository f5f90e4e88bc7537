import assert from 'node:assert/strict';
import fc from 'fast-check';
import { beforeAfterReport, type Compared } from '../../src/runs/before-after-report.ts';
import { failureOffers, failureText, interruptedText, placeIn, refusalOffers } from '../../src/runs/news-text.ts';

describe('what is said of a run that failed', () => {
  /** A folder with these files, and no others. */
  const folder =
    (...files: string[]) =>
    (path: string) =>
      files.includes(path);

  it('finds the line that a message names', () => {
    const found = (message: string, ...files: string[]) => placeIn(message, folder(...files));
    const rows = '/data/my rows.jsonl';
    assert.deepEqual(found(`${rows}, line 12 is no JSON.`, rows), { file: rows, line: 12 });
    const three = { file: 'data.jsonl', line: 3 };
    assert.deepEqual(found('The row at data.jsonl, line 3 has no prompt.', 'data.jsonl'), three);
    assert.deepEqual(found('small.cola.yaml:4:7: steps.', 'small.cola.yaml'), { file: 'small.cola.yaml', line: 4 });
    assert.deepEqual(found('The file "data.jsonl", line 3', 'data.jsonl'), three);
    assert.equal(found('The device ran out of memory at step 41.'), undefined);
    // What is no file opens nothing: a message may hold times and addresses, and a file may be gone.
    assert.equal(found('At 12:30 the file data.jsonl, line 3 was lost.'), undefined);
  });

  it('finds a path whatever is in it', () => {
    const word = fc.string({ unit: fc.constantFrom(...'ab.:,\'"() -/0é'), minLength: 1, maxLength: 12 });
    const path = fc.tuple(word, word).map(([a, b]) => `/w/${a}x/${b}.jsonl`);
    const line = fc.integer({ min: 1, max: 1e6 });
    fc.assert(
      fc.property(path, line, fc.constantFrom('', 'The row at ', 'In "data", '), (file, at, before) => {
        assert.deepEqual(placeIn(`${before}${file}, line ${at} has no prompt.`, folder(file)), { file, line: at });
        assert.deepEqual(placeIn(`${before}${file}:${at}:7: no.`, folder(file)), { file, line: at });
      }),
    );
  });

  it('offers to go on only where a checkpoint is', () => {
    const place = { file: 'data.jsonl', line: 3 };
    assert.deepEqual(failureOffers(undefined, null), ['Edit Spec', 'Show Log']);
    assert.deepEqual(failureOffers(place, null), ['Open Line', 'Show Log']);
    assert.deepEqual(failureOffers(undefined, 40), ['Resume', 'Edit Spec', 'Show Log']);
    assert.deepEqual(failureOffers(place, 40), ['Resume', 'Open Line', 'Show Log']);
  });

  it('offers to correct what was refused at once, too', () => {
    const place = { file: 'a', line: 1 };
    assert.deepEqual(refusalOffers(undefined, undefined, true), ['Edit Spec', 'Show Log']);
    assert.deepEqual(refusalOffers(undefined, place, true), ['Open Line', 'Show Log']);
    assert.deepEqual(refusalOffers('Select Model', undefined, true), ['Select Model', 'Show Log']);
    assert.deepEqual(refusalOffers(undefined, undefined, false), ['Show Log']);
  });

  it('says where it stands', () => {
    assert.equal(
      failureText('qa', 'The device has no memory left.', 'Make the batch smaller.', 40),
      'qa stopped: The device has no memory left. It is saved at step 40. Make the batch smaller.',
    );
    assert.equal(failureText('qa', 'No prompts.', '', null), 'qa stopped: No prompts.');
  });
});

describe('what is said of runs that stopped with the window', () => {
  it('says what is saved', () => {
    assert.equal(
      interruptedText([{ run: 'qa', checkpoint: 12 }]),
      'qa was stopped when the window was closed. It is saved at step 12 and can go on from there.',
    );
    assert.match(interruptedText([{ run: 'qa', checkpoint: null }]), /It had not saved anything yet\.$/);
    const two = interruptedText([
      { run: 'qa', checkpoint: 12 },
      { run: 'code', checkpoint: null },
    ]);
    assert.equal(two, '2 runs were stopped when the window was closed: qa (step 12), code (nothing saved).');
  });
});

describe('the page of prompts before and after', () => {
  const row = (before: string | null, after: string, was: number | null, is: number | null) => ({
    prompt: 'Numbers: 3 4\n\nTarget: 7',
    before: before === null ? null : { text: before, reward: was },
    after: { text: after, reward: is },
  });
  const compared: Compared = {
    before: '/models/base',
    after: '/w/.cola/runs/qa/model',
    device: 'cpu',
    kind: 'answers',
    solvedAt: 1,
    rows: [row('3*4', '3+4', 0, 1), row('3+4', '3+4', 1, 1), row('<b>\n\n|', '**x**', null, 0)],
  };

  it('counts what is solved, and says that it is no measurement', () => {
    const text = beforeAfterReport('qa', compared);
    assert.match(text, /1 of 3 solved before, 2 of 3 solved after\./);
    assert.match(text, /too few to measure/);
    assert.equal(text.match(/Both write the same/g)?.length, 1);
    assert.match(text, /Before · no score.*After · ✗ not solved, reward 0/);
  });

  it('shows what models write as text', () => {
    const text = beforeAfterReport('qa', compared);
    assert.ok(!text.includes('<b>') && !text.includes('**x**'));
    // A blank line would end the table.
    for (const table of text.match(/<table[\s\S]*?<\/table>/g) ?? []) assert.ok(!table.includes('\n'));
    assert.equal(text.match(/<table/g)?.length, 3);
  });

  it('has one column where the model was made from nothing', () => {
    const text = beforeAfterReport('qa', { ...compared, before: null, rows: [row(null, 'a', null, 0)] });
    assert.ok(!text.includes('>Before'));
    assert.match(text, /made its model from nothing/);
    assert.match(text, /0 of 1 solved after\./);
  });
});
