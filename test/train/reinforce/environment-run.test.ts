import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentSpec } from '../../../server/environments/spec.ts';
import type { RunSample } from '../../../server/protocol/history.ts';
import { runFolder } from '../../../server/store/run.ts';
import { openEnvironment } from '../../../server/train/reinforce/open-environment.ts';
import { program } from '../../support/bundled.ts';
import { OpenenvServer } from '../../support/openenv-server.ts';
import { linesOf, makeCola, resume, specOf, start, tinyBase, writeData } from '../../support/runs.ts';

const base = { ...tinyBase, context: 1024 };
const common = {
  ...{ worlds: 6, turns: 3, max_new: 5, max_tokens: 400, batch: 2, group: 3, steps: 4, warmup: 0 },
  ...{ checkpoint_every: 2, evaluate_every: 4, evaluate_rows: 2, evaluate_samples: 2, learning_rate: 3e-3 },
};

const slow = process.env.COLA_SLOW === '1';

describe('a run in an environment', function () {
  this.timeout(240_000);
  let root = '';
  let cola = '';

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-environment-run-'));
    writeData(root);
    cola = await start({ root, id: 'cola' }, specOf(base, makeCola));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const outcome = (id: string) => ({
    metrics: linesOf(root, id, 'metrics'),
    samples: linesOf(root, id, 'samples'),
    weights: readFileSync(join(runFolder(root, id), 'model', 'model.safetensors')).toString('base64'),
  });

  /** Starts a run in a process of its own, which kills itself after the third step. */
  async function kill(id: string, stage: object): Promise<void> {
    const spec = { model: cola, device: 'cpu', threads: 1, seed: 7, stages: [stage] };
    const file = join(root, `${id}.json`);
    writeFileSync(file, JSON.stringify({ root, id, spec, killAt: 3 }));
    const child = spawn(process.execPath, [program('train-child'), file], { stdio: 'ignore' });
    const [code] = await once(child, 'close');
    assert.equal(code, null);
  }

  for (const [name, stage] of Object.entries({
    'actions, GRPO': { reinforce: { ...common, environment: 'household' } },
    'actions, PPO with sub-goals': {
      reinforce: { ...common, algorithm: 'ppo', environment: { household: { subgoals: true } } },
    },
    'tokens, ReMax': { tokens: { ...common, algorithm: 'remax', environment: 'household' } },
  })) {
    // In the short form a process of its own is killed for the first only; what a kill leaves of the second is taken from a run that goes
    // on, and the third is only stopped.
    const kills = slow || name === 'actions, GRPO';
    const stops = slow || !name.includes('PPO');
    const left = slow || !name.includes('ReMax');
    const ends = [...(stops ? ['stopped'] : []), ...(left ? [kills ? 'killed' : 'left as by a kill'] : [])].join(
      ' and ',
    );
    it(`over ${name}: ${ends}, it ends bit for bit the same`, async () => {
      const id = name.replace(/\W+/g, '-');
      const killed = { root, id: `${id}-killed` };
      const copy = (event: { kind: string; step?: number }) => {
        if (kills || !left || event.kind !== 'step' || event.step !== 3) return;
        cpSync(runFolder(root, id), runFolder(root, killed.id), { recursive: true });
        rmSync(join(runFolder(root, killed.id), 'lock'));
      };
      await start({ root, id, onEvent: copy }, specOf(cola, [stage]));
      const expected = outcome(id);
      if (stops) {
        const stop = new AbortController();
        const onEvent = (event: { kind: string; step?: number }) => {
          if (event.kind === 'step' && event.step === 3) stop.abort();
        };
        const stopped = { root, id: `${id}-stopped` };
        await assert.rejects(start({ ...stopped, signal: stop.signal, onEvent }, specOf(cola, [stage])), {
          id: 'train.stopped',
        });
        await resume(stopped);
        assert.deepEqual(outcome(stopped.id), expected);
      }
      if (!left) return;
      if (kills) await kill(killed.id, stage);
      await resume(killed);
      assert.deepEqual(outcome(killed.id), expected);
    });
  }

  it('shows what was said, and measures worlds that were not seen', async () => {
    const all = linesOf(root, 'actions-GRPO', 'samples') as unknown as RunSample[];
    assert.match(all[0].prompt, /You are in a house[\s\S]*Your task/);
    assert.match(all[0].completion, /^> [\s\S]*\nNothing happened\./);
    for (const { turns = [], ended, actions, completion } of all) {
      assert.equal(ended, 'turns');
      assert.equal(turns.map(({ said, observation }) => `> ${said}\n${observation}`).join('\n'), completion);
      assert.deepEqual(
        turns.map(({ end }, i) => end > (turns[i - 1]?.end ?? 0)),
        [true, true, true],
      );
      assert.equal(turns.at(-1)?.end, actions.length);
    }
    const [ofTokens] = linesOf(root, 'tokens-ReMax', 'samples') as unknown as RunSample[];
    assert.deepEqual([ofTokens.actions, ofTokens.turns?.map(({ end }) => end)], [[], [0, 0, 0]]);
    const step = linesOf(root, 'actions-GRPO', 'metrics').find((line) => 'turns' in line) as
      | { turns: number }
      | undefined;
    assert.equal(step?.turns, 3);
  });

  it('in a module of the person: episodes without an answer are left out and counted', async () => {
    writeFileSync(
      join(root, 'world.mjs'),
      `export default { instructions: 'Say something.', create() {
        let seed = 0;
        return {
          reset(own) { seed = own; return 'Go.'; },
          step(text) {
            if (seed % 2 === 1) throw new Error('this world is broken');
            return { observation: 'Fine.', reward: text.length % 3, done: false };
          },
        };
      } };`,
    );
    const stage = { reinforce: { ...common, environment: { module: { path: 'world.mjs', processes: 2 } }, batch: 6 } };
    await start({ root, id: 'module' }, specOf(cola, [stage]));
    const steps = linesOf(root, 'module', 'metrics').filter((line) => 'unscored' in line) as { unscored: number }[];
    assert(
      steps.every(({ unscored }) => unscored === 9),
      JSON.stringify(steps.map(({ unscored }) => unscored)),
    );
    const samples = linesOf(root, 'module', 'samples') as unknown as RunSample[];
    const broken = samples.find(({ noScore }) => noScore !== undefined);
    assert.equal(broken?.ended, 'failed');
    assert.deepEqual(
      broken.turns?.map(({ observation }) => observation),
      [null],
    );
    assert.equal(broken.completion, '');
  });

  it('on a server of OpenEnv that turns hostile: what it did is saved, and goes on when the server is well', async () => {
    const server = await OpenenvServer.start();
    try {
      const openenv = { url: server.url, sessions: 3, stepMs: 5000, instructions: 'Guess a number.' };
      const own = { ...common, environment: { openenv }, steps: 7, checkpoint_every: 1, evaluate_every: 100 };
      let steps = 0;
      let lastSeen = 0;
      const onEvent = (event: { kind: string; step?: number }) => {
        if (event.kind !== 'step') return;
        steps++;
        lastSeen = event.step ?? 0;
        if (lastSeen === 2)
          server.mischief = (_, connection, count) => {
            if (count % 2 === 0) connection.close();
            else connection.send('{"type":"observation","data":{"observation":{"text":"a"},"reward":"lots"}}');
            return true;
          };
      };
      const parts = { root, id: 'openenv', onEvent };
      await assert.rejects(start(parts, specOf(cola, [{ reinforce: own }])), { id: 'train.nothingScored' });
      assert(steps >= 2 && lastSeen < 7, `${steps} ${lastSeen}`);
      server.mischief = () => false;
      await resume({ root, id: 'openenv' });
      const metrics = linesOf(root, 'openenv', 'metrics').filter((line) => line.unscored !== undefined);
      assert.equal(metrics.at(-1)?.step, 7);
      assert.equal(metrics.at(-1)?.unscored, 0);
    } finally {
      await server.stop();
    }
  });

  it('with tools of an MCP server: its tasks are rows, those without an answer are left out, and it can be stopped', async () => {
    cpSync(join(import.meta.dirname, '../../support/mcp-server.mjs'), join(root, 'mcp-server.mjs'));
    const tasks = ['5', undefined, '8', '2'].map((answer) => JSON.stringify({ prompt: `Say ${answer}.`, answer }));
    writeFileSync(join(root, 'tasks.jsonl'), `${tasks.join('\n')}\n`);
    const mcp = {
      command: [process.execPath, 'mcp-server.mjs'],
      ...{ prompts: 'tasks.jsonl', tools: ['add'] },
      reward: { sum: [{ reward: 'similarity' }, { reward: { length: { max: 0, unit: 'characters', slope: 40 } } }] },
    };
    // Three rows are learned from, and one is measured on.
    const stage = { reinforce: { ...common, environment: { mcp }, batch: 3, evaluate_rows: 5 } };
    await start({ root, id: 'mcp' }, specOf(cola, [stage]));
    const expected = outcome('mcp');
    const steps = expected.metrics.filter((line) => 'unscored' in line);
    assert.deepEqual(
      steps.map(({ unscored }) => unscored),
      [3, 3, 3, 3],
    );
    assert(steps.every(({ reward_spread: spread }) => Number(spread) > 0));
    const samples = expected.samples as unknown as { prompt: string; completion: string; noScore?: string }[];
    assert.match(samples[0].prompt, /You have these tools[^\n]*\n\{"name":"add".*\n\nSay (5|8|undefined)\.\n> $/);
    for (const { completion, noScore } of samples)
      assert.match(noScore ?? completion, /^> [\s\S]*\nReward |no column "answer"/);
    const stop = new AbortController();
    const onEvent = (event: { kind: string; step?: number }) => {
      if (event.kind === 'step' && event.step === 3) stop.abort();
    };
    const parts = { root, id: 'mcp-stopped' };
    await assert.rejects(start({ ...parts, signal: stop.signal, onEvent }, specOf(cola, [stage])), {
      id: 'train.stopped',
    });
    // It goes on with the tasks that it began with.
    writeFileSync(join(root, 'tasks.jsonl'), `${tasks.toReversed().join('\n')}\n`);
    await resume(parts);
    assert.deepEqual(outcome(parts.id), expected);
  });

  it('is opened by a worker without the files of its tasks, which travel with the starts', async () => {
    const command = [process.execPath, join(import.meta.dirname, '../../support/mcp-server.mjs')];
    const spec = environmentSpec.parse({ mcp: { command, prompts: 'gone.jsonl', reward: 'numeric' } });
    const { signal } = new AbortController();
    const context = { resolve: (path: string) => join(root, path), signal, say: () => undefined, seed: 1 };
    await assert.rejects(openEnvironment(spec, context), { id: 'data.missingFile' });
    const environment = await openEnvironment(spec, context, 'given');
    const world = environment.open();
    await world.reset(3, { side: 'seen', written: { prompt: 'Seven?', row: { answer: '7' } } });
    assert.equal((await world.step('7')).reward, 1);
    await environment.close();
  });

  it('has no prompts and no reward beside it', async () => {
    const stage = { reinforce: { ...common, environment: 'household', prompts: 'rows.jsonl' } };
    await assert.rejects(start({ root, id: 'both' }, specOf(cola, [stage])), { id: 'train.setting' });
  });
});
