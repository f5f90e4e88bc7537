/** `npm run bench [-- NAME...] [--device D] [--json]`: measures, as ratios taken in one run. */
import { parseArgs } from 'node:util';
import { type DeviceName, deviceNames } from '../server/device/names.ts';
import { agentsBench } from './agents.ts';
import { besideBench } from './beside.ts';
import { clusterBench } from './cluster/cluster.ts';
import { completionBench } from './completion.ts';
import { decodeBench } from './decode.ts';
import { editorBench } from './editor.ts';
import { estimateBench } from './estimate.ts';
import { feedbackBench } from './feedback.ts';
import { fitBench, printFit } from './fit.ts';
import { grpoBench } from './grpo.ts';
import { arms, type RoundOptions, serveRounds } from './grpo-round.ts';
import { type Measure, table } from './measure.ts';
import { memoryBench, printPeak } from './memory.ts';
import { overheadBench } from './overhead.ts';
import { peerVersions } from './peer.ts';
import { reinforceBench } from './reinforce.ts';
import { requestsBench } from './requests.ts';
import { rolloutBench } from './rollout.ts';
import { searchBench } from './search.ts';
import { serveBench } from './serve.ts';
import { trainStepBench } from './train-step.ts';
import { treePageBench } from './tree-page.ts';
import { layouts, printWeights, weightsBench } from './weights.ts';

const benches = [
  overheadBench,
  trainStepBench,
  memoryBench,
  fitBench,
  weightsBench,
  decodeBench,
  reinforceBench,
  rolloutBench,
  grpoBench,
  clusterBench,
  agentsBench,
  searchBench,
  serveBench,
  feedbackBench,
  completionBench,
  besideBench,
  estimateBench,
  requestsBench,
  editorBench,
  treePageBench,
];

if (process.argv[2] === '--peak') {
  await printPeak();
  process.exit(0);
}

if (process.argv[2] === '--fit') {
  await printFit(process.argv[3]);
  process.exit(0);
}

if (process.argv[2] === '--weights') {
  const layout = layouts.find((name) => name === process.argv[3]);
  if (layout === undefined) throw new Error('there is no such layout');
  await printWeights(layout);
  process.exit(0);
}

if (process.argv[2] === '--grpo') {
  const arm = arms.find((name) => name === process.argv[3]);
  if (arm === undefined) throw new Error('there is no such arm');
  await serveRounds(arm, JSON.parse(process.argv[4]) as RoundOptions);
  process.exit(0);
}

/** What is asked for; undefined if it is not understood. */
function wishes(): { wanted: string[]; device: DeviceName; json: boolean } | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { device: { type: 'string', default: 'cpu' }, json: { type: 'boolean', default: false } },
    });
    const device = deviceNames.find((name) => name === values.device);
    const known = positionals.every((name) => benches.some((bench) => bench.name === name));
    return known && device !== undefined ? { wanted: positionals, device, json: values.json } : undefined;
  } catch {
    return undefined;
  }
}

const asked = wishes();
if (asked === undefined) {
  const names = benches.map(({ name }) => name).join(' | ');
  console.error(`usage: npm run bench [-- ${names}] [--device ${deviceNames.join(' | ')}] [--json]`);
  process.exit(2);
}
const { wanted, device, json } = asked;
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
  const measures = await bench.run(device);
  all.push(...measures);
  if (!json) console.log(`${table(measures)}\n`);
}
if (json) console.log(JSON.stringify(all, null, 2));
process.exit(0);
