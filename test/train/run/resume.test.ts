import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { Random } from '../../../server/random.ts';
import { RunView, runFolder } from '../../../server/store/run.ts';
import { errorOf } from '../../store/scratch.ts';
import { program } from '../../support/bundled.ts';
import {
  linesOf,
  madeCola,
  resume,
  type StageCase,
  specOf,
  stages,
  start,
  tinyBase,
  writeData,
} from '../../support/runs.ts';

const steps = 6;
/** The step after which a run is killed: the one behind a checkpoint. */
const killAt = 5;
const slow = process.env.COLA_SLOW === '1';

/** Trains in a process of its own, which kills itself or is killed. @returns its exit code, or null if it was killed */
function train(
  job: { root: string; id: string; spec: unknown; killAt?: number },
  killAfter?: number,
): Promise<number | null> {
  const file = join(job.root, `${job.id}.json`);
  writeFileSync(file, JSON.stringify(job));
  const process_ = spawn(process.execPath, [program('train-child'), file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  process_.stderr.on('data', (text) => {
    said += text;
  });
  let timer: NodeJS.Timeout | undefined;
  process_.stdout.once('data', () => {
    if (killAfter !== undefined) timer = setTimeout(() => process_.kill('SIGKILL'), killAfter);
  });
  return new Promise((done, fail) => {
    process_.once('close', (code) => {
      clearTimeout(timer);
      if (code === null || code === 0) done(code);
      else fail(new Error(said));
    });
  });
}

/** Weights and logs of a finished run. */
function outcome(root: string, id: string): Record<string, unknown> {
  const folder = runFolder(root, id);
  const files: Record<string, unknown> = {};
  for (const name of ['model', 'best']) {
    if (!existsSync(join(folder, name))) continue;
    for (const file of readdirSync(join(folder, name)).filter((f) => f.endsWith('.safetensors')))
      files[`${name}/${file}`] = readFileSync(join(folder, name, file)).toString('base64');
  }
  return { metrics: linesOf(root, id, 'metrics'), samples: logOf(root, id), ...files };
}

const logOf = (root: string, id: string) =>
  existsSync(join(runFolder(root, id), 'samples.jsonl')) ? linesOf(root, id, 'samples') : [];

/**
 * Fails with the first difference only: whole weights would fill the screen.
 *
 * @param history what happened to the run, for the message
 */
function assertSame(actual: Record<string, unknown>, expected: Record<string, unknown>, history = ''): void {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, wanted] of Object.entries(expected)) {
    const given = actual[name];
    if (!Array.isArray(wanted) || !Array.isArray(given)) assert(given === wanted, `${name} differs\n${history}`);
    else {
      assert.equal(given.length, wanted.length, `lines of ${name}\n${history}`);
      for (const [i, line] of wanted.entries()) assert.deepEqual(given[i], line, `${name}, line ${i + 1}\n${history}`);
    }
  }
}

describe('a run that is interrupted and resumed', function () {
  this.timeout(slow ? 1_200_000 : 120_000);
  let root = '';
  let cola = '';
  const known = new Map<string, Record<string, unknown>>();

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-resume-'));
    writeData(root);
    cola = await madeCola(root);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  /**
   * What the run comes to without an interruption; run when it is first asked for. After its fifth step its folder is copied: that is
   * what a process leaves which is killed there, as nothing is written meanwhile.
   */
  async function uninterrupted(id: string, model: string | typeof tinyBase, list: readonly object[]) {
    const found = known.get(id);
    if (found !== undefined) return found;
    let seen = 0;
    const onEvent = (event: { kind: string }) => {
      if (event.kind !== 'step' || ++seen !== killAt) return;
      const left = runFolder(root, `${id}-left`);
      cpSync(runFolder(root, id), left, { recursive: true });
      rmSync(join(left, 'lock'));
    };
    await start({ root, id, onEvent }, specOf(model, list));
    const made = outcome(root, id);
    known.set(id, made);
    return made;
  }

  const modelOf = (name: string) => (name === 'pretrain' ? tinyBase : cola);
  const written = (model: string | typeof tinyBase, list: readonly object[]) => ({
    model,
    device: 'cpu',
    threads: 1,
    seed: 7,
    stages: list,
  });

  /** In the short form a process of its own is killed for this one only; what the others leave then is taken from a run that goes on. */
  const killed = new Set<StageCase>(['grpo']);

  for (const [turn, [name, stage]] of (Object.entries(stages(steps)) as [StageCase, object][]).entries()) {
    const id = name.replace(' ', '-');
    // In the short form one is stopped twice, every fourth of the others once, and what a kill leaves is gone on with by all.
    const stops = { 3: 'while it measures', 4: 'between steps' };
    const both = slow || killed.has(name);
    const chosen = ([3, 4] as const).filter((at) => both || turn % 8 === 4 * (at - 3));

    if (chosen.length > 0)
      it(`${name}: stopped ${chosen.map((at) => stops[at]).join(' and again ')}, it ends bit for bit the same`, async () => {
        const parts = { root, id: `${id}-stopped` };
        let begun = false;
        for (const at of chosen) {
          const stop = new AbortController();
          const interrupted = {
            ...parts,
            signal: stop.signal,
            onEvent: (event: { kind: string; step?: number }) => {
              if (event.kind === 'step' && event.step === at) stop.abort();
            },
          };
          const says = new RegExp(`${parts.id} was stopped and is saved at step ${at}`);
          await assert.rejects(
            begun ? resume(interrupted) : start(interrupted, specOf(modelOf(name), [stage])),
            (error: Error & { remedy: string }) => {
              assert.match(error.remedy, new RegExp(`cola train --resume ${parts.id}`));
              assert.match(error.message, says);
              return errorOf('train.stopped').name === error.name;
            },
          );
          begun = true;
        }
        await resume(parts);
        assertSame(outcome(root, parts.id), await uninterrupted(id, modelOf(name), [stage]));
      });

    const kills = slow || killed.has(name);
    it(`${name}: ${kills ? 'killed' : 'left as by a kill'} between checkpoints, it ends bit for bit the same`, async () => {
      const expected = await uninterrupted(id, modelOf(name), [stage]);
      const parts = { root, id: kills ? `${id}-killed` : `${id}-left` };
      if (kills) assert.equal(await train({ ...parts, spec: written(modelOf(name), [stage]), killAt }), null);
      const view = RunView.view(runFolder(root, parts.id));
      assert.equal(view.latestCheckpoint()?.step, 4);
      assert.equal(linesOf(root, parts.id, 'metrics').at(-1)?.step, 5);
      await resume(parts);
      assertSame(outcome(root, parts.id), expected);
    });
  }

  const chain = [
    { pretrain: { ...stages(6).pretrain.pretrain, checkpoint_every: 1 } },
    stages(4).control,
    stages(4).clone,
    { reinforce: { ...stages(6).grpo.reinforce, checkpoint_every: 1 } },
    stages(4).ppo,
    stages(4).q,
  ];

  it('stopped in the middle of rollouts and measurements, a chain of stages ends the same', async () => {
    const random = new Random(11);
    // Where the machine is busy, little is done between two stops: after some, it goes on to its end.
    const most = slow ? 100 : 2;
    let stops = 0;
    for (let begun = false, done = false; !done; begun = true) {
      const parts = { root, id: 'chain-stopped' };
      const stop = new AbortController();
      const timer = stops < most ? setTimeout(() => stop.abort(), 100 + random.integer(500)) : undefined;
      const ended = begun
        ? resume({ ...parts, signal: stop.signal })
        : start({ ...parts, signal: stop.signal }, specOf(tinyBase, chain));
      await ended.then(
        () => {
          done = true;
        },
        (error: Error & { id?: string }) => {
          stops++;
          assert.equal(error.id, 'train.stopped', error.stack);
        },
      );
      clearTimeout(timer);
    }
    assert(stops > 0);
    assertSame(outcome(root, 'chain-stopped'), await uninterrupted('chain', tinyBase, chain));
  });

  it('killed at random moments, a chain of stages is always readable and ends the same', async () => {
    const wanted = slow ? 50 : 1;
    const random = new Random(23);
    let kills = 0;
    for (let life = 0; kills < wanted; life++) {
      const job = { root, id: `chain-killed-${life}`, spec: written(tinyBase, chain) };
      const history: string[] = [];
      for (let code: number | null = null; code === null; ) {
        code = await train(job, kills < wanted ? random.integer(800) : undefined);
        if (code !== null) break;
        kills++;
        const view = RunView.view(runFolder(root, job.id));
        const last = linesOf(root, job.id, 'metrics').at(-1);
        history.push(`checkpoint ${view.latestCheckpoint()?.step}, last line ${JSON.stringify(last)?.slice(0, 60)}`);
        view.readMetrics(z.looseObject({ step: z.number() }));
        view.readSamples(z.looseObject({ step: z.number() }));
        for (const checkpoint of view.checkpoints()) {
          checkpoint.state(z.looseObject({ at: z.number(), done: z.number() }));
          for (const file of checkpoint.files) checkpoint.open(file).close();
        }
      }
      assertSame(outcome(root, job.id), await uninterrupted('chain', tinyBase, chain), history.join('\n'));
    }
  });
});
