/**
 * Model folders that mean ill, given to a real engine: each ends within ten seconds of computing, with an error of the catalogue or a model that
 * completes; its memory is bounded, and the engine lives and goes on with the model in the box. The short form takes every fourth,
 * and looks at the model in the box behind every twentieth of them.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Its errors are among those that are known.
import '../../server/completion/errors.ts';
import { ColaError, knownErrorIds } from '../../server/errors.ts';
import { EngineLink } from '../../server/language/engine/link.ts';
import { complete } from '../../server/protocol/completion.ts';
import { loadModel } from '../../server/protocol/model.ts';
import { makeModel } from '../engine/tiny-model.ts';
import { program } from '../support/bundled.ts';
import { hostileFolders } from './hostile-models.ts';
import { record } from './results.ts';

const slow = process.env.COLA_SLOW === '1';
const box = join(import.meta.dirname, '../../assets/nano');
/** Seconds of computing, which other work on the machine does not stretch; what waits for something ends by the clock. */
const most = { seconds: 10, onTheClock: 60, bytes: 2.5e9 };
/** What a person may have written: much of one letter, which is what expressions that take long take long for. */
const text = `const a = 1;\n${'a'.repeat(40)}! ${'a'.repeat(300)}\n`;
const chosen = hostileFolders.filter((_, i) => slow || i % 4 === Number(process.env.COLA_QUARTER ?? 0));

/** Seconds that a process has computed, all of its threads; undefined where nothing tells. */
function computedBy(pid: number | undefined): number | undefined {
  if (process.platform !== 'linux' || pid === undefined) return undefined;
  const [, fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  // The clock of the kernel's figures has a hundred ticks a second on every Linux there is.
  return (user + system) / 100;
}

/** The most memory that a process has had since it was asked last; undefined where nothing tells. */
function peakOf(pid: number | undefined): number | undefined {
  if (process.platform !== 'linux' || pid === undefined) return undefined;
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Then it is the most since the process began, which is more.
  }
  return 1024 * Number(kilobytes);
}

describe(`${chosen.length} of ${hostileFolders.length} model folders that mean ill`, function () {
  this.timeout(600_000);
  let scratch = '';
  let good = '';
  let engine: EngineLink;
  const exits: string[] = [];
  const known = new Set(knownErrorIds());
  let number = 0;
  const counts: Record<string, number> = {};
  let slowest = { name: '', seconds: 0 };
  let largest = { name: '', bytes: 0 };

  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'cola-hostile-'));
    good = await makeModel(join(scratch, 'good'));
    engine = new EngineLink({ file: program('engine') }, { log() {}, exit: (why) => exits.push(why) });
    await answers(good);
  });
  after(async () => {
    // What ends by being closed is not lost.
    const lost = exits.length;
    await engine.close(20);
    rmSync(scratch, { recursive: true, force: true });
    if (!slow) return;
    console.log(`      ${JSON.stringify({ counts, slowest, largest })}`);
    record('hostile models', { folders: number, counts, slowest, largest, lost });
  });

  async function answers(folder: string): Promise<void> {
    await engine.ask(loadModel, { folder, device: 'cpu', threads: 1 });
    const { alternatives } = await engine.ask(complete, { prefix: text, maxTokens: 8 });
    // One whose vocabulary is all holes may have nothing to say.
    assert.ok(alternatives.length > 0 || folder.endsWith('spoilt'));
  }

  for (const { name, ends, spoil } of chosen) {
    it(name, async () => {
      const folder = join(scratch, 'spoilt');
      rmSync(folder, { recursive: true, force: true });
      cpSync(good, folder, { recursive: true });
      spoil(folder);
      peakOf(engine.pid);
      const begun = performance.now();
      const computed = computedBy(engine.pid);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        // What does not end is ended, so that the other cases have an engine.
        timer = setTimeout(() => reject(new Error(`not ended in ${most.onTheClock} s`)), 1000 * most.onTheClock);
      });
      let end = 'loads';
      try {
        await Promise.race([answers(folder), late]);
      } catch (error) {
        assert.ok(error instanceof ColaError, String(error));
        assert.ok(known.has(error.id) && error.id !== 'protocol.internal', error.describe());
        end = error.id;
      } finally {
        clearTimeout(timer);
      }
      const computedThen = computedBy(engine.pid);
      const seconds =
        computed === undefined || computedThen === undefined
          ? (performance.now() - begun) / 1000
          : computedThen - computed;
      assert.ok(seconds < most.seconds, `${seconds} s`);
      if (seconds > slowest.seconds) slowest = { name, seconds };
      counts[end] = (counts[end] ?? 0) + 1;
      assert.deepEqual(exits, [], 'the engine lives');
      const bytes = peakOf(engine.pid);
      if (bytes !== undefined) {
        if (bytes > largest.bytes) largest = { name, bytes };
        assert.ok(bytes < most.bytes, `${(bytes / 1e6).toFixed(0)} MB`);
      }
      assert.match(end, ends === 'loads' ? /^loads$/ : ends);
      if (slow || number % 20 === 0) await answers(existsSync(box) ? box : good);
      number++;
    });
  }
});
