import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runFolder } from '../../../server/store/run.ts';
import type { TrainEvent } from '../../../server/train/run/events.ts';
import { errorOf } from '../../store/scratch.ts';
import { Bench, linesOf, resume, settingsOf, specOf, stages, start, tinyBase } from '../../support/runs.ts';

const steps = 6;
const bench = Bench.forTests();

describe('the data of a run', function () {
  this.timeout(120_000);

  /** Stops a run after its second step, or the first of a later stage. */
  const stopped = async (list: readonly object[], model: string | typeof tinyBase, id: string) => {
    const stop = new AbortController();
    const onEvent = (event: TrainEvent) => {
      if (event.kind === 'step' && event.step === 3) stop.abort(new Error('stop'));
    };
    const run = start({ root: bench.root, id, signal: stop.signal, onEvent }, specOf(model, list));
    await assert.rejects(run, errorOf('train.stopped'));
  };
  const resumed = async (id: string): Promise<{ said: string; weights: Buffer; losses: unknown[] }> => {
    const said: string[] = [];
    const onEvent = (event: TrainEvent) => {
      if (event.kind === 'message') said.push(event.text);
    };
    await resume({ root: bench.root, id, onEvent });
    return { said: said.join('\n'), ...outcome(id) };
  };
  const outcome = (id: string) => ({
    weights: readFileSync(join(runFolder(bench.root, id), 'model', 'model.safetensors')),
    losses: linesOf(bench.root, id, 'metrics').map(({ loss, held_out_loss }) => loss ?? held_out_loss),
  });

  const kinds = {
    tokens: {
      stage: { pretrain: { ...settingsOf('pretrain', steps), data: 'mine.jsonl' } },
      model: tinyBase,
      from: 'text.jsonl',
    },
    rows: {
      stage: { tokens: { ...settingsOf('tokens supervised', steps), data: 'mine.jsonl', epochs: undefined, steps } },
      model: tinyBase,
      from: 'rows.jsonl',
    },
    prompts: {
      stage: { reinforce: { ...settingsOf('grpo', steps), prompts: 'mine.jsonl' } },
      model: undefined,
      from: 'rows.jsonl',
    },
  } as const;
  for (const [turn, [kind, { stage, model, from }]] of Object.entries(kinds).entries()) {
    const first = kind === 'rows' ? [{ pretrain: { ...settingsOf('pretrain', 2) } }] : [];
    const list = [...first, stage];
    const file = () => join(bench.root, 'mine.jsonl');
    /** What the run comes to where nothing changes, and a folder of one that was stopped: both are made once and serve every change. */
    const made = { straight: '', stopped: '' };
    before(async () => {
      writeFileSync(file(), readFileSync(join(bench.root, from)));
      Object.assign(made, { straight: bench.fresh(), stopped: bench.fresh() });
      await bench.run(list, model ?? bench.cola, made.straight);
      await stopped(list, model ?? bench.cola, made.stopped);
    });
    const changes = Object.entries({
      'has grown': (file: string) =>
        appendFileSync(file, '{"text":"new","prompt":"new","response":"new","answer":"new"}\n'),
      'was edited': (file: string) => writeFileSync(file, readFileSync(file, 'utf8').replaceAll('two', 'ten')),
      'is broken': (file: string) => writeFileSync(file, 'nonsense'),
      'is gone': (file: string) => rmSync(file),
    });
    // The kinds are kept by the same code: in the short form each has two of the changes, and every change is tried.
    const slow = process.env.COLA_SLOW === '1';
    for (const [what, change] of changes.filter((_, i) => slow || i === turn || i === 3 - (turn % 2))) {
      it(`is that of its beginning, where the file of ${kind} ${what}`, async () => {
        writeFileSync(file(), readFileSync(join(bench.root, from)));
        const id = bench.fresh();
        cpSync(runFolder(bench.root, made.stopped), runFolder(bench.root, id), { recursive: true });
        change(file());
        const { said, ...found } = await resumed(id);
        assert.match(said, /mine\.jsonl: 1 file (changed|gone) since the run began; it goes on with the data/);
        const expected = outcome(made.straight);
        assert.deepEqual(found.losses, expected.losses);
        assert.equal(found.weights.compare(expected.weights), 0);
      });
    }
  }

  it('is that of its beginning in a folder where files come and go, whatever became of the cache', async () => {
    const folder = join(bench.root, 'notes');
    mkdirSync(folder, { recursive: true });
    for (const name of ['a', 'b', 'c'])
      writeFileSync(join(folder, `${name}.txt`), `${name}: one two three four five. `.repeat(30));
    const list = [{ pretrain: { ...settingsOf('pretrain', steps), data: 'notes' } }];
    const straight = bench.fresh();
    await bench.run(list, tinyBase, straight);
    const id = bench.fresh();
    await stopped(list, tinyBase, id);
    rmSync(join(folder, 'a.txt'));
    writeFileSync(join(folder, 'b.txt'), 'short');
    writeFileSync(join(folder, 'd.txt'), 'new');
    rmSync(join(bench.root, '.cola', 'cache'), { recursive: true });
    const { said, ...found } = await resumed(id);
    assert.match(said, /notes: 1 file changed, 1 file gone, 1 file new since the run began/);
    assert.deepEqual(found.losses, outcome(straight).losses);
  });

  it('is not spoken of where nothing has changed', async () => {
    writeFileSync(join(bench.root, 'mine.jsonl'), readFileSync(join(bench.root, 'text.jsonl')));
    const id = bench.fresh();
    await stopped([kinds.tokens.stage], tinyBase, id);
    // Saved anew with the same contents.
    writeFileSync(join(bench.root, 'mine.jsonl'), readFileSync(join(bench.root, 'text.jsonl')));
    assert.doesNotMatch((await resumed(id)).said, /since the run began/);
  });

  it('is not kept where the stage refused it, so that it can be put right', async () => {
    const id = bench.fresh();
    const list = [
      stages(2).pretrain,
      { pretrain: { ...settingsOf('pretrain', 2), data: bench.write('few.jsonl', '{"text":"a"}\n') } },
    ];
    await assert.rejects(bench.run(list, tinyBase, id), errorOf('train.tooFewTokens'));
    assert.ok(readdirSync(join(runFolder(bench.root, id), 'data')).length > 0);
    bench.write('few.jsonl', readFileSync(join(bench.root, 'text.jsonl'), 'utf8'));
    await resume({ root: bench.root, id });
  });

  it('is asked for by name where it was damaged', async () => {
    writeFileSync(join(bench.root, 'mine.jsonl'), readFileSync(join(bench.root, 'rows.jsonl')));
    const id = bench.fresh();
    await stopped([kinds.prompts.stage], bench.cola, id);
    const folder = join(runFolder(bench.root, id), 'data');
    const [name] = readdirSync(folder);
    writeFileSync(join(folder, name), '{"files": 3');
    const parts = { root: bench.root, id };
    await assert.rejects(resume(parts), errorOf('train.changed', new RegExp(name)));
    await assert.rejects(resume(parts, { asIs: true }), errorOf('train.keptData', new RegExp(name)));
    rmSync(join(folder, name));
    await resume(parts, { asIs: true });
  });
});
