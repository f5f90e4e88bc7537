import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ColaError } from '../../server/errors.ts';
import { type Notice, Supervisor, type SupervisorOptions } from '../../server/language/engine/supervisor.ts';
import { complete } from '../../server/protocol/completion.ts';
import { loadModel } from '../../server/protocol/model.ts';
import {
  pauseRun,
  type RunEvent,
  resumeRun,
  runEvent,
  startRun,
  stopRun,
  type WireTrainEvent,
} from '../../server/protocol/runs.ts';
import { RunView, runFolder } from '../../server/store/run.ts';
import { program } from '../support/bundled.ts';
import { makeModel, makeSpec, removeFolder, temporaryFolder } from './tiny-model.ts';

const slow = process.env.COLA_SLOW !== undefined;
const metrics = z.looseObject({ step: z.number(), evaluation: z.boolean().optional(), loss: z.number().optional() });

class Watched {
  readonly events: { run: string; event: WireTrainEvent }[] = [];
  readonly notices: Notice[] = [];
  readonly supervisor: Supervisor;
  private woken = () => {};

  constructor(options: Partial<SupervisorOptions> = {}) {
    this.supervisor = new Supervisor({
      entry: { file: program('engine') },
      onEvent: (type, params) => {
        if (type === runEvent) this.events.push(params as RunEvent);
        this.woken();
      },
      onState: () => this.woken(),
      onNotice: (notice) => {
        this.notices.push(notice);
        this.woken();
      },
      log: () => {},
      ...options,
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.woken = resolve;
      });
    }
  }

  get steps(): number[] {
    return this.events.flatMap(({ event }) => (event.kind === 'step' ? [event.step] : []));
  }

  states(): string[] {
    return this.events.flatMap(({ event }) => (event.kind === 'state' ? [event.state] : []));
  }

  kill(): void {
    const { pid } = this.supervisor;
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
  }
}

describe('the engine as a process', function () {
  this.timeout(180_000);
  let folder = '';
  let model = '';
  before(async () => {
    folder = await temporaryFolder();
    model = await makeModel(join(folder, 'model'));
  });
  after(() => removeFolder(folder));

  it('resumes a run and has its model again after a kill -9, says so once each time, and arrives where one does that is not killed', async () => {
    const kills = slow ? 100 : 2;
    const steps = 100 + 40 * kills;
    const spec = await makeSpec(folder, model, steps);
    const key = { root: folder, run: 'killed' };
    const watched = new Watched();
    const { supervisor } = watched;
    try {
      await supervisor.ask(loadModel, { folder: model, device: 'cpu', threads: 1 });
      const before = await supervisor.ask(complete, { prefix: 'const a', maxTokens: 4 });
      await supervisor.ask(startRun, { ...key, specFile: spec });
      for (let kill = 1; kill <= kills; kill++) {
        const taken = watched.steps.length;
        await watched.until(() => watched.steps.length > taken + 6 + ((7 * kill) % 11));
        watched.kill();
        await watched.until(() => watched.notices.length === kill);
        assert.match(watched.notices[kill - 1].message, /SIGKILL.*The run killed goes on/);
      }
      // A pause in between shows that the completions are of this engine, with the run under way.
      await supervisor.ask(pauseRun, key);
      const after = await supervisor.ask(complete, { prefix: 'const a', maxTokens: 4 });
      assert.deepEqual(after.alternatives, before.alternatives);
      await supervisor.ask(resumeRun, key);
      await watched.until(() => watched.states().includes('done'));
      const lines = RunView.view(runFolder(folder, 'killed')).readMetrics(metrics);
      const updates = lines.filter(({ evaluation }) => evaluation !== true).map(({ step }) => step);
      assert.deepEqual(
        updates,
        Array.from({ length: steps }, (_, i) => i + 1),
      );
      assert.equal(watched.notices.length, kills);
      assert.equal(supervisor.runs.length, 0);
      // It arrives where a run does that nobody kills.
      const done = watched.states().length;
      await supervisor.ask(startRun, { root: folder, run: 'whole', specFile: spec });
      await watched.until(() => watched.states().slice(done).includes('done'));
      const whole = RunView.view(runFolder(folder, 'whole')).readMetrics(metrics);
      assert.equal(watched.notices.length, kills);
      assert.deepEqual(
        lines.map(({ loss }) => loss),
        whole.map(({ loss }) => loss),
      );
    } finally {
      await supervisor.close();
    }
  });

  it('pauses, resumes and stops a run; a second engine is refused it', async () => {
    const spec = await makeSpec(folder, model, 5000);
    const key = { root: folder, run: 'steered' };
    const watched = new Watched();
    const other = new Watched();
    try {
      await watched.supervisor.ask(startRun, { ...key, specFile: spec });
      await watched.until(() => watched.steps.length > 3);
      await watched.supervisor.ask(pauseRun, key);
      // The step under way goes on to its end.
      const stood = watched.steps.length + 1;
      await delay(400);
      assert.ok(watched.steps.length <= stood);
      const refused = (id: string) => (error: unknown) => error instanceof ColaError && error.id === id;
      await assert.rejects(other.supervisor.ask(resumeRun, key), refused('store.locked'));
      await watched.supervisor.ask(resumeRun, key);
      await assert.rejects(watched.supervisor.ask(resumeRun, key), refused('engine.runActive'));
      await watched.until(() => watched.steps.length > stood + 3);
      await watched.supervisor.ask(pauseRun, key);
      const { step } = await watched.supervisor.ask(stopRun, key);
      assert.equal(step, watched.steps.at(-1));
      assert.equal(watched.states().at(-1), 'stopped');
      await assert.rejects(watched.supervisor.ask(stopRun, key), refused('engine.runNotActive'));
      // The other may have it now. A pause that comes before the run is there waits for it, and not whoever asked for the run.
      const goesOn = other.supervisor.ask(resumeRun, key);
      await other.supervisor.ask(pauseRun, key);
      await goesOn;
      await other.until(() => other.states().at(-1) === 'paused');
      await other.supervisor.ask(resumeRun, key);
      await other.until(() => other.steps.length > 0);
      assert.equal(other.steps[0], (step ?? 0) + 1);
    } finally {
      await watched.supervisor.close();
      await other.supervisor.close();
    }
    // The engine saved it before it ended, also what it could not tell anybody any more.
    const view = RunView.view(runFolder(folder, 'steered'));
    const saved = view.latestCheckpoint()?.step ?? 0;
    assert.ok(saved >= (other.steps.at(-1) ?? 0));
    assert.equal(saved, view.readMetrics(metrics).at(-1)?.step);
  });

  it('keeps a paused run paused over a crash', async () => {
    const spec = await makeSpec(folder, model, 5000);
    const key = { root: folder, run: 'paused' };
    const watched = new Watched();
    try {
      await watched.supervisor.ask(startRun, { ...key, specFile: spec });
      await watched.until(() => watched.steps.length > 8);
      await watched.supervisor.ask(pauseRun, key);
      watched.kill();
      await watched.until(() => watched.notices.length === 1);
      // The step under way goes on to its end.
      const stood = watched.steps.length + 1;
      await delay(400);
      assert.ok(watched.steps.length <= stood);
      assert.equal(watched.states().at(-1), 'paused');
    } finally {
      await watched.supervisor.close();
    }
  });

  it('ends the engine when nobody needs it, and has the model back when somebody does', async () => {
    const watched = new Watched({ idleSeconds: 0.2, heartbeatSeconds: 0.1 });
    const { supervisor } = watched;
    try {
      await supervisor.ask(loadModel, { folder: model, device: 'cpu', threads: 1 });
      await watched.until(() => supervisor.state === 'off');
      assert.equal(supervisor.pid, undefined);
      const { alternatives } = await supervisor.ask(complete, { prefix: 'const a', maxTokens: 4 });
      assert.equal(alternatives.length, 1);
      assert.equal(watched.notices.length, 0);
    } finally {
      await supervisor.close();
    }
  });

  it('gives up an engine that never starts, and tries again when it is told to', async () => {
    const broken = join(folder, 'broken.mjs');
    await writeFile(broken, 'process.exit(3);');
    const watched = new Watched({ entry: { file: broken } });
    const refused = (error: unknown) => error instanceof ColaError && error.id === 'engine.gaveUp';
    await assert.rejects(watched.supervisor.ask(loadModel, { folder: model }), refused);
    assert.equal(watched.supervisor.state, 'failed');
    assert.equal(watched.notices.length, 1);
    assert.match(watched.notices[0].message, /exit code 3/);
    await assert.rejects(watched.supervisor.ask(loadModel, { folder: model }), refused);
    assert.equal(watched.notices.length, 1);
    await writeFile(
      broken,
      `process.on('message', ({ id }) => process.send({ kind: 'result', id, result: {
        model: null, device: null, lane: null, memory: 1, tokensPerSecond: null } }));
      process.on('disconnect', () => process.exit(0));`,
    );
    await watched.supervisor.restart();
    assert.equal(watched.supervisor.state, 'ready');
    await watched.supervisor.close();
  });

  it('kills an engine without a sign of life', async () => {
    const hanging = join(folder, 'hanging.mjs');
    await writeFile(
      hanging,
      `let first = true;
      process.on('message', ({ id }) => {
        if (!first) for (;;) {}
        first = false;
        process.send({ kind: 'result', id, result: {
          model: null, device: null, lane: null, memory: 1, tokensPerSecond: null } });
      });`,
    );
    const options = { entry: { file: hanging }, heartbeatSeconds: 0.1, hangSeconds: 0.3 };
    const watched = new Watched(options);
    await watched.supervisor.restart();
    const { pid } = watched.supervisor;
    await watched.until(() => watched.supervisor.pid !== pid && watched.supervisor.state === 'ready');
    await watched.supervisor.close();
  });
});
