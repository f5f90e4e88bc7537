/** `cola report`: runs as one page that needs no network. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { writeFileAtomic } from '../../files/atomic.ts';
import { reportPage } from '../../report/page.ts';
import { readRunRecord } from '../../report/run-record.ts';
import { versions } from '../../report/versions.ts';
import { runFolder } from '../../store/run.ts';
import { type JsonOption, withExamples, withJson } from '../options.ts';
import type { Session } from '../session.ts';

type Options = JsonOption & { readonly html: string; readonly root: string; readonly title?: string };

export function addReport(program: Command, session: Session): void {
  const command = program
    .command('report')
    .description(
      'Write runs as one HTML page: curves, before and after, samples with their actions, codebook, settings.',
    )
    .argument('<run...>', 'names of runs in .cola/runs, or their folders; name=run sets the heading')
    .requiredOption('--html <file>', 'the page')
    .option('--root <folder>', 'folder whose .cola/runs holds the runs', '.')
    .option('--title <text>', 'title of the page');
  withExamples(withJson(command), [
    'report countdown --html countdown.html',
    'report actions=first tokens=second --html both.html --title "Actions and tokens"',
  ]).action((names: string[], options: Options) =>
    session.perform(options.json === true, async (output) => {
      const root = resolve(session.cwd, options.root);
      const runs = await Promise.all(names.map((name) => recordOf(name, session.cwd, root)));
      const page = reportPage({
        title: options.title ?? runs.map(({ label }) => label).join(' and '),
        runs,
        facts: versions(),
      });
      const file = resolve(session.cwd, options.html);
      await writeFileAtomic(file, page);
      output.line(`Report: ${file}`);
      return { value: { report: file, runs: runs.map(({ path }) => path) }, ok: true };
    }),
  );
}

function recordOf(text: string, cwd: string, root: string) {
  const folder = (name: string) =>
    existsSync(resolve(cwd, name, 'spec.yaml')) ? resolve(cwd, name) : runFolder(root, name);
  const at = text.lastIndexOf('=');
  return at <= 0 ? readRunRecord(folder(text)) : readRunRecord(folder(text.slice(at + 1)), text.slice(0, at));
}
