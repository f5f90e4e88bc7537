/** The requests of the pages about runs, answered from the files of the runs as the extension does. */
import { compareRuns, describeRun, viewOf } from '../../server/language/runs/history.ts';
import { RunList } from '../../server/language/runs/list.ts';
import { compareSettings, runDetails, runMetrics, runSamples } from '../../server/protocol/history.ts';
import { chooseRuns, compareSubject, dashboardSubject } from '../../server/protocol/pages/run.ts';
import { listRuns, type RunKey } from '../../server/protocol/runs.ts';
import { readRunMetrics, readRunSamples } from '../../server/store/run-history.ts';
import type { PageInChromium } from './page-in-chromium.ts';

/** Answers what a dashboard reads; null for one that has no run. */
export function answerDashboard(shown: PageInChromium, subject: RunKey | null): PageInChromium {
  const runs = new RunList();
  return answerMetrics(shown)
    .answer(dashboardSubject, () => ({ subject }))
    .answer(listRuns, async ({ roots }) => ({ runs: await runs.list(roots, process.pid) }))
    .answer(runDetails, (key) => describeRun(key))
    .answer(runSamples, ({ root, run, ...range }) => readRunSamples(viewOf({ root, run }).path, range));
}

/** Answers what a comparison reads. */
export function answerComparison(shown: PageInChromium, subject: RunKey[]): PageInChromium {
  return answerMetrics(shown)
    .answer(compareSubject, () => ({ subject }))
    .answer(chooseRuns, () => ({ subject }))
    .answer(compareSettings, ({ runs }) => compareRuns(runs));
}

function answerMetrics(shown: PageInChromium): PageInChromium {
  return shown.answer(runMetrics, ({ root, run, ...query }) => readRunMetrics(viewOf({ root, run }).path, query));
}
