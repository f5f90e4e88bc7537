import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineLink } from '../../server/language/engine/link.ts';
import { complete, loadModel } from '../../server/protocol/index.ts';
import { install, packages } from './support/running.ts';

describe('the package, installed', () => {
  let folder = '';
  let scratch = '';
  before(async function () {
    this.timeout(0);
    ({ extension: folder, scratch } = await install());
  });

  const dist = (name: string) => join(folder, 'dist', name);

  it('holds the libraries of this platform only, and nothing of a working copy', () => {
    const libraries = dist('node_modules/onnxruntime-node/bin/napi-v6');
    assert.deepEqual(readdirSync(libraries), [process.platform]);
    assert.deepEqual(readdirSync(join(libraries, process.platform)), [process.arch]);
    const top = readdirSync(folder).filter((name) => !name.startsWith('.'));
    assert.deepEqual(top.sort(), [
      'LICENSE.txt',
      'NOTICES.txt',
      'assets',
      'dist',
      'l10n',
      'package.json',
      'package.nls.de.json',
      'package.nls.json',
      'readme.md',
      'sbom.cdx.json',
    ]);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      files.filter((file) => /\.(map|ts|test\.js)$/.test(file) && !/typescript\/lib\/lib\.[^/]*d\.ts$/.test(file)),
      [],
    );
  });

  it('completes with the model in the box, by its engine in plain node', async () => {
    const log: string[] = [];
    const engine = new EngineLink({ file: dist('engine.js') }, { log: (text) => log.push(text), exit() {} });
    try {
      const model = await engine.ask(loadModel, { folder: join(folder, 'assets/nano'), device: 'cpu', threads: 1 });
      const { alternatives } = await engine.ask(complete, { prefix: 'const total = ', maxTokens: 8 });
      assert.ok(model.codes > 1);
      assert.ok(alternatives[0].tokens.length > 0, log.join('\n'));
    } finally {
      await engine.close(10);
    }
  });

  describe('rewards', () => {
    /** Asks one of the programs that rewards start, over the channel they have with the engine. */
    async function ask(program: string, question: unknown, argument?: string): Promise<unknown> {
      const child: ChildProcess = fork(dist(program), argument === undefined ? [] : [argument], {
        serialization: 'advanced',
      });
      try {
        return await new Promise((resolve, reject) => {
          child.on('exit', (code) => reject(new Error(`exit code ${code}`)));
          child.on('message', (message: { type: string; value?: unknown }) => {
            if (message.type === 'ready') child.send({ id: 1, question });
            else if (message.type === 'answer') resolve(message.value);
            else reject(new Error(JSON.stringify(message)));
          });
        });
      } finally {
        child.kill('SIGKILL');
      }
    }

    it('compare answers of maths', async () => {
      assert.equal(await ask('maths-worker.js', ['\\frac{1}{2}', '0.5']), true);
      assert.equal(await ask('maths-worker.js', ['(x+1)^2', 'x^2+2x+1']), true);
      assert.equal(await ask('maths-worker.js', ['1/3', '0.5']), false);
    });

    const tests = 'equal(add(1, 2), 3);';
    const limits = { timeMs: 5000, memoryMb: 64 };

    it('check the types of code with the library that is in the package', async () => {
      const body = '[a, b].toSorted().reduce((x, y) => x + y, 0)';
      const code = (type: string) => `export const add = (a: number, b: number): ${type} => ${body};`;
      const right = await ask('sandbox-worker.js', { code: code('number'), tests, types: true, ...limits });
      assert.deepEqual(right, { parses: 1, types: true, passed: 1, total: 1, late: false });
      const wrong = await ask('sandbox-worker.js', { code: code('string'), tests, types: true, ...limits });
      assert.deepEqual(wrong, { parses: 1, types: false, passed: 1, total: 1, late: false });
    });

    it('load a module of the person', async () => {
      const file = join(scratch, 'reward.mjs');
      writeFileSync(file, 'export default ({ completion }) => completion.length;\n');
      assert.equal(await ask('module-worker.js', { completion: 'abc' }, file), 3);
    });
  });

  it('is a command of npm too, which nothing is fetched for and no script is run for', function () {
    this.timeout(0);
    const [name, ...others] = readdirSync(packages).filter((file) =>
      file.endsWith(`-${process.platform}-${process.arch}.tgz`),
    );
    assert.deepEqual(others, []);
    const place = join(scratch, 'npm');
    mkdirSync(place);
    const npm = (command: string, ...args: string[]) => {
      const settings = {
        npm_config_cache: join(place, 'cache'),
        npm_config_offline: 'true',
        npm_config_audit: 'false',
      };
      const options = { cwd: place, encoding: 'utf8', env: { ...process.env, ...settings } } as const;
      const { status, stdout, stderr } = spawnSync(command, args, options);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    npm('npm', 'install', join(packages, name));
    const asked = [
      '--model',
      'builtin:nano',
      '--prompt',
      'const total = ',
      '--max-new',
      '4',
      '--device',
      'cpu',
      '--json',
    ];
    const { samples } = JSON.parse(npm('npx', 'cola-studio', 'generate', ...asked));
    assert.equal(samples[0].ids.length, 4);
  });
});
