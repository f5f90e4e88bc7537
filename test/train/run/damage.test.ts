/** Runs that are resumed after something was done to their files: nothing goes on with other weights and says nothing. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ColaError } from '../../../server/errors.ts';
import { RunView, runFolder } from '../../../server/store/run.ts';
import { type ResumeOptions, resumeRun } from '../../../server/train/run/job.ts';
import { linesOf, madeCola, resume, specOf, stages, start, writeData } from '../../support/runs.ts';

const bit = (path: string, at: number) => {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at] ^= 8;
  writeFileSync(path, bytes);
};

/** A safetensors file with another header. The data stays. */
function reheader(path: string, change: (header: Record<string, { shape: number[]; data_offsets: number[] }>) => void) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  change(header);
  const ends = Object.values<{ data_offsets: number[] }>(header).map(({ data_offsets }) => data_offsets[1]!);
  const text = Buffer.from(JSON.stringify(header).padEnd(length));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([prefix, text, bytes.subarray(8 + length, 8 + length + Math.max(...ends))]));
}

const editState = (checkpoint: string, change: (state: Record<string, unknown>) => void) => {
  const state = JSON.parse(readFileSync(join(checkpoint, 'state.json'), 'utf8'));
  change(state);
  writeFileSync(join(checkpoint, 'state.json'), JSON.stringify(state));
};

describe('a run whose files were changed before it is resumed', function () {
  this.timeout(60_000);
  let root = '';
  let wanted = '';

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-damage-'));
    writeData(root);
    const cola = await madeCola(root);
    const { clone } = stages(6).clone;
    const spec = specOf(cola, [{ clone: { ...clone, evaluate_every: 100 } }]);
    wanted = weights(await start({ root, id: 'whole' }, spec));
    await stopAt(4, 'stopped', (parts) => start(parts, spec));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const weights = (model: string) => readFileSync(join(model, 'cola.safetensors'), 'base64');
  const folderOf = (id: string) => runFolder(root, id);
  const checkpointOf = (id: string, step: number) => join(folderOf(id), 'checkpoints', String(step));

  async function stopAt(step: number, id: string, run: (parts: Parameters<typeof start>[0]) => Promise<unknown>) {
    const stop = new AbortController();
    const onEvent = (event: { kind: string; step?: number }) => {
      if (event.kind === 'step' && event.step === step) stop.abort();
    };
    await assert.rejects(run({ root, id, signal: stop.signal, onEvent }), { id: 'train.stopped' });
  }

  let copies = 0;
  /** A copy of the run that was stopped at step 4, with checkpoints of the steps 2 and 4. */
  function copy(): string {
    const id = `copy-${++copies}`;
    cpSync(folderOf('stopped'), folderOf(id), { recursive: true });
    return id;
  }

  async function tryResume(id: string, choice: Partial<ResumeOptions> = {}): Promise<{ model: string; said: string }> {
    let said = '';
    const onEvent: ResumeOptions['onEvent'] = (event) => {
      if (event.kind === 'message') said += `${event.text}\n`;
    };
    const { signal } = new AbortController();
    const common = { root, runId: id, signal, onEvent, measure: async () => {} };
    return { model: (await resumeRun({ ...common, ...choice })).model, said };
  }

  async function refusal(id: string, choice: Partial<ResumeOptions> = {}): Promise<ColaError> {
    try {
      await tryResume(id, choice);
    } catch (error) {
      if (error instanceof ColaError) return error;
      throw error;
    }
    throw new Error('the run went on');
  }

  it('untouched, goes on to the same weights and says nothing of it', async () => {
    const { model, said } = await tryResume(copy());
    assert.equal(weights(model), wanted);
    assert.doesNotMatch(said, /verified|as they were/);
  });

  const damages: Record<string, readonly [damage: (checkpoint: string) => void, names: RegExp]> = {
    'one bit of a weight': [(c) => bit(join(c, 'weights.safetensors'), -3), /weights\.safetensors was changed/],
    'one bit of a moment': [(c) => bit(join(c, 'optimiser.safetensors'), -70), /optimiser\.safetensors was changed/],
    'one bit of a header': [(c) => bit(join(c, 'weights.safetensors'), 40), /weights\.safetensors was changed/],
    'a block of zeros': [
      (c) => {
        const path = join(c, 'weights.safetensors');
        const bytes = readFileSync(path);
        writeFileSync(path, bytes.fill(0, bytes.length - 512));
      },
      /weights\.safetensors was changed/,
    ],
    'a file cut off': [
      (c) => truncateSync(join(c, 'optimiser.safetensors'), 1000),
      /optimiser\.safetensors was changed/,
    ],
    'an empty file': [(c) => truncateSync(join(c, 'weights.safetensors'), 0), /weights\.safetensors was changed/],
    'a lost file': [(c) => rmSync(join(c, 'optimiser.safetensors')), /optimiser\.safetensors is missing/],
    'a file too many': [(c) => writeFileSync(join(c, 'more.safetensors'), 'x'), /more\.safetensors was added/],
    'a tensor removed': [
      (c) =>
        reheader(join(c, 'weights.safetensors'), (header) => {
          const names = Object.keys(header).sort((a, b) => header[a]!.data_offsets[0]! - header[b]!.data_offsets[0]!);
          delete header[names.at(-1)!];
        }),
      /weights\.safetensors was changed/,
    ],
    'two tensors swapped': [
      (c) =>
        reheader(join(c, 'weights.safetensors'), (header) => {
          const names = Object.keys(header);
          const alike = names.flatMap((a) => names.map((b) => [a, b] as const));
          const [a, b] = alike.find(([x, y]) => x < y && `${header[x]!.shape}` === `${header[y]!.shape}`)!;
          [header[a], header[b]] = [header[b]!, header[a]!];
        }),
      /weights\.safetensors was changed/,
    ],
    'steps that are not done': [(c) => editState(c, (state) => (state.done = 5)), /state\.json was changed/],
    'another stage': [(c) => editState(c, (state) => (state.at = 5)), /state\.json was changed/],
    'a changed weight that is not named': [
      (c) => editState(c, (state) => (state.changed = (state.changed as string[]).slice(1))),
      /state\.json was changed/,
    ],
    'no state': [(c) => rmSync(join(c, 'state.json')), /state\.json is missing/],
    'no manifest': [(c) => rmSync(join(c, 'manifest.json')), /manifest\.json is missing/],
    'half a manifest': [(c) => truncateSync(join(c, 'manifest.json'), 90), /manifest\.json was changed/],
    'the files of another step': [
      (c) => {
        rmSync(c, { recursive: true });
        cpSync(join(c, '../2'), c, { recursive: true });
      },
      /state\.json is of another step/,
    ],
  };
  for (const [i, [what, [damage, names]]] of Object.entries(damages).entries()) {
    // What goes on is the same whatever was damaged behind it: in the short form every eighth does.
    const goesOn = i % 8 === 0 || process.env.COLA_SLOW === '1';
    it(`${what}: is refused by name${goesOn ? ', and goes on from the checkpoint before' : ''}`, async () => {
      const id = copy();
      damage(checkpointOf(id, 4));
      const error = await refusal(id);
      assert.equal(error.id, 'store.damaged');
      assert.match(error.message, names);
      assert.match(error.message, /step 4/);
      assert.ok(error.remedy.includes(`cola train --resume ${id} --from 2`), error.remedy);
      assert.ok(existsSync(checkpointOf(id, 2)), 'nothing was deleted');
      if (goesOn) assert.equal(weights((await tryResume(id, { from: 2 })).model), wanted);
    });
  }

  it('with all checkpoints damaged, offers none', async () => {
    const id = copy();
    for (const step of [2, 4]) bit(join(checkpointOf(id, step), 'weights.safetensors'), -3);
    const error = await refusal(id);
    assert.match(error.remedy, /No checkpoint before it is whole/);
    assert.equal((await refusal(id, { from: 2 })).id, 'store.damaged');
    assert.ok(existsSync(checkpointOf(id, 4)), 'what is refused deletes nothing');
  });

  it('refuses a step that has no checkpoint', async () => {
    assert.equal((await refusal(copy(), { from: 3 })).id, 'store.noCheckpoint');
  });

  const old = (id: string, change: (state: Record<string, unknown>) => void) => {
    for (const step of [2, 4]) {
      rmSync(join(checkpointOf(id, step), 'manifest.json'));
      editState(checkpointOf(id, step), (state) => {
        delete state.format;
        if (step === 4) change(state);
      });
    }
  };

  it('of an earlier version without hashes, goes on and says that it could not be verified', async () => {
    const id = copy();
    old(id, () => {});
    const { model, said } = await tryResume(id);
    assert.match(said, /step 4 .* could not be verified/);
    assert.equal(weights(model), wanted);
  });

  const states: Record<string, (state: Record<string, unknown>) => void> = {
    'done 999': (state) => (state.done = 999),
    'done 999 at a step of that number': (state) => Object.assign(state, { done: 7, before: -3 }),
    'at 5': (state) => (state.at = 5),
    'at -1': (state) => (state.at = -1),
    'before 1e15': (state) => (state.before = 1e15),
    'a name less': (state) => (state.changed = (state.changed as string[]).slice(1)),
    'no name at all': (state) => delete state.changed,
  };
  for (const [what, change] of Object.entries(states)) {
    it(`of an earlier version, refuses what cannot be: ${what}`, async () => {
      const id = copy();
      old(id, change);
      const error = await refusal(id);
      assert.equal(error.id, 'store.damaged');
      assert.match(error.message, /state\.json/);
      assert.match(error.remedy, /--from 2/);
    });
  }

  const logs: Record<string, readonly [damage: (folder: string) => void, earlier: boolean]> = {
    deleted: [(folder) => rmSync(join(folder, 'metrics.jsonl')), false],
    'cut before the checkpoint': [(folder) => cut(folder, 2), false],
    'cut between the checkpoints': [(folder) => cut(folder, 3), true],
    'with a digit changed': [
      (folder) => {
        const path = join(folder, 'metrics.jsonl');
        writeFileSync(
          path,
          readFileSync(path, 'utf8').replace(/"loss":(\d)/, (_, d) => `"loss":${(Number(d) + 1) % 10}`),
        );
      },
      false,
    ],
  };
  const cut = (folder: string, lines: number) => {
    const path = join(folder, 'metrics.jsonl');
    const all = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, `${all.slice(0, lines).join('\n')}\n`);
  };
  for (const [what, [damage, earlier]] of Object.entries(logs)) {
    it(`metrics ${what}: is refused, and goes on only as it is asked to`, async () => {
      const id = copy();
      damage(folderOf(id));
      const error = await refusal(id);
      assert.equal(error.id, 'train.changed');
      assert.match(error.message, /metrics\.jsonl/);
      assert.match(error.remedy, new RegExp(`--resume ${id} --as-is`));
      assert.equal(/--from 2/.test(error.remedy), earlier);
      const { model, said } = await tryResume(id, earlier ? { from: 2 } : { asIs: true });
      assert.equal(weights(model), wanted);
      if (!earlier) assert.match(said, /metrics\.jsonl/);
    });
  }

  it('lines that came after the checkpoint are no damage', async () => {
    const id = copy();
    appendFileSync(join(folderOf(id), 'metrics.jsonl'), '{"step":5,"stage":"clone","loss":1}\n{"step":6,"sta');
    assert.equal(weights((await tryResume(id)).model), wanted);
    assert.deepEqual(
      linesOf(root, id, 'metrics').map(({ step }) => step),
      linesOf(root, 'whole', 'metrics').map(({ step }) => step),
    );
  });

  it('another spec is refused, and taken when that is wanted', async () => {
    const id = copy();
    const path = join(folderOf(id), 'spec.yaml');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('seed: 7', 'seed: 8'));
    const error = await refusal(id);
    assert.equal(error.id, 'train.changed');
    assert.ok(error.message.includes(path));
    assert.match((await tryResume(id, { asIs: true })).said, /spec\.yaml/);
    truncateSync(join(folderOf(copy()), 'spec.yaml'), 0);
    assert.equal((await refusal(`copy-${copies}`)).id, 'train.changed');
  });

  it('data that the run has kept are refused by their name where they were changed or lost', async () => {
    const id = copy();
    const path = join(folderOf(id), 'data', 'rows.jsonl');
    mkdirSync(join(folderOf(id), 'data'), { recursive: true });
    writeFileSync(path, 'a row\n');
    // What was kept after the checkpoint is no change.
    await stopAt(5, id, (parts) => tryResume(id, parts));
    writeFileSync(path, 'a raw\n');
    const error = await refusal(id);
    assert.equal(error.id, 'train.changed');
    assert.ok(error.message.includes(path), error.message);
    rmSync(path);
    assert.equal((await refusal(id)).id, 'train.changed');
    // Nor is the folder looked into behind a link, or one that is none.
    const data = dirname(path);
    renameSync(data, `${data}-aside`);
    writeFileSync(data, '');
    assert.equal((await refusal(id)).id, 'store.cannotRead');
    rmSync(data);
    symlinkSync(`${data}-aside`, data);
    assert.equal((await refusal(id)).id, 'files.link');
    rmSync(data);
    renameSync(`${data}-aside`, data);
    writeFileSync(path, 'a row\n');
    assert.equal(weights((await tryResume(id)).model), wanted);
  });

  it('another source model is refused, with or without its manifest', async () => {
    const model = join(folderOf('cola'), 'model');
    const kept = join(root, 'kept');
    cpSync(model, kept, { recursive: true });
    try {
      const id = copy();
      bit(join(model, 'model.safetensors'), -3);
      assert.equal((await refusal(id)).id, 'train.modelDamaged');
      rmSync(join(model, 'manifest.json'));
      const error = await refusal(id);
      assert.equal(error.id, 'train.changed');
      assert.ok(error.message.includes(`the model ${model}`), error.message);
      assert.match((await tryResume(id, { asIs: true })).said, /the model/);
    } finally {
      rmSync(model, { recursive: true });
      renameSync(kept, model);
    }
  });

  it('a damaged model is not trained from', async () => {
    const copied = join(root, 'damaged-model');
    cpSync(join(folderOf('cola'), 'model'), copied, { recursive: true });
    bit(join(copied, 'cola.safetensors'), -3);
    await assert.rejects(start({ root, id: 'from-damaged' }, specOf(copied, [stages(6).clone])), {
      id: 'train.modelDamaged',
      message: /cola\.safetensors was changed/,
    });
    assert.ok(!existsSync(folderOf('from-damaged')));
  });

  it('finished, keeps its model as it is; a model that was lost or damaged comes back whole', async () => {
    const model = join(folderOf('whole'), 'model');
    const before = statSync(model);
    await resume({ root, id: 'whole' });
    assert.equal(statSync(model).ino, before.ino);
    bit(join(model, 'cola.safetensors'), -3);
    await resume({ root, id: 'whole' });
    assert.equal(weights(model), wanted);
    rmSync(model, { recursive: true });
    await resume({ root, id: 'whole' });
    assert.equal(weights(model), wanted);
    assert.deepEqual(
      readdirSync(folderOf('whole')).filter((name) => /tmp|old/.test(name)),
      [],
    );
  });

  it('after it went back, is as if it had never been further', async () => {
    const id = copy();
    await stopAt(3, id, (parts) => tryResume(id, { ...parts, from: 2 }));
    assert.deepEqual(
      RunView.view(folderOf(id))
        .checkpoints()
        .map(({ step }) => step),
      [2, 3],
    );
    assert.equal(weights((await tryResume(id)).model), wanted);
  });
});
