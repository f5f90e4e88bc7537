/** A run as a page, for whoever has no editor. */
import { writeFileAtomic } from '../files/atomic.ts';
import type { ParamsOf } from '../protocol/channel/request.ts';
import type { reportRun } from '../protocol/runs.ts';
import { reportPage } from '../report/page.ts';
import { readRunRecord } from '../report/run-record.ts';
import { versions } from '../report/versions.ts';
import { runFolder } from '../store/run.ts';

/** @throws store.*, spec.*, files.* */
export async function writeReport({ root, run, file }: ParamsOf<typeof reportRun>): Promise<Record<string, never>> {
  const record = await readRunRecord(runFolder(root, run));
  await writeFileAtomic(file, reportPage({ title: run, runs: [record], facts: versions() }));
  return {};
}
