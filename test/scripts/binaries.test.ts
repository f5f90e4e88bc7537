import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needBinariesOf, targetOf } from '../../scripts/package/binaries.ts';
import { root } from '../../scripts/package/bundle.ts';
import { faultsOf } from '../../scripts/package/opened.ts';
import { hasRuntime, librariesOf, runtimeFolder, targets } from '../../scripts/package/targets.ts';
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

  it('are passed on as far as their licences are there', () => {
    assert.deepEqual(librariesOf(runtime, 'win32-x64'), ['onnxruntime.dll', 'onnxruntime_binding.node']);
    assert.deepEqual(librariesOf(runtime, 'win32-arm64'), ['onnxruntime.dll', 'onnxruntime_binding.node']);
    assert.deepEqual(librariesOf(runtime, 'darwin-arm64'), ['libonnxruntime.1.dylib', 'onnxruntime_binding.node']);
    assert.deepEqual(librariesOf(runtime, 'linux-arm64'), ['libonnxruntime.so.1', 'onnxruntime_binding.node']);
  });

  it('and all else in a package are looked through when it is opened', () => {
    const target = 'win32-x64';
    const libraries = ['onnxruntime.dll', 'onnxruntime_binding.node'];
    const at = 'dist/node_modules/onnxruntime-node/bin/napi-v6';
    const natives = libraries.map((name) => ({ path: `${at}/win32/x64/${name}`, target }) as const);
    const lib = 'dist/node_modules/typescript/lib/lib.es2023.d.ts';
    const texts = ['package.nls.json', 'package.nls.de.json', 'l10n/bundle.l10n.de.json'];
    const about = ['LICENSE.txt', 'NOTICES.txt', 'package.json', 'readme.md', 'sbom.cdx.json'];
    const names = ['assets/icon.png', lib, ...about, ...texts];
    const good = {
      kind: 'vsix',
      target,
      libraries,
      files: [...names, ...natives.map(({ path }) => path)],
      natives,
    } as const;
    assert.deepEqual(faultsOf(good), []);
    assert.match(
      faultsOf({ ...good, files: [...good.files, 'src/a.ts'] }).join(),
      /at its top are .*src.*working copy are src\/a\.ts/,
    );
    assert.match(
      faultsOf({ ...good, natives: natives.slice(1) }).join(),
      /its libraries are onnxruntime_binding\.node$/,
    );
    const other = { path: `${at}/win32/arm64/onnxruntime.dll`, target: 'win32-arm64' } as const;
    assert.match(faultsOf({ ...good, natives: [...natives, other] }).join(), /onnxruntime\.dll is for win32-arm64/);
  });
});
