import assert from 'node:assert/strict';
import { homeless, trespasses } from '../../scripts/layers/borders.ts';
import { sources } from '../../scripts/layers/check.ts';
import { layers } from '../../scripts/layers/layers.ts';

describe('the layers', () => {
  it('are kept by every import of the project', () => {
    const all = sources();
    assert.ok(all.length > 300, `only ${all.length} files were looked at`);
    assert.deepEqual(homeless(all.map(({ path }) => path)), []);
    assert.deepEqual(trespasses(all), []);
  });

  it('all hold code', () => {
    const paths = sources().map(({ path }) => path);
    for (const { path } of layers)
      assert.ok(
        paths.some((file) => file === path || file.startsWith(`${path}/`)),
        path,
      );
  });

  it('refuse an import of what stands above, also of its types', () => {
    for (const text of [
      "import { Job } from '../train/job.ts';",
      "import type { Job } from '../train/job.ts';",
      "export { Job } from '../train/job.ts';",
      "const { Job } = await import('../train/job.ts');",
    ]) {
      const said = trespasses([{ path: 'server/model/base.ts', text }]);
      assert.equal(said.length, 1, text);
      assert.match(said[0], /server\/train stands above server\/model/);
    }
  });

  it('refuse what a room may not use although it stands below, and packages of other rooms', () => {
    const wrong = (path: string, text: string) => trespasses([{ path, text }]).length;
    assert.equal(wrong('src/train/train.ts', "import '../../server/train/run/job.ts';"), 1);
    assert.equal(wrong('server/language/server.ts', "import '../device/device.ts';"), 1);
    assert.equal(wrong('server/model/base.ts', "import * as ort from 'onnxruntime-node';"), 1);
    assert.equal(wrong('server/cli/main.ts', "import * as vscode from 'vscode';"), 1);
    assert.equal(wrong('server/device/device.ts', "import * as ort from 'onnxruntime-node';"), 0);
    assert.equal(wrong('server/train/run/job.ts', "import '../model/base.ts'; import './stage.ts'; import 'zod';"), 0);
    assert.deepEqual(homeless(['server/elsewhere/x.ts', 'scripts/x.ts']), ['server/elsewhere/x.ts']);
  });
});
