/**
 * A process in which run specs have one more stage and one more algorithm: it adds their lines to the tables, before anything
 * reads these, and says as JSON what becomes of the spec in the folder that it is given.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, script, root] = process.argv;
if (script === import.meta.filename && root !== undefined) {
  const { algorithmNotes } = await import('../../server/spec/algorithms.ts');
  const { notes, rloo } = await import('./added-algorithm.ts');
  Object.assign(algorithmNotes, { rloo: notes });
  const { algorithms } = await import('../../server/train/algorithms/index.ts');
  Object.assign(algorithms, { rloo });
  const { stages } = await import('../../server/spec/stages.ts');
  const { declaration, polish } = await import('./added-stage.ts');
  Object.assign(stages, { polish: declaration });
  const { stageKinds } = await import('../../server/train/stages/index.ts');
  Object.assign(stageKinds, { polish });

  const { parseSpec, readSpec } = await import('../../server/spec/document.ts');
  const { specParts } = await import('../../server/train/run/spec-memory.ts');
  const { hover } = await import('../../server/language/spec/hover.ts');
  const { completions } = await import('../../server/language/spec/completion.ts');
  const { specMarkdown } = await import('../../server/language/spec/docs.ts');
  const { startRun } = await import('../../server/train/run/job.ts');
  const { closingMeasurement } = await import('../../server/evaluate/closing.ts');
  const { RunList } = await import('../../server/language/runs/list.ts');
  const { runDefaults } = await import('../../server/evaluate/run.ts');
  const { describeRun } = await import('../../src/runs/run-text.ts');

  const specFile = join(root, 'more.cola.yaml');
  const spec = readSpec(specFile);
  const wrong = readFileSync(specFile, 'utf8').replace('polish', 'polich').replace('rloo', 'rlooo');
  const { parts } = await specParts(specFile, {});
  const signal = new AbortController().signal;
  const { runPath, model } = await startRun({
    root,
    runId: 'more',
    spec,
    specFile,
    signal,
    measure: closingMeasurement,
  });
  const [listed] = await new RunList().list([root], process.pid);
  const { text, decoding } = await runDefaults(runPath, model);
  const hovered = hover('stages:\n  - polish: {}\n', { line: 1, character: 6 });
  const offered = completions('stages:\n  - \n', { line: 1, character: 4 });
  const result = {
    problems: parseSpec(wrong, 'wrong').problems.map(({ suggestion }) => suggestion),
    parts: parts.map(({ what, memory }) => ({ what, ...memory() })),
    described: describeRun(listed, undefined),
    hovered: hovered?.contents,
    offered: offered.map(({ label }) => label),
    documented: specMarkdown().includes(declaration.notes) && specMarkdown().includes(notes),
    text: text?.data,
    decoding: decoding ?? 'actions',
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
