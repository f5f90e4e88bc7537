/** The product as it is bundled, watched from outside: what it writes, and that it knows no network. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { complete } from '../../server/protocol/completion.ts';
import { loadModel } from '../../server/protocol/model.ts';
import { makeModel, makeSpec } from '../engine/tiny-model.ts';
import { bundle } from '../support/bundled.ts';

const strace = '/usr/bin/strace';
const traced = process.platform === 'linux' && existsSync(strace);
if (process.platform === 'linux' && !traced)
  console.log(`Calls of the system are not watched: missing ${strace}. \`npm test\` installs it where it can.`);

/** More threads would only wait for each other. */
const onOne = ['--device', 'cpu', '--threads', '1'];

/** Calls that make or reach a connection, and those that change what is on the disk. */
const watched = 'socket,connect,bind,sendto,sendmsg,%file';

describe('what CoLA Studio does beside its work', function () {
  this.timeout(120_000);
  let place = '';
  /** Where a person's own things would be. */
  let [home, temporary, project, model] = ['', '', '', ''];

  before(async () => {
    place = realpathSync(mkdtempSync(join(tmpdir(), 'cola-privacy-')));
    [home, temporary, project] = ['home', 'temporary', 'project'].map((name) => join(place, name));
    for (const folder of [home, temporary, project]) mkdirSync(folder);
    model = await makeModel(join(project, 'model'));
    await makeSpec(project, model, 2);
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  /** Starts a program in a new home, with what a person might have set themselves. */
  function start(name: 'cola' | 'engine', args: readonly string[], stdio: ('ignore' | 'pipe' | 'ipc')[]): ChildProcess {
    const trace = join(place, 'trace');
    const front = traced ? [strace, '-f', '-qq', '-y', '-s', '4096', '-e', `trace=${watched}`, '-o', trace] : [];
    const [command, ...rest] = [...front, process.execPath, bundle(name), ...args];
    const own = { HOME: home, TMPDIR: temporary, TMP: temporary, TEMP: temporary, USERPROFILE: home };
    // Node hands the folder of its coverage on by itself, and would write into it.
    const quiet = { NODE_V8_COVERAGE: undefined, ORT_DISABLE_TELEMETRY: '0' };
    const env = { PATH: process.env.PATH, ...own, XDG_CACHE_HOME: join(home, '.cache'), ...quiet };
    return spawn(command, rest, { cwd: project, stdio, env });
  }

  async function ended(child: ChildProcess): Promise<void> {
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += text));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    assert.equal(code, 0, said);
  }

  const cola = (...args: string[]) => ended(start('cola', args, ['ignore', 'pipe', 'pipe']));

  /** Nothing in a person's folders, and with `strace` no connection but those that may be, and no write outside of `folder`. */
  function assertQuiet(folder: string, mayCall?: RegExp): void {
    assert.deepEqual(readdirSync(home), []);
    assert.deepEqual(readdirSync(temporary), []);
    if (!traced) return;
    const calls = readFileSync(join(place, 'trace'), 'utf8').split('\n');
    assert.ok(calls.length > 100, 'the programs were watched');
    assert.deepEqual(
      calls.filter((call) => /\b(socket|connect|bind|sendto|sendmsg)\(/.test(call) && mayCall?.test(call) !== true),
      [],
    );
    const paths = calls.flatMap((call) => changed(call));
    assert.deepEqual(
      paths.filter((path) => !`${path}/`.startsWith(`${folder}/`)),
      [],
    );
    assert.equal(paths.length > 0, existsSync(folder), 'writes are seen');
  }

  it('trains within the run and the cache alone', async () => {
    await cola('train', 'tiny.cola.yaml', '--run', 'quiet');
    assert.ok(existsSync(join(project, '.cola/runs/quiet/model/cola.json')));
    assertQuiet(join(project, '.cola'));
  });

  it('learns a reward model, and from it by workers of this machine, within the runs and the cache alone', async () => {
    const rows = (row: (i: number) => object) =>
      Array.from({ length: 24 }, (_, i) => `${JSON.stringify(row(i))}\n`).join('');
    writeFileSync(
      join(project, 'liked.jsonl'),
      rows((i) => ({ prompt: `${i} `, chosen: 'good', rejected: 'bad' })),
    );
    writeFileSync(
      join(project, 'asked.jsonl'),
      rows((i) => ({ prompt: `${i} ` })),
    );
    const sizes = 'batch: 2, group: 2, max_new: 4, evaluate_rows: 2, evaluate_samples: 1';
    const specs = {
      judge: 'reward: { data: liked.jsonl, batch: 2, max_length: 32, steps: 1 }',
      crew: `reinforce: { prompts: asked.jsonl, reward: { model: .cola/runs/judge/model }, steps: 1, ${sizes} }`,
    };
    for (const [name, stage] of Object.entries(specs)) {
      const text = `model: ${model}\ndevice: cpu\nthreads: 1\nstages:\n  - ${stage}\n`;
      writeFileSync(join(project, `${name}.cola.yaml`), text);
      const workers = name === 'crew' ? ['--cluster', 'local', '--workers', '1'] : [];
      await cola('train', `${name}.cola.yaml`, '--run', name, ...workers);
      assert.ok(existsSync(join(project, `.cola/runs/${name}/model`)));
      assertQuiet(join(project, '.cola'));
    }
  });

  it('serves on this machine alone, without writing anything', async () => {
    const server = start('cola', ['serve', '--model', model, '--port', '0', ...onOne], ['ignore', 'pipe', 'pipe']);
    let said = '';
    const up = new Promise<void>((resolve) => {
      const hear = (text: unknown) => {
        said += String(text);
        if (/Ctrl\+C to end/.test(said)) resolve();
      };
      for (const stream of [server.stdout, server.stderr]) stream?.on('data', hear);
      server.once('exit', () => resolve());
    });
    await up;
    const url = /http:\/\/127\.0\.0\.1:\d+\/v1/.exec(said)?.[0] ?? assert.fail(said);
    const token = /Token: (\S+)/.exec(said)?.[1];
    const answer = await fetch(`${url}/completions`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ prompt: 'const value', max_tokens: 2 }),
    });
    assert.equal(answer.status, 200, await answer.text());
    const exit = new Promise((resolve) => server.once('exit', resolve));
    stopped(server);
    await exit;
    assertQuiet(join(project, 'nowhere'), /"127\.0\.0\.1"|\bsocket\(AF_INET, SOCK_STREAM/);
  });

  /** Ends the program itself, not who watches it: that would leave it alone. */
  function stopped(child: ChildProcess): void {
    const [watched] = traced ? readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ') : [];
    process.kill(Number(watched ?? child.pid), 'SIGTERM');
  }

  it('completes without writing anything', async () => {
    await cola('generate', '--model', model, '--prompt', 'const value', '--max-new', '4', ...onOne);
    assertQuiet(join(project, 'nowhere'));
  });

  it('searches and writes the tree where it was told to', async () => {
    mkdirSync(join(project, 'tree'));
    const what = ['--prompt', 'const value', '--reward', 'repetition', '--max-new', '4', '--simulations', '10'];
    await cola('search', model, ...what, ...onOne, '--out', 'tree/found.json');
    assertQuiet(join(project, 'tree'));
  });

  it('completes in the engine without writing anything', async () => {
    const engine = start('engine', [], ['ignore', 'pipe', 'pipe', 'ipc']);
    const close = ended(engine);
    const ask = (id: number, method: string, params: object) =>
      new Promise<unknown>((resolve, reject) => {
        const receive = (message: { kind: string; id?: number; result?: unknown }) => {
          if (message.id !== id) return;
          engine.off('message', receive);
          if (message.kind === 'result') resolve(message.result);
          else reject(new Error(JSON.stringify(message)));
        };
        engine.on('message', receive);
        engine.send({ kind: 'request', id, method, params });
      });
    await ask(0, loadModel.method, { folder: model, device: 'cpu', threads: 1 });
    const answer = complete.result.parse(await ask(1, complete.method, { prefix: 'const value', maxTokens: 4 }));
    assert.equal(answer.alternatives.length, 1);
    engine.disconnect();
    await close;
    assertQuiet(join(project, 'nowhere'));
  });
});

const opened = /\bopenat\((?:AT_FDCWD<(?<cwd>[^>]*)>|\d+<(?<folder>[^>]*)>), "(?<path>[^"]*)", (?<flags>[A-Z_|]+)/;
const named = /\b(?:mkdir|mkdirat|unlink|unlinkat|rename|renameat2?|link|linkat|symlink|symlinkat|rmdir|truncate)\(/;

/** Paths that a traced call makes, changes or removes; devices are none. */
function changed(call: string): string[] {
  if (/ = -1 E[A-Z]+ /.test(call)) return [];
  const open = opened.exec(call)?.groups;
  if (open !== undefined) {
    if (!/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(open.flags) || open.path.startsWith('/dev/')) return [];
    return [open.path.startsWith('/') ? open.path : join(open.cwd ?? open.folder, open.path)];
  }
  if (!named.test(call)) return [];
  return [...call.matchAll(/"([^"]*)"/g)].map(([, path]) => path);
}
