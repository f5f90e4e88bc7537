/** Experiments in several seeds: what is not known yet is trained and measured, and what is known is judged and written down. */
import { join } from 'node:path';
import { Devices } from '../device/devices.ts';
import { ColaError } from '../errors.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { makeFolder } from '../files/place.ts';
import { Arms, type ArmsOptions, fingerprintOf } from './arms.ts';
import { EvidenceFolder, type Results } from './evidence.ts';
import type { Experiment } from './experiment.ts';
import { type JudgedClaim, judgeClaims } from './judgement.ts';
import { claimsPage } from './page.ts';

export interface ReproduceOptions extends Omit<ArmsOptions, 'devices' | 'onArm'> {
  /** All that there are: the page is about all of them. */
  readonly experiments: readonly Experiment[];
  /** Those that are run. */
  readonly wanted: readonly Experiment[];
  readonly seeds: number;
  /** Where results and the page are. */
  readonly out: string;
  /** Whether the runs stay when their seed is done. */
  readonly keepRuns: boolean;
  /** Whether nothing is run: the page is written from what is known. */
  readonly pageOnly?: boolean;
  /** The text above the page's table, with `{claim.check}` where the value of a check stands. */
  readonly answer?: string | undefined;
  readonly onSeed: (experiment: Experiment, seed: number, known: boolean) => void;
  readonly onArm: (arm: string, run: string, resumed: boolean) => void;
}

export interface Reproduced {
  readonly page: string;
  readonly claims: readonly JudgedClaim[];
  /** Whether it was stopped before all seeds were done. */
  readonly stopped: boolean;
}

const isStop = (error: unknown, signal: AbortSignal) =>
  signal.aborted && (error === signal.reason || (error instanceof ColaError && error.id === 'train.stopped'));

/**
 * Runs what is missing, the cheapest experiment first. Once the signal is aborted, the run that is under way is saved, and what is known is
 * written: the same call goes on.
 */
export async function reproduce(options: ReproduceOptions): Promise<Reproduced> {
  const { experiments, wanted, seeds, out, signal, keepRuns, onSeed } = options;
  const folder = new EvidenceFolder(join(out, 'claims'));
  const known = new Map<string, Results>();
  for (const experiment of experiments)
    known.set(experiment.name, folder.read(experiment.name, fingerprintOf(experiment)));
  if (options.pageOnly === true) return { ...(await writePage(options, known)), stopped: false };
  const devices = new Devices();
  let stopped = false;
  // The device stays open from one arm to the next.
  const held = await devices.take(options.device, options.threads === undefined ? {} : { threads: options.threads });
  try {
    for (const experiment of wanted) {
      for (let seed = 1; seed <= seeds; seed++) {
        const results = known.get(experiment.name);
        if (results === undefined) throw new Error('an experiment that is wanted is none of all');
        const there = Object.hasOwn(results.seeds, seed);
        onSeed(experiment, seed, there);
        if (there) continue;
        signal.throwIfAborted();
        const began = performance.now();
        const arms = new Arms(experiment, seed, { ...options, devices });
        const found = await arms.run();
        const seconds = Math.round((performance.now() - began) / 1000);
        const evidence = { date: new Date().toISOString().slice(0, 10), seconds, ...found };
        const more = { ...results, seeds: { ...results.seeds, [seed]: evidence } };
        // A check that names nothing is found before anything is kept.
        judgeClaims(experiment, more);
        known.set(experiment.name, await folder.write(more));
        await writePage(options, known);
        if (!keepRuns) await arms.clear();
      }
    }
  } catch (error) {
    if (!isStop(error, signal)) throw error;
    stopped = true;
  } finally {
    await held.release();
  }
  return { ...(await writePage(options, known)), stopped };
}

/** Everything that is known, as a page and as JSON. */
async function writePage(
  { experiments, out, answer }: ReproduceOptions,
  known: ReadonlyMap<string, Results>,
): Promise<Pick<Reproduced, 'page' | 'claims'>> {
  const all = experiments.map((experiment) => {
    const results = known.get(experiment.name);
    if (results === undefined) throw new Error('results of an experiment are missing');
    return { experiment, results, claims: judgeClaims(experiment, results) };
  });
  makeFolder(out);
  const page = join(out, 'claims.md');
  const claims = all.flatMap((each) => each.claims);
  await writeFileAtomic(page, claimsPage(all, answer));
  await writeFileAtomic(
    join(out, 'claims.json'),
    `${JSON.stringify({ version: 1, claims: claims.map(brief) }, null, 2)}\n`,
  );
  return { page, claims };
}

/** A claim for a program. */
export const brief = ({ name, experiment, claim, verdict, seeds, checks }: JudgedClaim) => ({
  claim: name,
  experiment,
  says: claim.says,
  paper: claim.paper,
  verdict,
  seeds,
  checks: checks.map(
    ({ name: check, check: { says, above, below, unit }, mean, low, high, verdict: each, seeds: values }) => ({
      check,
      says,
      unit,
      above,
      below,
      mean,
      low: Number.isFinite(low) ? low : null,
      high: Number.isFinite(high) ? high : null,
      seeds: values,
      verdict: each,
    }),
  ),
});
