import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../store/scratch.ts';

const beside = join(import.meta.dirname, '../../scripts/tests/beside.mjs');

describe('test files that run beside each other', function () {
  this.timeout(60_000);
  const scratch = scratchFolder();

  /** Runs files of these names and texts in two processes. */
  function run(files: Readonly<Record<string, string>>, options: readonly string[] = []) {
    const paths = Object.entries(files).map(([name, text]) => {
      writeFileSync(scratch(name), text);
      return scratch(name);
    });
    // What all tests load before the first is not asked for here, and is most of what a process costs.
    writeFileSync(scratch('mocha.json'), '{ "timeout": 60000 }');
    const { status, stdout } = spawnSync(
      process.execPath,
      [beside, '--config', scratch('mocha.json'), '--counts', scratch('counts.json'), ...options, ...paths],
      {
        encoding: 'utf8',
        // As on machines that ask every program for colours.
        env: { ...process.env, FORCE_COLOR: '1' },
      },
    );
    return { status, stdout, counts: JSON.parse(readFileSync(scratch('counts.json'), 'utf8')) };
  }

  const passing = `describe('good', () => { it('passes', () => {}); it('waits'); });`;

  it('are counted together, each says how it went, and which needed a second try where that is allowed', () => {
    const mark = JSON.stringify(scratch('tried'));
    // What it has left in its process would have the second try fail too.
    const late = `import { existsSync, writeFileSync } from 'node:fs';
      it('is late', () => { if (!existsSync(${mark})) { writeFileSync(${mark}, ''); throw new Error('too late'); } });
      it('finds nothing', () => { if (globalThis.left) throw new Error('it does'); globalThis.left = true; });`;
    const files = { 'a.test.mjs': passing, 'late.test.mjs': late, 'b.test.mjs': passing };
    const { status, stdout, counts } = run(files, ['--again']);
    assert.equal(status, 0, stdout);
    assert.deepEqual({ ...counts, retried: counts.retried.length }, { passes: 4, failures: 0, failed: [], retried: 1 });
    assert.ok(stdout.lastIndexOf('late.test.mjs  ') > stdout.indexOf('b.test.mjs  '), 'it is tried behind all others');
    for (const name of ['a', 'b', 'late']) assert.match(stdout, new RegExp(`${name}\\.test\\.mjs  \\d+\\.\\d s`));
    assert.match(stdout, /✔ passes/);
    assert.match(stdout, /Needed a second try:\n.*late\.test\.mjs: is late\n +Error: too late/);
  });

  it('fail where the second try does, with its errors', () => {
    const never = `it('is wrong', () => { throw new Error('process ' + process.pid); }); it('is right', () => {});`;
    const { status, counts } = run({ 'never.test.mjs': never }, ['--again']);
    assert.equal(status, 1);
    assert.deepEqual([counts.passes, counts.failures, counts.retried.length], [1, 1, 1]);
    const [first, second] = [counts.retried[0], counts.failed[0]].map((text) => /process \d+/.exec(text)?.[0]);
    assert.notEqual(first, second, 'it is another process');
  });

  it('fail where one fails, cannot be read, is empty, keeps to one test, or ends its process, and the others still run', () => {
    const { status, stdout, counts } = run({
      'failing.test.mjs': `it('is wrong', () => { throw new Error('not so'); }); it('is right', () => {});`,
      'broken.test.mjs': 'describe(',
      'empty.test.mjs': '',
      'only.test.mjs': `it.only('alone', () => {}); it('left out', () => {});`,
      'dying.test.mjs': `it('ends', () => { process.kill(process.pid, 'SIGKILL'); });`,
      'last.test.mjs': passing,
    });
    assert.equal(status, 1);
    assert.deepEqual([counts.passes, counts.failures], [2, 5]);
    // What is repeated at the end of the whole suite.
    assert.match(
      counts.failed.find((text: string) => text.includes('is wrong')),
      /is wrong\n +Error: not so/,
    );
    for (const said of [
      /failing\.test\.mjs: is wrong/,
      /not so/,
      /broken\.test\.mjs: SyntaxError/,
      /empty\.test\.mjs: .*no tests/,
      /only\.test\.mjs: .*\.only/,
      /dying\.test\.mjs: the process of the tests ended: SIGKILL/,
    ])
      assert.match(stdout, said);
  });

  it('share a process, but for those that are to be alone; those to be together do, however few one may run', () => {
    const shown = (name: string) => `it('shows', () => { console.log('process ${name}=' + process.pid); });`;
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const file = (name: string) => scratch(`${name}.test.mjs`);
    const options = [
      ...['--processes', '1', '--most', '2', '--alone', file('b')],
      ...['e', 'f', 'g'].flatMap((name) => ['--together', file(name)]),
    ];
    const { status, stdout } = run(Object.fromEntries(names.map((name) => [`${name}.test.mjs`, shown(name)])), options);
    assert.equal(status, 0, stdout);
    const pids = Object.fromEntries([...stdout.matchAll(/process (\w)=(\d+)/g)].map(([, name, pid]) => [name, pid]));
    assert.equal(new Set(['a', 'b', 'c', 'e'].map((name) => pids[name])).size, 4);
    assert.equal(pids.c, pids.d);
    assert.deepEqual([pids.f, pids.g], [pids.e, pids.e]);
  });

  it('fail by a rejection that nobody handles, however many files the process has run before', () => {
    const lost = `it('forgets', async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 50)); });`;
    const before = Array.from({ length: 14 }, (_, i) => [`${String(i).padStart(2, '0')}.test.mjs`, passing]);
    const { status, stdout, counts } = run({ ...Object.fromEntries(before), 'lost.test.mjs': lost }, [
      '--processes',
      '1',
    ]);
    assert.equal(status, 1);
    assert.deepEqual([counts.passes, counts.failures], [14, 1]);
    assert.match(stdout, /lost\.test\.mjs: forgets\n +Error: lost/);
  });
});
