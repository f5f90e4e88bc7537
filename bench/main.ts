/** `npm run bench [-- NAME...] [--json]`: measures, as ratios taken in one run. */
import { completionBench } from './completion.ts';
import { decodeBench } from './decode.ts';
import { editorBench } from './editor.ts';
import { feedbackBench } from './feedback.ts';
import { type Measure, table } from './measure.ts';
import { memoryBench, printPeak } from './memory.ts';
import { overheadBench } from './overhead.ts';
import { peerVersions } from './peer.ts';
import { reinforceBench } from './reinforce.ts';
import { searchBench } from './search.ts';
import { trainStepBench } from './train-step.ts';
import { treePageBench } from './tree-page.ts';

const benches = [
  overheadBench,
  trainStepBench,
  memoryBench,
  decodeBench,
  reinforceBench,
  searchBench,
  feedbackBench,
  completionBench,
  editorBench,
  treePageBench,
];

const args = process.argv.slice(2);
if (args[0] === '--peak') {
  await printPeak();
  process.exit(0);
}
const json = args.includes('--json');
const wanted = args.filter((a) => !a.startsWith('--'));
const unknown = wanted.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0 || args.some((a) => a.startsWith('--') && a !== '--json')) {
  console.error(`usage: npm run bench [-- ${benches.map(({ name }) => name).join(' | ')}] [--json]`);
  process.exit(2);
}
const versions = peerVersions();
console.error(
  versions === undefined
    ? 'No python3 with torch and transformers was found: nothing is compared with PyTorch.'
    : `Compared with ${versions}, in turn.`,
);
const all: Measure[] = [];
for (const bench of benches) {
  if (wanted.length > 0 && !wanted.includes(bench.name)) continue;
  console.error(`${bench.name}: ${bench.about}`);
  const measures = await bench.run();
  all.push(...measures);
  if (!json) console.log(`${table(measures)}\n`);
}
if (json) console.log(JSON.stringify(all, null, 2));
process.exit(0);
