/**
 * Simulates larger clusters from what was measured, into docs/results/cluster.json, and prints the table of docs/cluster.md.
 * Usage: COLA_CALIBRATION=FILE npm run bench -- cluster, then npx tsx scripts/results/cluster.ts FILE; without a file it begins with
 * what the result has.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  allResults,
  type Calibration,
  links,
  type Result,
  round,
  sizesOf,
  speeds,
  ways,
} from '../../bench/cluster/sizes.ts';

const output = fileURLToPath(new URL('../../docs/results/cluster.json', import.meta.url));
const [, , file] = process.argv;
type Measured = { rows: unknown; calibration: Calibration };
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown;
const measured = (file === undefined ? (read(output) as { measured: Measured }).measured : read(file)) as Measured;
const results = allResults(measured.calibration);
const short = (x: number) => Number(x.toPrecision(4));
const points = ({ points: all }: Result) =>
  all.map(({ workers, seconds, speedup, rollout, busy, link, learner }) => ({
    ...{ workers, seconds: short(seconds), speedup: short(speedup), rollout: short(rollout) },
    ...{ busy: short(busy), link: short(link), learner: short(learner) },
  }));
const sizes = sizesOf(measured.calibration);
const simulated = results.map((result) => ({ ...result, points: points(result) }));
writeFileSync(output, `${JSON.stringify({ measured, round, sizes, simulated })}\n`);

const words = { gradients: 'a gradient a shard', sums: 'sums by pairs', hidden: 'h', base: 'the whole base' } as const;
for (const speed of speeds) {
  console.log(
    `\n| workers of ${speed} core${speed === 1 ? '' : 's'} | ${links.map((n) => `${n} Gbit/s`).join(' | ')} |`,
  );
  console.log(`|---|${links.map(() => '---').join('|')}|`);
  for (const size of sizes)
    for (const way of ways) {
      const cells = links.map((gigabits) => {
        const found = results.find(
          (r) => r.size === size.name && r.way === way && r.gigabits === gigabits && r.speed === speed,
        );
        return found === undefined ? '' : `${found.good}${found.limit === undefined ? '' : `, ${found.limit}`}`;
      });
      console.log(`| ${size.name}, ${words[way]} | ${cells.join(' | ')} |`);
    }
}
