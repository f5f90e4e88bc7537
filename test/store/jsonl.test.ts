import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { z } from 'zod';
import { JsonLinesWriter, readJsonLines } from '../../server/store/jsonl.ts';
import { errorOf, scratchFolder } from './scratch.ts';

const schema = z.object({ step: z.number(), text: z.string() });

describe('JSON lines', () => {
  const scratch = scratchFolder();
  const path = () => scratch('log.jsonl');
  const record = (step: number) => ({ step, text: `Ünï\n"${step}"` });
  const lines = (...steps: number[]) => steps.map((step) => `${JSON.stringify(record(step))}\n`).join('');

  it('come back as they were appended', () => {
    const log = new JsonLinesWriter(path());
    assert.deepEqual(readJsonLines(path(), schema), []);
    log.append(record(1));
    log.append(record(2));
    assert.deepEqual(readJsonLines(path(), schema), [record(1), record(2)]);
    log.sync();
    log.close();
    assert.equal(readFileSync(path(), 'utf8'), lines(1, 2));
  });

  it('of a file that is not there are none', () => {
    assert.deepEqual(readJsonLines(scratch('absent'), schema), []);
  });

  it('lose no whole line wherever the file is cut off, and go on from there', () => {
    const whole = Buffer.from(lines(1, 2, 3));
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(path(), whole.subarray(0, length));
      const complete = whole.subarray(0, length).toString('latin1').split('\n').length - 1;
      const expected = [1, 2, 3].slice(0, complete).map(record);
      assert.deepEqual(readJsonLines(path(), schema), expected);
      const log = new JsonLinesWriter(path());
      log.append(record(9));
      log.close();
      assert.deepEqual(readJsonLines(path(), schema), [...expected, record(9)]);
    }
  });

  it('survive a last line of zeros, and lines longer than a block', () => {
    const long = { step: 1, text: 'x'.repeat(200_000) };
    writeFileSync(path(), `${JSON.stringify(long)}\n`);
    appendFileSync(path(), Buffer.alloc(100_000));
    appendFileSync(path(), '\n');
    assert.deepEqual(readJsonLines(path(), schema), [long]);
    new JsonLinesWriter(path()).close();
    assert.equal(readFileSync(path(), 'utf8'), `${JSON.stringify(long)}\n`);
  });

  it('that are damaged within the file are named', () => {
    writeFileSync(path(), `${lines(1)}{"step":\n${lines(3)}`);
    assert.throws(() => readJsonLines(path(), schema), errorOf('store.line', /Line 2 .*not JSON/));
    writeFileSync(path(), `${lines(1)}{"step":2}\n`);
    assert.throws(() => readJsonLines(path(), schema), errorOf('store.line', /Line 2 .*"text".*missing/));
  });

  it('can be dropped, the others staying as they are, byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ step: fc.nat(5), text: fc.string() })),
        fc.nat(5),
        async (records, limit) => {
          const text = records.map((r) => ` ${JSON.stringify(r)} \n`);
          writeFileSync(path(), text.join(''));
          const log = new JsonLinesWriter(path());
          await log.retain(schema, ({ step }) => step <= limit);
          assert.equal(readFileSync(path(), 'utf8'), text.filter((_, i) => records[i]!.step <= limit).join(''));
          log.append(record(7));
          log.close();
          assert.deepEqual(readJsonLines(path(), schema).at(-1), record(7));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('say where they cannot be written', () => {
    assert.throws(() => new JsonLinesWriter(scratch('no', 'folder')), errorOf('store.cannotWrite', /folder/));
  });
});
