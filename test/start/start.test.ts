import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { start } from '../../server/start/start.ts';
import { runFolder } from '../../server/store/run.ts';
import { cola } from '../cli/cola.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';

describe('cola start', function () {
  this.timeout(600_000);
  let folder: string;
  let text: string;
  before(async () => {
    folder = await makeModel(await temporaryFolder());
    text = join(folder, 'text.txt');
    await writeFile(text, Array.from({ length: 200 }, (_, i) => `const value${i} = call(${i}, "x");`).join('\n'));
  });

  const roots: string[] = [];
  const newRoot = async () => {
    roots.push(await temporaryFolder());
    return roots[roots.length - 1];
  };
  after(async () => {
    for (const made of [folder, ...roots]) await removeFolder(made);
  });

  const call = (root: string) => {
    const small = [
      '--steps',
      '3',
      '--batch',
      '2',
      '--group',
      '2',
      '--problems',
      '4',
      '--device',
      'cpu',
      '--threads',
      '1',
      '--seed',
      '7',
    ];
    return cola(['start', '--model', folder, '--root', root, '--text', text, ...small, '--json']);
  };
  /** What the command does that nothing disturbs; it is called when this is first asked for. */
  const undisturbed = async () => {
    whole ??= newRoot().then(async (root) => ({ root, ...(await call(root)) }));
    return whole;
  };
  let whole: Promise<{ root: string } & Awaited<ReturnType<typeof call>>> | undefined;
  /** The lines of a run without its times. */
  const linesOf = (root: string, id: string) =>
    readFileSync(join(runFolder(root, id), 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const timed = /^(?:seconds|memory)/;
        return Object.fromEntries(Object.entries(JSON.parse(line)).filter(([name]) => !timed.test(name)));
      });
  const runsIn = (root: string) => readdirSync(runFolder(root, '')).sort();
  const metrics = (root: string) => runsIn(root).map((id) => linesOf(root, id));

  it('tunes over actions and over tokens, measures before and after, and writes a report', async () => {
    const { root, code, stdout, stderr } = await undisturbed();
    assert.equal(code, 0, stderr);
    const { report, table, changes } = JSON.parse(stdout);
    assert.deepEqual(
      changes.map(({ heading, lines }: { heading: string; lines: string[] }) => [heading, lines.length]),
      // Of four problems nothing can be told.
      [['Too few problems to tell', 6]],
    );
    for (const lines of metrics(root)) {
      const measured = lines.filter(({ evaluation }) => evaluation === true);
      assert.deepEqual(
        measured.map(({ step }) => step),
        [0, 2, 3],
      );
      for (const line of measured) assert.equal((line.greedy_solved_each as number[]).length, 4);
      assert.equal('greedy_gained' in measured[0]!, false);
      const { greedy_solved, greedy_gained, greedy_lost } = measured[2]! as Record<string, number>;
      const change = 4 * (greedy_solved! - (measured[0]!.greedy_solved as number));
      assert.equal(greedy_gained! - greedy_lost!, change);
    }
    assert.equal(table[0].length, 5);
    assert.deepEqual(
      table.map(([name]: string[]) => name),
      [
        '',
        'solved, greedy',
        'solved, sampled',
        'pass@4',
        'different answers of 4',
        'loss on the watched text (nats a token)',
      ],
    );
    for (const row of table.slice(1)) for (const cell of row.slice(1)) assert.match(cell, /^\d+\.\d{3}$/);
    const page = readFileSync(report, 'utf8');
    for (const part of [
      'Before and after',
      'Curves',
      'Steered by three actions',
      'Samples',
      'Codebook',
      'Settings',
      'ONNX Runtime',
    ])
      assert(page.includes(part), part);

    // Again: everything is there, and nothing is done twice.
    const again = await call(root);
    assert.equal(again.code, 0);
    assert.deepEqual(JSON.parse(again.stdout).table, table);
    assert.equal(runsIn(root).length, 2);
  });

  it('gives the same numbers with the same seed, also when it was stopped in either run and called again', async () => {
    const settings = { model: folder, device: 'cpu', threads: 1, seed: 7, steps: 3, batch: 2, group: 2, problems: 4 };
    /** Stops behind a step of an arm; to the end without one. */
    const startUntil = async (root: string, stage?: string, step?: number) => {
      const controller = new AbortController();
      const found: boolean[] = [];
      await start({
        root,
        settings,
        modelFolder: folder,
        text,
        signal: controller.signal,
        onArm: (_arm, _run, resumed) => found.push(resumed),
        onEvent: (event) => {
          if (event.kind === 'step' && event.stage === stage && event.step === step) controller.abort();
        },
        say: () => {},
      });
      return found;
    };
    const { root: whole } = await undisturbed();
    const broken = await newRoot();
    await assert.rejects(startUntil(broken, 'reinforce', 2), { id: 'train.stopped' });
    await assert.rejects(startUntil(broken, 'tokens', 1), { id: 'train.stopped' });
    assert.deepEqual(await startUntil(broken), [true, true]);
    assert.deepEqual(runsIn(broken), runsIn(whole));
    assert.deepEqual(metrics(broken), metrics(whole));
  });
});
