import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** What a newer JavaScript has, as far as the runtime asks for it; its native side knows only the patterns. */
const program = `
globalThis.Float16Array ??= class Float16Array extends Uint16Array {};
const { storedTensor } = await import(process.argv[1]);
const data = Uint16Array.of(0x3c00, 0xbc00);
const tensor = storedTensor({ dtype: 'float16', shape: [2], data });
process.stdout.write(tensor.type + ' ' + (tensor.data === data));
`;

describe('weights in half precision', () => {
  it('are given to the runtime as bit patterns, also where JavaScript has numbers of that kind', () => {
    const buffer = join(import.meta.dirname, '../../server/device/buffer.ts');
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx/esm', '--input-type=module', '--eval', program, buffer],
      { encoding: 'utf8', cwd: join(import.meta.dirname, '../..') },
    );
    assert.equal(stdout.trim(), 'float16 true', stderr);
  });
});
