/** Runs whose files are taken from under them while they go on: seen at the next step, and told as it is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunView, runFolder } from '../../../server/store/run.ts';
import { linesOf, madeCola, resume, specOf, stages, start, writeData } from '../../support/runs.ts';

describe('a run whose files are lost while it goes on', function () {
  this.timeout(60_000);
  let root = '';
  let cola = '';
  const { clone } = stages(6).clone;
  const stage = { clone: { ...clone, evaluate_every: 100 } };

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-lost-'));
    writeData(root);
    cola = await madeCola(root);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  /** Starts a run and does something to its folder after step 3; steps are counted. */
  async function disturb(id: string, what: (folder: string) => void): Promise<{ error: unknown; steps: number }> {
    let steps = 0;
    const onEvent = (event: { kind: string }) => {
      if (event.kind === 'step' && ++steps === 3) what(runFolder(root, id));
    };
    try {
      await start({ root, id, onEvent }, specOf(cola, [stage]));
    } catch (error) {
      return { error, steps };
    }
    throw new Error('the run went on to its end');
  }

  const lost: Record<string, readonly [what: (folder: string) => void, names: RegExp]> = {
    'deleted metrics': [(folder) => rmSync(join(folder, 'metrics.jsonl')), /metrics\.jsonl/],
    'emptied metrics': [(folder) => truncateSync(join(folder, 'metrics.jsonl')), /metrics\.jsonl/],
    'metrics of somebody else': [
      (folder) => appendFileSync(join(folder, 'metrics.jsonl'), '{"step":1}\n'),
      /metrics\.jsonl/,
    ],
    'deleted spec': [(folder) => rmSync(join(folder, 'spec.yaml')), /spec\.yaml/],
    'deleted checkpoint': [(folder) => rmSync(join(folder, 'checkpoints/2'), { recursive: true }), /checkpoints\/2/],
    'deleted checkpoints': [(folder) => rmSync(join(folder, 'checkpoints'), { recursive: true }), /checkpoints\/2/],
  };
  for (const [i, [what, [act, names]]] of Object.entries(lost).entries()) {
    // What goes on is the same whatever was lost: in the short form it does for one file, and for the checkpoints.
    const goesOn = i === 0 || what === 'deleted checkpoints' || process.env.COLA_SLOW === '1';
    it(`${what}: stops at the next step, saved${goesOn ? ', and can go on' : ''}`, async () => {
      const id = what.replaceAll(' ', '-');
      const { error, steps } = await disturb(id, act);
      assert.ok(error instanceof Error && 'id' in error && 'remedy' in error);
      assert.equal(error.id, 'store.disturbed');
      assert.match(error.message, names);
      assert.match(String(error.remedy), new RegExp(`--resume ${id}`));
      assert.equal(steps, 3);
      assert.equal(RunView.view(runFolder(root, id)).latestCheckpoint()?.step, 3);
      if (!goesOn) return;
      await resume({ root, id });
      assert.equal(linesOf(root, id, 'metrics').at(-1)?.step, 6);
    });
  }

  it('a folder that is deleted or moved is missed, not made anew', async () => {
    for (const [id, act] of [
      ['deleted', (folder: string) => rmSync(folder, { recursive: true })],
      ['moved', (folder: string) => renameSync(folder, join(root, 'elsewhere'))],
    ] as const) {
      const { error, steps } = await disturb(id, act);
      assert.equal((error as { id?: string }).id, 'store.gone');
      assert.equal(steps, 3);
      assert.ok(!existsSync(runFolder(root, id)));
    }
    renameSync(join(root, 'elsewhere'), runFolder(root, 'moved'));
    await resume({ root, id: 'moved' });
  });

  it('a lost lock is taken again, unless another process has it', async () => {
    const id = 'lock';
    let steps = 0;
    const lock = join(runFolder(root, id), 'lock');
    const onEvent = (event: { kind: string }) => {
      if (event.kind === 'step' && ++steps === 2) rmSync(lock);
    };
    await start({ root, id, onEvent }, specOf(cola, [stage]));
    assert.ok(!existsSync(lock));
    const { error } = await disturb('robbed', (folder) => {
      const content = {
        pid: process.ppid,
        started: null,
        host: JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')).host,
      };
      writeFileSync(join(folder, 'lock'), JSON.stringify({ ...content, token: 'x' }));
    });
    assert.equal((error as { id?: string }).id, 'store.locked');
    assert.ok(existsSync(join(runFolder(root, 'robbed'), 'lock')), 'that of the other stays');
  });

  it('is kept where its metrics are gone and a checkpoint cannot be written', async () => {
    const id = 'kept';
    const { error } = await disturb(id, (folder) => {
      rmSync(join(folder, 'metrics.jsonl'));
      // Nothing can be written there, not by the super-user either.
      renameSync(join(folder, 'checkpoints'), join(folder, 'aside'));
      writeFileSync(join(folder, 'checkpoints'), '');
    });
    assert.equal((error as { id?: string }).id, 'store.cannotWrite');
    assert.ok(existsSync(join(runFolder(root, id), 'aside/2/state.json')));
    assert.ok(existsSync(join(runFolder(root, id), 'spec.yaml')));
  });

  it('on a disk that is full ends with that sentence, keeps what was saved, and goes on when there is room', async function () {
    const disk = mkdtempSync(join(tmpdir(), 'cola-full-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]).status === 0;
    try {
      // Only the super-user can make a disk that is small.
      if (!mounted) return this.skip();
      writeData(disk);
      const id = 'full';
      let steps = 0;
      const onEvent = (event: { kind: string }) => {
        if (event.kind !== 'step' || ++steps !== 3) return;
        try {
          for (;;) appendFileSync(join(disk, 'filler'), Buffer.alloc(65_536));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ENOSPC');
        }
      };
      await assert.rejects(start({ root: disk, id, onEvent }, specOf(cola, [stage])), (error) => {
        assert.equal((error as { id?: string }).id, 'store.cannotWrite');
        assert.match(String(error), /no space left/i);
        assert.match(String((error as { remedy?: string }).remedy), /free space/);
        return true;
      });
      // Behind the step that filled it there is at most the one whose line or checkpoint did not fit.
      assert.ok(steps <= 4, `${steps} steps`);
      assert.equal(RunView.view(runFolder(disk, id)).latestCheckpoint()?.step, 2);
      rmSync(join(disk, 'filler'));
      await resume({ root: disk, id });
      assert.deepEqual(
        linesOf(disk, id, 'metrics').map(({ step, evaluation }) => [step, evaluation === true]),
        [[0, true], ...[1, 2, 3, 4, 5, 6].map((step) => [step, false]), [6, true]],
      );
    } finally {
      if (mounted) spawnSync('umount', [disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  });

  it('that fails before its first step leaves nothing', async () => {
    mkdirSync(join(root, 'nothing'));
    const missing = { clone: { ...clone, data: 'missing.jsonl' } };
    await assert.rejects(start({ root, id: 'nothing' }, specOf(cola, [missing])), { id: 'data.missingFile' });
    assert.ok(!existsSync(runFolder(root, 'nothing')));
  });
});
