import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { z } from 'zod';
import { program } from '../support/bundled.ts';
import { floats, outputs } from '../support/copies-child.ts';

const pages = (outputs * floats * 4) / 4096;
const result = z.strictObject({
  faults: z.array(z.number()),
  last: z.array(z.number()),
  before: z.number(),
  after: z.number(),
});
// Its loader, under the names that it has. musl gives large blocks back one by one.
const glibc = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].some((file) => existsSync(file));

describe('memory of what runs write into memory that they are given', () => {
  it('is there for the next run, and goes with the program', async function () {
    if (process.platform !== 'linux' || !glibc) this.skip(); // Only the heap of glibc can be kept.
    const child = async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [program('copies-child')]);
      const { faults, last, before, after } = result.parse(JSON.parse(stdout));
      assert.ok(
        Math.max(...faults.slice(-3)) < pages / 8,
        `page faults of runs: ${faults}, of ${pages} pages of copies`,
      );
      assert.deepEqual(
        last,
        Array.from(last, (_, i) => 2 + i),
      );
      return { before, after };
    };
    // In one process of ten something else of it lies above them, and they stay for what it needs next.
    let found = await child();
    for (let i = 0; i < 3 && found.before - found.after <= pages / 2; i++) found = await child();
    const { before, after } = found;
    assert.ok(before - after > pages / 2, `held ${before} pages, and ${after} after it; ${pages} are those of copies`);
  });
});
