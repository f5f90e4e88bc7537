import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needBinariesOf, targetOf } from '../../scripts/package/binaries.ts';
import { root } from '../../scripts/package/bundle.ts';
import { hasRuntime, runtimeFolder, targets } from '../../scripts/package/targets.ts';
import { scratchFolder } from '../store/scratch.ts';

describe('native files of a package', () => {
  const scratch = scratchFolder();
  const runtime = join(root, 'node_modules/onnxruntime-node');

  it('are known by their headers: those that ONNX Runtime has for each platform are for it and for no other', () => {
    const had = targets.filter((target) => hasRuntime(runtime, target));
    assert.ok(had.length > 3);
    for (const target of had) {
      const folder = join(runtime, runtimeFolder(target));
      needBinariesOf(folder, target);
      for (const other of targets.filter((each) => each !== target))
        assert.throws(() => needBinariesOf(folder, other), new RegExp(`Not for ${other}: .*\\(${target}\\)`));
    }
  });

  it('are named where they are for another kind of machine, and where there are none', () => {
    mkdirSync(scratch('package'));
    writeFileSync(scratch('package', 'short.js'), 'x');
    assert.throws(() => needBinariesOf(scratch('package'), 'linux-x64'), /no native library/);
    const header = Buffer.alloc(64);
    header.write('\x7fELF', 'latin1');
    header.writeUInt16LE(243, 18);
    writeFileSync(scratch('package', 'riscv.node'), header);
    assert.equal(targetOf(scratch('package', 'riscv.node')), 'unknown');
    assert.throws(() => needBinariesOf(scratch('package'), 'linux-x64'), /riscv\.node \(unknown\)/);
    writeFileSync(scratch('package', 'cut.dll'), 'MZ');
    assert.equal(targetOf(scratch('package', 'cut.dll')), 'unknown');
  });
});
