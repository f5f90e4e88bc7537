/** A round of GRPO over actions and over tokens beside TRL's, in turn: the same model, prompts, samples and longest answers. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Countdown } from '../server/data/generators/countdown.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { arms, type Round, type RoundOptions, task } from './grpo-round.ts';
import { type Bench, type Measure, median } from './measure.ts';
import { LineProcess, peerFile, peerPython } from './peer.ts';

const sizes = { batch: 32, group: 8, answer: 12 };
const pairs = 9;
const problems = 2000;

/** The version of TRL, or undefined. */
function trlVersion(): string | undefined {
  const found = spawnSync(peerPython, ['-c', 'import trl; print(trl.__version__)'], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** The sides of the bench, each in a process that does a round when it is asked. */
async function start(options: RoundOptions, prompts: string | undefined): Promise<Map<string, LineProcess>> {
  const sides = new Map<string, LineProcess>();
  const add = async (name: string, command: string, given: readonly string[]) => {
    const side = await LineProcess.start(command, given);
    if (side !== undefined) sides.set(name, side);
  };
  const own = [...process.execArgv, fileURLToPath(import.meta.url), '--grpo'];
  for (const arm of arms) await add(arm, process.execPath, [...own, arm, JSON.stringify(options)]);
  if (prompts === undefined) return sides;
  const given = { ...options, prompts, model: resolveModel('builtin:nano', '') };
  await add('TRL', peerPython, [peerFile('trl_grpo.py'), JSON.stringify(given)]);
  return sides;
}

/** Rounds in turn; the first of each, which compiles and warms up, does not count. */
async function roundsOf(sides: ReadonlyMap<string, LineProcess>): Promise<Map<string, Round[]>> {
  const rounds = new Map<string, Round[]>([...sides.keys()].map((name) => [name, []]));
  for (let i = 0; i <= pairs; i++) {
    for (const [name, side] of sides) {
      const round = (await side.round()) as unknown as Round;
      if (i > 0) rounds.get(name)?.push(round);
    }
  }
  return rounds;
}

const spread = (values: readonly number[], digits: number) =>
  `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`;

/** One side against TRL, part by part. */
function compared(name: string, own: readonly Round[], theirs: readonly Round[] | undefined): Measure[] {
  const line = (what: string, unit: string, of: (round: Round) => number): Measure => {
    const value = median(own.map(of));
    const measure = { name: `${name}, ${what}`, value, unit };
    if (theirs === undefined) return measure;
    const ratios = own.map((round, i) => of(theirs[i]) / of(round));
    const against = `TRL, ${median(theirs.map(of)).toFixed(2)} ${unit}; pairs ${spread(ratios, 2)}`;
    return { ...measure, against, ratio: median(ratios) };
  };
  return [
    line('a round', 's', ({ seconds }) => seconds),
    line('a round, CPU', 's', ({ cpu }) => cpu),
    line('  rollout, CPU', 's', ({ rolloutCpu }) => rolloutCpu),
    line('  update, CPU', 's', ({ updateCpu }) => updateCpu),
    line('peak memory', 'MB', ({ peak }) => peak),
    line('tokens of an answer', '', ({ tokens }) => tokens),
  ];
}

export const grpoBench: Bench = {
  name: 'grpo',
  about: `a round of GRPO, ${sizes.batch} x ${sizes.group} samples of ${sizes.answer} tokens at most, beside TRL; a ratio is how many times as much TRL takes`,
  async run(device) {
    if (device !== 'cpu') return [];
    const version = trlVersion();
    console.error(
      version === undefined
        ? `${peerPython} has no TRL, so nothing is compared. COLA_PEER_PYTHON names a Python that has it.`
        : `Compared with TRL ${version}, ${pairs} rounds each in turn. On a busy machine CPU time at one thread is the fair figure.`,
    );
    const folder = mkdtempSync(join(tmpdir(), 'cola-bench-'));
    const prompts = join(folder, 'prompts.jsonl');
    const countdown = new Countdown({ ...task, numbers: [...task.numbers], seed: 5 });
    const rows = Array.from({ length: problems }, () => countdown.next());
    writeFileSync(prompts, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const measures: Measure[] = [];
    try {
      for (const threads of [1, 2]) {
        const sides = await start({ ...sizes, threads }, version === undefined ? undefined : prompts);
        try {
          const rounds = await roundsOf(sides);
          for (const arm of arms)
            measures.push(
              ...compared(
                `${arm}, ${threads} thread${threads > 1 ? 's' : ''}`,
                rounds.get(arm) ?? [],
                rounds.get('TRL'),
              ),
            );
        } finally {
          for (const side of sides.values()) side.stop();
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return measures;
  },
};
