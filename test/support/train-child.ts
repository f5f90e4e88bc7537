/**
 * A process that trains and may be killed: the first argument is a JSON file with `root`, `id`, the `spec` for a run that
 * is to be started, and `killAt` for the number of the step after which it kills itself.
 */
import { existsSync, readFileSync } from 'node:fs';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { runFolder } from '../../server/store/run.ts';
import { resume, start } from './runs.ts';

interface Job {
  readonly root: string;
  readonly id: string;
  /** As it is written in YAML. */
  readonly spec: unknown;
  readonly killAt?: number;
}

const [, script, file] = process.argv;
if (script === import.meta.filename && file !== undefined) {
  const { root, id, spec, killAt } = JSON.parse(readFileSync(file, 'utf8')) as Job;
  let steps = 0;
  const parts = {
    root,
    id,
    onEvent: ({ kind }: { kind: string }) => {
      if (kind === 'stage') process.stdout.write('begun\n');
      if (kind === 'step' && ++steps === killAt) process.kill(process.pid, 'SIGKILL');
    },
  };
  if (existsSync(runFolder(root, id))) await resume(parts);
  else await start(parts, toRunSpec(runSpec.parse(spec)));
}
