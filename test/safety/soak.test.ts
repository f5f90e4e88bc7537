/**
 * Training and completion for a long time: two hours side by side in the slow form (COLA_SOAK: seconds), half a minute else. After
 * the warm-up memory is level: the median of the slopes between all pairs of samples (Theil and Sen), which single jumps of the
 * collector and of the C library do not move.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MemorySample } from './soak-child.ts';

const slow = process.env.COLA_SLOW === '1';
const seconds = Number(process.env.COLA_SOAK ?? (slow ? 7500 : 20));
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

describe(`memory over ${seconds} s`, function () {
  this.timeout(4 * 3_600_000);
  for (const kind of ['train', 'complete']) {
    it(`is level while it ${kind === 'train' ? 'trains' : 'completes'}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'cola-soak-'));
      try {
        const child = join(import.meta.dirname, 'soak-child.ts');
        const env = { ...process.env, NODE_V8_COVERAGE: undefined };
        const args = ['--expose-gc', '--import', 'tsx', child, kind, String(seconds), folder];
        await promisify(execFile)(process.execPath, args, { env });
        const lines = readFileSync(join(folder, 'memory.jsonl'), 'utf8').trimEnd().split('\n');
        const all = lines.map((line) => JSON.parse(line) as MemorySample);
        const warm = all.filter((sample) => sample.seconds > seconds * (slow ? 0.4 : 0.5));
        assert.ok(warm.length > 20 && warm[warm.length - 1].count - warm[0].count > 20, `${warm.length} samples`);
        const slopes = Object.entries(allowed).map(([part, most]) => {
          const slope = slopeOf(warm, part as 'rss' | 'heapUsed' | 'external');
          return { part, slope, most };
        });
        const words = slopes.map(({ part, slope }) => `${part} ${slope.toFixed(1)}`).join(', ');
        if (slow) console.log(`      ${all[all.length - 1].count} steps, bytes a step after the warm-up: ${words}`);
        for (const { part, slope, most } of slopes)
          assert.ok(slope < most, `${part}: ${slope.toFixed(1)} bytes a step`);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }

  it('would be seen to rise', () => {
    const rising = Array.from({ length: 50 }, (_, i) => ({
      ...{ count: 10 * i, seconds: i, external: 0, arrayBuffers: 0, heapUsed: 0 },
      // 3 kB a step under jumps of a megabyte.
      rss: 30_000 * i + (i % 7 === 0 ? 1e6 : 0),
    }));
    assert.ok(slopeOf(rising, 'rss') > 2900 && slopeOf(rising, 'rss') < 3100);
  });
});
