/** A simulated person with the model in the box: what they get out of it, and how long an update on 100 moments takes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoadedModel } from '../server/completion/loaded-model.ts';
import type { FeedbackLine } from '../server/feedback/lines.ts';
import { FeedbackLog, feedbackFile } from '../server/feedback/log.ts';
import { PolicyVersions } from '../server/feedback/versions.ts';
import { Random } from '../server/random.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { feedbackSettings } from '../server/spec/settings/feedback.ts';
import { placesOf, SimulatedPerson, usefulnessOf } from '../server/tuning/simulated-person.ts';
import { Tuner } from '../server/tuning/tuner.ts';
import type { Bench, Measure } from './measure.ts';

const moments = 100;
const rounds = 3;

/** Source files of this repository, which the model was not trained on. */
function sources() {
  const folder = join(process.cwd(), 'server', 'train');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}

export const feedbackBench: Bench = {
  name: 'feedback',
  about: 'a simulated person, and an update of the policy on what they did',
  async run(device) {
    const model = await LoadedModel.load({ folder: resolveModel('builtin:nano', ''), device });
    const tuner = new Tuner(model.device, model.cola, model.policy.own);
    const folder = mkdtempSync(join(tmpdir(), 'cola-bench-'));
    try {
      const person = new SimulatedPerson(model);
      const sittings = [];
      const lines: FeedbackLine[] = [];
      for (const [i, place] of placesOf(sources(), moments, new Random(1)).entries()) {
        const sitting = await person.sit(place, `m${i}`, i + 1);
        sittings.push(sitting);
        lines.push(...sitting.lines);
      }
      const { first, any, saved, milliseconds } = usefulnessOf(sittings);
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const root = join(folder, String(round));
        const log = new FeedbackLog(feedbackFile(root));
        log.append(lines);
        const started = performance.now();
        await tuner.tune(log, new PolicyVersions(root), {
          settings: feedbackSettings.parse({}),
          signal: new AbortController().signal,
        });
        seconds.push((performance.now() - started) / 1000);
      }
      const measures: Measure[] = [
        { name: 'acceptance@1, a word at least', value: 100 * first, unit: '%' },
        { name: 'acceptance@8', value: 100 * any, unit: '%' },
        { name: 'characters saved, a place', value: saved, unit: '' },
        { name: 'eight alternatives, median', value: milliseconds, unit: 'ms' },
        {
          name: `update on ${moments} moments, reading, judging and saving included`,
          value: Math.min(...seconds.slice(1)),
          unit: 's',
          against: `the first time, with compiling, ${seconds[0].toFixed(2)} s`,
          ratio: Math.min(...seconds.slice(1)) / seconds[0],
        },
      ];
      return measures;
    } finally {
      await tuner.dispose();
      await model.release();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
