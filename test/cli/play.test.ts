import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../support/bundled.ts';
import { OpenenvServer } from '../support/openenv-server.ts';
import { cola } from './cola.ts';

describe('cola play', function () {
  this.timeout(120_000);
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cola-play-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const played = async (...args: string[]) => {
    const { code, stdout, stderr } = await cola(['play', ...args, '--json'], { cwd: folder });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };

  it('lets a person write the steps, and says on the way what can be done', async () => {
    const lines = ['?', 'go to fridge 1', 'fly to the moon', ''];
    const { code, stdout } = await cola(['play', 'household', '--seed', '4'], { lines });
    assert.equal(code, 0);
    assert.match(stdout, /Your task: /);
    assert.match(stdout, /> go to countertop 1 · .*go to fridge 1/);
    assert.match(stdout, /You are at fridge 1\. It is closed\.\n> Nothing happened\./);
    assert.match(stdout, /Not over after 2 turns\. Reward: 0\.\n$/);
  });

  it('ends where the lines end, and where there are none', async () => {
    for (const options of [{ lines: ['go to fridge 1'] }, {}]) {
      const { code, stdout } = await cola(['play', 'household', '--seed', '4'], options);
      assert.equal(code, 0);
      assert.match(stdout, /Not over after [01] turns/);
    }
  });

  it('reads standard input, which may stay open', async () => {
    const child = spawn(process.execPath, [program('cola'), 'play', 'guess-the-rule', '--turns', '2']);
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (data) => {
      stdout += data;
    });
    child.stdin.write('try 2 4 6\ntry 1 2 3\n');
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0);
    assert.match(stdout, /> (Yes|No)\.\n> (Yes|No)\.\n\nNot over after 2 turns/);
  });

  for (const name of ['household', 'guess-the-rule']) {
    it(`${name}: who knows how solves it, seen or not; chance does the same twice`, async () => {
      for (const side of [[], ['--unseen']]) {
        for (const seed of ['0', '1', '2']) {
          const { reward, done } = await played(name, '--expert', '--seed', seed, ...side);
          assert.deepEqual({ reward, done }, { reward: 1, done: true });
        }
      }
      const chance = await played(name, '--random', '--seed', '5', '--turns', '6');
      assert.deepEqual(await played(name, '--random', '--seed', '5', '--turns', '6'), chance);
      assert.ok(chance.turns.length > 0 && chance.turns.length <= 6);
    });
  }

  it('lets a model act, by its actions and by its tokens, the same with the same seed', async () => {
    const acts = (...more: string[]) =>
      played('household', '--model', 'builtin:nano', '--turns', '2', '--device', 'cpu', '--temperature', '1', ...more);
    const first = await acts();
    assert.ok(first.turns.length > 0 && first.turns.length <= 2);
    assert.match(first.start, /Your task: /);
    assert.deepEqual(await acts(), first);
    assert.notDeepEqual((await acts('--tokens')).turns, first.turns);
  });

  it("plays an environment of one's own", async () => {
    writeFileSync(
      join(folder, 'echo.mjs'),
      `export default {
        instructions: 'Say hello.',
        create: () => ({
          reset: () => 'Somebody is there.',
          step: (text) => ({ observation: 'You said ' + text + '.', reward: text === 'hello' ? 1 : 0, done: text === 'hello' }),
        }),
      };`,
    );
    const { stdout } = await cola(['play', 'echo.mjs'], { cwd: folder, lines: ['?', 'bye', 'hello'] });
    assert.match(stdout, /does not say what can be done[\s\S]*You said bye\.[\s\S]*Over after 2 turns\. Reward: 1\./);
    const { code, stderr } = await cola(['play', 'echo.mjs', '--expert'], { cwd: folder });
    assert.equal(code, 2);
    assert.match(stderr, /has no expert/);
  });

  it('plays an environment of an OpenEnv server, on this machine alone', async () => {
    const server = await OpenenvServer.start();
    try {
      const { stdout } = await cola(['play', server.url, '--seed', '4'], { cwd: folder, lines: ['hello', '8'] });
      assert.match(stdout, /Seed 8\. Guess\.[\s\S]*No number\.[\s\S]*Over after 2 turns\. Reward: 1\./);
    } finally {
      await server.stop();
    }
    const { code, stderr } = await cola(['play', 'ws://example.invalid:8000'], { cwd: folder });
    assert.equal(code, 2);
    assert.match(stderr, /example\.invalid is on another machine[\s\S]*COLA_OPENENV_HOSTS=example\.invalid/);
  });

  it('plays the environment of a run spec, with the tools of an MCP server', async () => {
    const script = join(import.meta.dirname, '../support/mcp-server.mjs');
    mkdirSync(join(folder, 'specs'), { recursive: true });
    writeFileSync(join(folder, 'specs/tasks.csv'), 'question,answer\nWhat is 2 + 3?,5\nWhat is 1 + 1?,2\n');
    const mcp = { command: [process.execPath, script], prompts: 'tasks.csv', reward: 'numeric', tools: ['add'] };
    const spec = { model: 'builtin:nano', stages: [{ reinforce: { environment: { mcp } } }] };
    writeFileSync(join(folder, 'specs/run.yaml'), JSON.stringify(spec));
    const call = '<tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</tool_call>';
    const { stdout, stderr } = await cola(['play', 'specs/run.yaml'], { cwd: folder, lines: [call, '5'] });
    assert.match(
      stdout,
      /You have these tools.*\n\{"name":"add".*\n\nWhat is 2 \+ 3\?\n> 5\n> Right\.\n\nOver after 2 turns\. Reward: 1\./,
      stderr,
    );
    const bare = { model: 'builtin:nano', stages: [{ reinforce: { prompts: 'countdown', reward: 'countdown' } }] };
    writeFileSync(join(folder, 'bare.yaml'), JSON.stringify(bare));
    const none = await cola(['play', 'bare.yaml'], { cwd: folder });
    assert.match(none.stderr, /No stage of the run spec .*bare\.yaml acts in an environment/);
  });

  it('says what it does not know, and that one only can act', async () => {
    for (const [args, said] of [
      [['houshold'], /no environment called "houshold".*\n?.*household, guess-the-rule/],
      [['gone.mjs'], /gone\.mjs does not exist/],
      [['household', '--expert', '--random'], /Only one can act/],
    ] as const) {
      const { code, stderr } = await cola(['play', ...args], { cwd: folder });
      assert.equal(code, 2);
      assert.match(stderr, said);
    }
  });
});
