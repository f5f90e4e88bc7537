/** The measures at the end of a run: what they find is said, and kept in evaluation.json. */
import type { ClosingMeasurement } from '../train/run/job.ts';
import { compareEvaluations, comparisonTable, tableText } from './compare.ts';
import { evaluateRun } from './run.ts';

export const closingMeasurement: ClosingMeasurement = async (run, device, { signal, cacheFolder, say }) => {
  const evaluation = await evaluateRun(run.path, device, { signal, cacheFolder, onProgress: say });
  say(tableText(comparisonTable(compareEvaluations([{ label: run.id, evaluation }]))));
  for (const { measure, reason } of evaluation.skipped) say(`${measure} was not taken: ${reason}.`);
};
