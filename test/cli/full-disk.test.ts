/** Commands on a disk without room: a true sentence, exit code 74, and nothing half written. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSnapshot } from '../../server/search/snapshot.ts';
import { cola } from './cola.ts';

const model = join(import.meta.dirname, '../fixtures/cola/n8-plain');

describe('a full disk', function () {
  this.timeout(60_000);
  let disk = '';
  let mounted = false;

  before(function () {
    disk = mkdtempSync(join(tmpdir(), 'cola-full-'));
    // Only the super-user can make a disk that is small.
    mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0;
    if (!mounted) this.skip();
  });
  after(() => {
    if (mounted) spawnSync('umount', [disk]);
    rmSync(disk, { recursive: true, force: true });
  });
  beforeEach(() => {
    for (const name of readdirSync(disk)) rmSync(join(disk, name), { recursive: true });
  });

  /** Fills the disk but for some bytes. */
  function fill(left: number): void {
    const room = join(disk, 'room');
    if (left > 0) writeFileSync(room, Buffer.alloc(left));
    try {
      for (;;) appendFileSync(join(disk, 'filler'), Buffer.alloc(4096));
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ENOSPC');
    }
    rmSync(room, { force: true });
  }

  /** Runs a command that finds no room, and returns what it said. */
  async function fails(...args: string[]): Promise<string> {
    const { code, stderr, stdout } = await cola(args, { cwd: disk });
    assert.equal(code, 74, stderr);
    const [sentence, remedy, id] = stderr.trimEnd().split('\n').slice(-3);
    assert.match(sentence, /cannot be written \(ENOSPC: no space left on device/);
    assert.match(remedy, /free space/);
    assert.equal(id, '[store.cannotWrite]');
    return stdout;
  }

  it('is told by export, which leaves no folder and no file', async () => {
    fill(8192);
    await fails('export', model, 'out');
    await fails('export', model, 'out.gguf', '--format', 'gguf');
    assert.deepEqual(readdirSync(disk), ['filler']);
  });

  it('is told by feedback export and feedback use; the log stays whole', async () => {
    const folder = join(disk, '.cola/feedback');
    mkdirSync(folder, { recursive: true });
    const text = `${'x'.repeat(999)}\n`.repeat(50);
    writeFileSync(join(folder, 'log.jsonl'), text);
    fill(8192);
    await fails('feedback', 'export', 'copy.jsonl');
    appendFileSync(join(disk, 'filler'), Buffer.alloc(8192));
    await fails('feedback', 'use', 'original');
    assert.equal(readFileSync(join(folder, 'log.jsonl'), 'utf8'), text);
    assert.ok(!existsSync(join(disk, 'copy.jsonl')));
    rmSync(join(disk, 'filler'));
    assert.equal((await cola(['feedback', 'export', 'copy.jsonl'], { cwd: disk })).code, 0);
    assert.equal(readFileSync(join(disk, 'copy.jsonl'), 'utf8'), text);
  });

  const settings = [
    '--ids',
    '85,46,79',
    '--reward',
    '{length: {min: 36, max: 36, unit: characters, slope: 36}}',
    '--simulations',
    '30',
    '--device',
    'cpu',
  ];

  it('does not keep a search from saying what it found; what is there can be read', async () => {
    fill(4096);
    const said = await fails('search', model, ...settings);
    assert.match(said, /Principal variation/);
    assert.match(said, /best of/);
    // It was begun where there was room for that.
    assert.ok((await readSnapshot(join(disk, 'search.json'))).tree.parent.length >= 1);
    assert.deepEqual(readdirSync(disk).sort(), ['filler', 'search.json']);
  });

  it('does not end a search that saves now and then, and is said once', async () => {
    fill(4096);
    const now = performance.now;
    let leaps = 0;
    // Every look at the clock finds that it is time to save.
    performance.now = () => now.call(performance) + 20_000 * leaps++;
    try {
      const { code, stderr, stdout } = await cola(['search', model, ...settings], { cwd: disk });
      assert.equal(code, 74, stderr);
      assert.match(stderr, /search\.json cannot be written \(ENOSPC.*The search goes on/);
      assert.equal(stderr.split('The search goes on').length, 2);
      assert.match(stdout, /Spent: 30 simulations/);
      assert.match(stdout, /Best answer:/);
      assert.match(stderr, /\[store\.cannotWrite\]\s*$/);
    } finally {
      performance.now = now;
    }
    assert.ok((await readSnapshot(join(disk, 'search.json'))).tree.parent.length >= 1);
  });

  it('is not said of a folder that is not there', async () => {
    const { code, stderr } = await cola(['export', model, 'none/out'], { cwd: disk });
    assert.equal(code, 2);
    assert.match(stderr, /Name a file in a folder that is there, or make the folder first\.\n\[store\.cannotWrite\]/);
  });
});
