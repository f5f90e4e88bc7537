import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtIn, environmentSpec } from '../../server/environments/spec.ts';
import { createReward } from '../../server/rewards/registry.ts';
import { parseSpec } from '../../server/spec/document.ts';
import { ratedStage } from '../../server/spec/rates.ts';
import type { StageSpec } from '../../server/spec/schema.ts';
import {
  builtInEnvironments,
  type DataChoice,
  goalNotes,
  goals,
  rewardFile,
  rewardModule,
  rewardsFor,
  type SpecAnswers,
  specName,
  specText,
} from '../../src/train/spec-templates.ts';

const choices: Readonly<Record<DataChoice['kind'], DataChoice>> = {
  countdown: { kind: 'countdown' },
  arithmetic: { kind: 'arithmetic' },
  file: { kind: 'file', path: './my data: 1.jsonl' },
  workspace: { kind: 'workspace', globs: ['**/*.ts', '**/*.md'] },
  environment: { kind: 'environment', environment: 'household' },
};

/** Every combination that the questions can lead to. */
const all: SpecAnswers[] = goals.flatMap((goal) =>
  goalNotes[goal].data.flatMap((kind) => {
    const data = choices[kind];
    const rewards = goalNotes[goal].judged ? rewardsFor(data) : [null];
    return rewards.flatMap((reward) =>
      [true, false].flatMap((latent) =>
        [true, false].map((short) => ({ goal, data, reward, latent, short, model: 'builtin:nano' })),
      ),
    );
  }),
);

describe('specs that CoLA: Train… writes', () => {
  it('have no problem, whatever was answered', () => {
    assert.ok(all.length > 60);
    for (const answers of all) {
      const text = specText(answers);
      assert.deepEqual(parseSpec(text, 'x').problems, [], `${JSON.stringify(answers)}\n${text}`);
    }
  });

  it('learn from the data and are judged by the reward that were chosen', () => {
    for (const answers of all) {
      const { spec } = parseSpec(specText(answers), 'x');
      const last = spec?.stages.at(-1);
      assert.ok(last !== undefined);
      const settings = last.settings as { readonly prompts?: unknown; readonly data?: unknown };
      const data = settings.prompts ?? settings.data;
      const { kind } = answers.data;
      if (kind === 'file') assert.equal(data, answers.data.path);
      else if (kind === 'environment') assert.ok('environment' in last.settings);
      else if (kind === 'workspace') assert.deepEqual(data, { workspace: '.', globs: answers.data.globs });
      else assert.equal((data as { task: string }).task, kind);
      if (answers.reward === null) continue;
      const reward = 'reward' in last.settings ? last.settings.reward : undefined;
      assert.equal(typeof reward === 'string' ? reward : Object.keys(reward ?? {})[0], answers.reward);
    }
  });

  it('give latent actions to a model that has none before they use them', () => {
    for (const answers of all) {
      const names = parseSpec(specText(answers), 'x').spec?.stages.map(({ name }) => name) ?? [];
      if (answers.goal === 'agent') assert.deepEqual(names, ['tokens', 'tokens']);
      else if (!answers.latent) assert.deepEqual(names.slice(0, 2), ['control', 'clone']);
      if (answers.latent && answers.goal === 'answers') assert.deepEqual(names, ['reinforce']);
    }
  });

  it('name no learning rate that is too high for a model of any width', () => {
    for (const answers of all)
      for (const model of ['./model', 'builtin:nano']) {
        const stages = parseSpec(specText({ ...answers, model }), 'x').spec?.stages ?? [];
        for (const { name, settings } of stages) {
          if (!('learning_rate' in settings) || settings.learning_rate === undefined) continue;
          if (model === 'builtin:nano') continue;
          const given = { name, settings: { ...settings, learning_rate: undefined } } as StageSpec;
          const { learning_rate: most } = ratedStage(given, { base: 8192, modules: 8192 }).settings as {
            readonly learning_rate: number;
          };
          assert.ok(settings.learning_rate <= most, `${name}: ${settings.learning_rate} above ${most}`);
        }
      }
  });

  it('explain themselves, and are named after what they do', () => {
    for (const answers of all) assert.match(specText(answers), /^# .+\n# Run it/);
    assert.equal(specName({ goal: 'answers', data: { kind: 'countdown' } }), 'countdown-answers');
    assert.equal(specName({ goal: 'code', data: choices.workspace }), 'code');
  });

  it('keep a model in a folder with blanks as it is', () => {
    const answers: SpecAnswers = { ...all[0], model: '/home/a b/model: "x"' };
    assert.equal(parseSpec(specText(answers), 'x').spec?.model, answers.model);
  });

  it('let an agent act in the environment that was chosen, after demonstrations where there are any', () => {
    const environments = {
      household: { household: { kind: 'put', rooms: 2, rules: false } },
      'guess-the-rule': 'guess-the-rule',
      './my world.mjs': { module: { path: './my world.mjs' } },
      'ws://127.0.0.1:8000': { openenv: 'ws://127.0.0.1:8000' },
    };
    for (const [environment, expected] of Object.entries(environments)) {
      const data: DataChoice = { kind: 'environment', environment };
      const text = specText({ goal: 'agent', data, reward: null, latent: true, model: 'builtin:nano' });
      const { spec, problems } = parseSpec(text, 'x');
      assert.deepEqual(problems, [], text);
      const last = spec?.stages.at(-1)?.settings;
      assert.deepEqual(
        last !== undefined && 'environment' in last && last.environment,
        environmentSpec.parse(expected),
      );
      assert.equal(spec?.stages.length, builtIn.some((name) => name === environment) ? 2 : 1);
    }
    assert.deepEqual(builtInEnvironments, builtIn);
    assert.equal(
      specName({ goal: 'agent', data: { kind: 'environment', environment: 'household' } }),
      'household-agent',
    );
    assert.equal(specName({ goal: 'agent', data: { kind: 'environment', environment: './w.mjs' } }), 'agent');
  });

  it('name the columns of rows that do not say themselves what is what', () => {
    const columns = { prompt: 'Frage 1', response: 'true', answer: 'extra.right' };
    const data: DataChoice = { kind: 'file', path: './r.parquet', columns };
    const { spec } = parseSpec(specText({ ...all[0], goal: 'answers', reward: 'numeric', latent: true, data }), 'x');
    const [stage] = spec?.stages ?? [];
    assert.deepEqual('prompts' in stage.settings && stage.settings.prompts, {
      jsonl: './r.parquet',
      columns,
      skip_bad_rows: false,
    });
  });

  it('say beside a file how its rows are read', () => {
    const data: DataChoice = { kind: 'file', path: './r.json', note: 'read as GSM8K: prompt from "a\nb"' };
    const text = specText({ ...all[0], goal: 'imitate', reward: null, data });
    assert.match(text, /data: \.\/r\.json {3}# read as GSM8K: prompt from "a b"\n/);
    assert.deepEqual(parseSpec(text, 'x').problems, []);
  });

  it('leave out rows that cannot be used, where that was chosen', () => {
    const data: DataChoice = { kind: 'file', path: './r.jsonl', note: 'as it is', skipBadRows: true };
    const text = specText({ ...all[0], goal: 'imitate', reward: null, data });
    assert.match(text, /data: \{ jsonl: \.\/r\.jsonl, skip_bad_rows: true \} {3}# as it is\n/);
    assert.deepEqual(parseSpec(text, 'x').problems, []);
  });

  it('offer the rewards that fit the rows first, and all others behind', () => {
    const plain = rewardsFor(choices.file);
    const fitting = rewardsFor({ kind: 'file', path: 'x', rewards: ['maths', 'numeric'] });
    assert.deepEqual(fitting.slice(0, 2), ['maths', 'numeric']);
    assert.deepEqual([...fitting].sort(), [...plain].sort());
  });

  it("come with a reward of one's own that works as it stands", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cola-reward-'));
    await writeFile(join(folder, rewardFile), rewardModule);
    assert.ok(existsSync(join(folder, rewardFile)));
    const reward = await createReward({ module: { path: `./${rewardFile}`, timeLimitMs: 60_000 } }, folder);
    try {
      const input = { prompt: 'a', row: {}, finished: true, tokens: 1 };
      const good = await reward.score({ ...input, completion: 'b' });
      const empty = await reward.score({ ...input, completion: ' ' });
      assert.deepEqual(
        [good, empty].map((result) => ('value' in result ? result.value : result.noScore)),
        [1, 0],
      );
    } finally {
      await reward.close();
      await rm(folder, { recursive: true });
    }
  });
});
