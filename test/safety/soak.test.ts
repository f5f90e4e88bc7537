/**
 * Training and completion for a long time: two hours side by side in the slow form (COLA_SOAK: seconds), seconds else.
 * COLA_SOAK_SHARE is the share of a core that both take together, for a machine that has other work. After
 * the warm-up memory is level: the median of the slopes between all pairs of samples (Theil and Sen), which single jumps of the
 * collector and of the C library do not move.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { program } from '../support/bundled.ts';
import { tokenizerFolder } from '../support/runs.ts';
import { record } from './results.ts';
import type { MemorySample } from './soak-child.ts';

const slow = process.env.COLA_SLOW === '1';
const seconds = Number(process.env.COLA_SOAK ?? (slow ? 7500 : 3));
const share = Number(process.env.COLA_SOAK_SHARE ?? 2);
/** Bytes a step or request that memory may rise by: a forgotten tensor or row would be more. Short runs still warm up. */
const allowed = slow ? { heapUsed: 64, external: 16, rss: 256 } : { heapUsed: 8192, external: 2048 };

/** Bytes by which a part rises with each step. */
function slopeOf(samples: readonly MemorySample[], part: 'rss' | 'heapUsed' | 'external'): number {
  const slopes: number[] = [];
  for (const [i, a] of samples.entries())
    for (const b of samples.slice(i + 1)) if (b.count > a.count) slopes.push((b[part] - a[part]) / (b.count - a.count));
  slopes.sort((x, y) => x - y);
  return slopes[Math.floor(slopes.length / 2)];
}

/** What memory did in one process. */
async function soak(kind: string): Promise<{ samples: MemorySample[]; warm: MemorySample[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'cola-soak-'));
  try {
    if (slow) console.log(`      ${kind}: samples in ${folder}/memory.jsonl`);
    const args = [
      '--expose-gc',
      program('soak-child'),
      kind,
      String(seconds),
      folder,
      String(share / 2),
      tokenizerFolder,
    ];
    await promisify(execFile)(process.execPath, args);
    const lines = readFileSync(join(folder, 'memory.jsonl'), 'utf8').trimEnd().split('\n');
    const samples = lines.map((line) => JSON.parse(line) as MemorySample);
    const warm = slow ? samples.filter((sample) => sample.seconds > seconds * 0.4) : samples.slice(samples.length / 2);
    return { samples, warm };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe(`memory over ${seconds} s`, function () {
  this.timeout(4 * 3_600_000);
  const kinds = ['train', 'complete'] as const;
  const running = new Map<string, ReturnType<typeof soak>>();
  before(() => {
    for (const kind of kinds) {
      const child = soak(kind);
      // Told by the test that waits for it.
      child.catch(() => {});
      running.set(kind, child);
    }
  });

  for (const kind of kinds) {
    it(`is level while it ${kind === 'train' ? 'trains' : 'completes'}`, async () => {
      const { samples, warm } = (await running.get(kind)) ?? assert.fail();
      const [first, last] = [warm[0], samples[samples.length - 1]];
      assert.ok(warm.length > (slow ? 20 : 12) && last.count - first.count > 20, `${warm.length} samples`);
      const slopes = Object.entries(allowed).map(([part, most]) => {
        const slope = slopeOf(warm, part as 'rss' | 'heapUsed' | 'external');
        return { part, slope, most };
      });
      if (slow) {
        const slope = Object.fromEntries(slopes.map((each) => [each.part, Number(each.slope.toFixed(2))]));
        const { seconds: whole, count: steps, cpu } = last;
        const found = { seconds: whole, steps, cpuSeconds: cpu, warmFrom: first, last, bytesAStepAfterWarmUp: slope };
        console.log(`      ${kind}: ${JSON.stringify(found)}`);
        record(`soak ${kind}`, found);
      }
      for (const { part, slope, most } of slopes) assert.ok(slope < most, `${part}: ${slope.toFixed(1)} bytes a step`);
    });
  }

  it('would be seen to rise', () => {
    const rising = Array.from({ length: 50 }, (_, i) => ({
      ...{ count: 10 * i, seconds: i, cpu: i, external: 0, arrayBuffers: 0, heapUsed: 0 },
      // 3 kB a step under jumps of a megabyte.
      rss: 30_000 * i + (i % 7 === 0 ? 1e6 : 0),
    }));
    assert.ok(slopeOf(rising, 'rss') > 2900 && slopeOf(rising, 'rss') < 3100);
  });
});
