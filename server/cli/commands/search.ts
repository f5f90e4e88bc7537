/** `cola search`: the best answer that a search over latent actions finds, beside the best of as many sampled tokens. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setImmediate as breath } from 'node:timers/promises';
import type { Command } from 'commander';
import { ColaModel } from '../../cola/model.ts';
import { readUncheckedReward } from '../../evaluate/reward-text.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import { holdsModel } from '../../files/model-files.ts';
import { LanguageModel, type LoadModelOptions } from '../../model/language-model.ts';
import { openReward } from '../../reward-model/learned-reward.ts';
import { bestOfN } from '../../search/best-of-n.ts';
import { type Branch, BranchedModel } from '../../search/branches.ts';
import { type Answer, askJudge, isScore, type Judge, rewardJudge } from '../../search/judge.ts';
import { parseSearchOptions, type SearchBudget } from '../../search/options.ts';
import { edgeFace, figure, outline, principalVariation, quoted, treeLines, visible } from '../../search/outline.ts';
import { searchPage } from '../../search/page.ts';
import { Search, type SearchEnd } from '../../search/search.ts';
import { readSnapshot, restoreSearch, saveSearch, takeSnapshot } from '../../search/snapshot.ts';
import type { CliOutcome, Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import { openChosen } from '../options.ts';
import { saveSoFar } from '../save-so-far.ts';
import {
  budgetOf,
  defaultOut,
  rowOf,
  type SearchCommandOptions,
  settingsOf,
  withoutWorld,
  withSearchOptions,
  wrongUse,
} from '../search-options.ts';
import { promptOf, textOf } from '../search-prompt.ts';
import type { Session } from '../session.ts';
import { searchTurns } from './search-turns.ts';

/** Milliseconds between two writes of the file, and between two pauses in which Ctrl+C is heard. */
const saveInterval = 10_000;
const breathInterval = 50;
/** A budget of tokens ends, too, when so many simulations in a row had nothing new to generate. */
const idleLimit = 1000;

export function addSearch(program: Command, session: Session): void {
  const command = program
    .command('search')
    .description(
      'Search for the best answer over latent actions, or with --environment for the best episode over turns, with best-of-N at as many generated tokens beside it.',
    )
    .argument('<model>', 'folder of a model, with latent actions but for --environment, or a run');
  withSearchOptions(command).action((path: string, options: SearchCommandOptions) =>
    session.perform(options.json === true, (output) =>
      options.environment === undefined
        ? run(path, options, output, session)
        : searchTurns(path, options, options.environment, output, session),
    ),
  );
}

/** What a kind of search came to. */
interface Result extends Answer {
  /** null where the reward had no score. */
  readonly reward: number | null;
  readonly parts: Readonly<Record<string, number>>;
  readonly text: string;
}

async function run(path: string, options: SearchCommandOptions, output: Output, session: Session): Promise<CliOutcome> {
  const { cwd, signal } = session;
  const judging = withoutWorld(options);
  const budget = budgetOf(options);
  const row = rowOf(options.row);
  const before = options.continue === undefined ? undefined : await readSnapshot(resolve(cwd, options.continue));
  const given = settingsOf(options);
  const settings = before?.options ?? parseSearchOptions(given);
  const out = resolve(cwd, options.out ?? options.continue ?? defaultOut);
  if (options.out === undefined && options.continue === undefined && existsSync(out)) {
    throw wrongUse(
      `${defaultOut} is there already: search on with --continue ${defaultOut}, or name a file with --out`,
    );
  }
  const model = await loadModel(path, cwd, { precision: options.precision, say: (text) => output.note(text) });
  const prompt = await promptOf(options, model.base, before?.prompt, cwd, signal);
  const reward = await openReward(readUncheckedReward(judging), cwd);
  try {
    const judge = rewardJudge(reward, textOf(model.base, true), { prompt: prompt.text, row });
    const device = await openChosen(options, output);
    try {
      const branches = new BranchedModel(device, model, {
        tokens: prompt.ids.length + settings.max_new,
        rows: Math.max(settings.breadth, settings.root_breadth ?? 1, settings.batch),
      });
      try {
        const search =
          before === undefined
            ? new Search(branches, prompt.ids, judge, settings)
            : restoreSearch(before, branches, judge);
        // What cannot be written should be known before the work, not after it.
        await saveSearch(out, search);
        return await perform({ search, budget, judge, model, out, options, output, cwd, signal });
      } finally {
        await branches.dispose();
      }
    } finally {
      await device.dispose();
    }
  } finally {
    await reward.close();
  }
}

/** The model of a folder or of a run. @throws cola.*, config.*, spec.* */
async function loadModel(path: string, cwd: string, options: LoadModelOptions): Promise<ColaModel> {
  const { folder } = await namedModel(path, cwd);
  // A folder that is no model at all says so itself.
  if (!holdsModel(folder)) await LanguageModel.load(folder);
  const model = await ColaModel.load(folder, options);
  model.require('world', 'policy');
  return model;
}

interface Work {
  readonly search: Search<Branch>;
  readonly budget: SearchBudget;
  readonly judge: Judge;
  readonly model: ColaModel;
  /** Absolute. */
  readonly out: string;
  readonly options: SearchCommandOptions;
  readonly output: Output;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

async function perform(work: Work): Promise<CliOutcome> {
  const { search, model, options, output, out, signal } = work;
  const shown = textOf(model.base, false);
  const end = await explore(work);
  // What was found is told, also where it cannot be kept.
  const unsaved = await saveSearch(out, search).then(
    () => [],
    (error: unknown) => [error],
  );
  const snapshot = takeSnapshot(search);
  const answer = signal.aborted ? undefined : await answerOf(work);
  const nodes = outline(snapshot);
  const path = principalVariation(nodes);
  for (const line of treeLines(nodes, edgeFace(shown), options.lines)) output.line(line);
  output.line();
  const steps = path.map((id) => `${nodes[id].actions[0]} ${quoted(shown(nodes[id].tokens), 24)}`);
  output.line(`> Principal variation: ${steps.length === 0 ? 'none yet' : steps.join('  ')}`);
  const { simulations, tokens, seconds } = search.spent;
  const spent = `${simulations} simulations, ${tokens} generated tokens, ${seconds.toFixed(2)} s`;
  output.line(`Spent: ${spent}; ${ends[end]}`);
  const unscored = snapshot.simulations.flatMap(({ no_score: why }) => (why === null ? [] : [why]));
  if (unscored.length > 0) {
    output.line(`${unscored.length} of ${simulations} answers had no score: ${visible(unscored[0])}.`);
  }
  const { samples, best } = signal.aborted ? { samples: 0, best: undefined } : await sample(work, tokens);
  const generated = best?.generated ?? 0;
  if (answer !== undefined) output.line(`Best answer: ${quoted(answer.text)}`);
  if (!signal.aborted) {
    output.line();
    output.table([
      ['', 'reward', 'tokens', 'answers', 'best answer'],
      ['search', rewardText(answer), String(tokens), String(simulations), quoted(answer?.text ?? '', 60)],
      [`best of ${samples}`, rewardText(best), String(generated), String(samples), quoted(best?.text ?? '', 60)],
    ]);
  }
  if (unsaved.length > 0) throw unsaved[0];
  if (options.html !== undefined) {
    const html = resolve(work.cwd, options.html);
    const facts = [
      ['model', options.continue === undefined ? model.folder : `${model.folder}, continued from ${options.continue}`],
      ['prompt', shown(search.prompt)],
      ['reward', options.reward ?? ''],
      ['spent', spent],
      ['best answer', answer?.text ?? ''],
      ['its reward', rewardText(answer)],
      [`best of ${samples} samples, ${generated} generated tokens`, best?.text ?? ''],
      ['its reward', rewardText(best)],
    ] as const;
    const known = facts.filter(([, value]) => value !== '');
    await writeFileAtomic(
      html,
      searchPage(snapshot, { title: 'Search over latent actions', facts: known, text: shown }),
    );
    output.note(`Page: ${html}`);
  }
  output.note(`Saved: ${out}`);
  signal.throwIfAborted();
  const variation = path.map((id) => ({ node: id, actions: nodes[id].actions, text: shown(nodes[id].tokens) }));
  const value = {
    end,
    spent: search.spent,
    nodes: nodes.length,
    unscored: unscored.length,
    principal_variation: variation,
    search: answer ?? null,
    best_of_n: best === undefined ? null : { ...best, samples },
    out,
  };
  return { value, ok: true };
}

const ends: Record<SearchEnd | 'idle', string> = {
  simulations: 'the budget of simulations is spent.',
  tokens: 'the budget of tokens is spent.',
  seconds: 'the budget of seconds is spent.',
  ended: 'an answer has ended.',
  exhausted: 'every branch has ended without a score.',
  cancelled: 'it was stopped.',
  idle: `the last ${idleLimit} simulations found no new token.`,
};

const rewardText = (result: Result | undefined) =>
  result === undefined || result.reward === null ? 'none' : figure(result.reward);

/** Searches until the budget is spent. Whatever ends it, the tree so far is on disk if it can be written. */
async function explore(work: Work): Promise<SearchEnd | 'idle'> {
  const { search, budget, out, output, signal } = work;
  const { simulations, tokens, seconds } = budget;
  const from = { ...search.spent };
  const progress = output.startProgress('simulations', simulations);
  const events = search.run(budget, signal);
  let most = Number.NEGATIVE_INFINITY;
  let [saved, rested] = [performance.now(), performance.now()];
  let [seen, idle] = [search.spent.tokens, 0];
  let unsaved = false;
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) return next.value;
      if (next.value.kind === 'simulated') {
        const { value } = next.value.simulation;
        most = Math.max(most, value ?? Number.NEGATIVE_INFINITY);
        idle = search.spent.tokens === seen ? idle + 1 : 0;
        seen = search.spent.tokens;
        const best = Number.isFinite(most) ? `, best ${figure(most)}` : '';
        progress.update(search.spent.simulations - from.simulations, `${seen - from.tokens} tokens${best}`);
        if (idle >= idleLimit && tokens !== undefined && simulations === undefined && seconds === undefined)
          return 'idle';
      }
      const now = performance.now();
      if (now - saved > saveInterval) {
        unsaved = await saveSoFar(() => saveSearch(out, search), output, unsaved);
        saved = now;
      }
      // What is found in caches awaits nothing that lets the process listen.
      if (now - rested > breathInterval) {
        await breath();
        rested = now;
      }
    }
  } catch (error) {
    await saveSearch(out, search).catch(() => undefined);
    throw error;
  } finally {
    await events.return('cancelled');
    output.endProgress();
  }
}

/** The best answer; one that the search valued unfinished is finished, and judged. */
async function answerOf({ search, judge, model, signal }: Work): Promise<Result | undefined> {
  const best = search.best();
  const answer = await search.answer();
  if (best === undefined || answer === undefined) return undefined;
  const text = textOf(model.base, true)(answer.tokens);
  if (best.reward !== null) return { ...answer, reward: best.reward, parts: best.parts, text };
  const result = await askJudge(judge, answer, best.order, search.options.reward_seconds, signal);
  return isScore(result)
    ? { ...answer, reward: result.value, parts: result.parts, text }
    : { ...answer, reward: null, parts: {}, text };
}

/** Independent samples of the policy for as many generated tokens as the search had. */
async function sample(
  { search, judge, model, output, signal }: Work,
  tokens: number,
): Promise<{ samples: number; best: (Result & { readonly generated: number }) | undefined }> {
  if (tokens === 0) return { samples: 0, best: undefined };
  const { max_new: maxNew, batch, seed, reward_seconds: rewardSeconds } = search.options;
  // Answers that were drawn before cost nothing, so that tokens alone might never be spent.
  const budget = { tokens, simulations: tokens };
  const progress = output.startProgress('best of N, tokens', tokens);
  const settings = { maxNew, batch, seed, rewardSeconds };
  const draws = bestOfN(search.model, search.prompt, judge, settings, budget, signal);
  let [samples, generated, rested] = [0, 0, performance.now()];
  try {
    for (;;) {
      const next = await draws.next();
      if (next.done === true) {
        const best = next.value;
        if (best === undefined) return { samples, best };
        const { actions, tokens: ids, finished, reward, parts } = best;
        const text = textOf(model.base, true)(ids);
        return { samples, best: { actions, tokens: ids, finished, reward, parts, text, generated } };
      }
      if (next.value !== 'step') {
        samples++;
        generated = next.value.generated;
        progress.update(Math.min(generated, tokens));
      }
      if (performance.now() - rested > breathInterval) {
        await breath();
        rested = performance.now();
      }
    }
  } finally {
    output.endProgress();
  }
}
