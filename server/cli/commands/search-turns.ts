/** `cola search --environment`: the best episode that a search over turns finds, beside what is likeliest and the best of samples. */
import { resolve } from 'node:path';
import type { Environment } from '../../environments/environment.ts';
import { environmentErrors } from '../../environments/errors.ts';
import { toolsText } from '../../environments/tools.ts';
import { watched } from '../../environments/watched.ts';
import { runDecoding } from '../../evaluate/run.ts';
import { Subject } from '../../evaluate/subject.ts';
import { turnPlayerOf } from '../../evaluate/turns.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import { exchangeText, type TurnPlayer } from '../../search/courses.ts';
import type { SearchBudget } from '../../search/options.ts';
import { figure, type OutlineNode, outline, principalVariation, quoted, treeLines } from '../../search/outline.ts';
import { searchPage } from '../../search/page.ts';
import { takeSnapshot } from '../../search/snapshot.ts';
import { bestOfEpisodes, greedyEpisode, type TurnControl } from '../../search/turn-controls.ts';
import { readTurns, restoreTurnSearch, saveTurns, type TurnPlace } from '../../search/turn-snapshot.ts';
import { type TurnEnd, type TurnEpisode, TurnSearch } from '../../search/turns.ts';
import { namedEnvironment, namedSizes } from '../../spec/named-environment.ts';
import { openEnvironment } from '../../train/reinforce/open-environment.ts';
import type { CliOutcome, Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import { openChosen } from '../options.ts';
import { saveSoFar } from '../save-so-far.ts';
import { longestTurn, type SearchCommandOptions, turnSettingsOf, wrongUse } from '../search-options.ts';
import { textOf } from '../search-prompt.ts';
import type { Session } from '../session.ts';

/** As a stage has it. */
const usualTurns = 20;
/** Milliseconds between two writes of the file. */
const saveInterval = 10_000;

const ends: Record<TurnEnd | 'cancelled', string> = {
  simulations: 'the budget of simulations is spent.',
  tokens: 'the budget of tokens is spent.',
  seconds: 'the budget of seconds is spent.',
  solved: 'nothing earns more.',
  exhausted: 'every branch is over.',
  cancelled: 'it was stopped.',
};

/** @throws environment.*, search.*, cli.usage, whatever loading a model throws */
export async function searchTurns(
  path: string,
  options: SearchCommandOptions,
  name: string,
  output: Output,
  session: Session,
): Promise<CliOutcome> {
  const { cwd, signal } = session;
  const { settings: given, budget } = turnSettingsOf(options);
  const from = options.continue === undefined ? undefined : resolve(cwd, options.continue);
  const before = from === undefined ? undefined : readTurns(from);
  const sizes = namedSizes(name, cwd);
  const settings = before?.snapshot.tree.options ?? {
    ...given,
    max_new: given.max_new ?? sizes.max_new ?? longestTurn,
  };
  if (before !== undefined && before.place.environment !== name)
    throw wrongUse(`${options.continue} is a search in ${before.place.environment}, and --environment names another`);
  const { folder, run } = await namedModel(path, cwd);
  const { max_new: maxNew } = settings;
  const seed = before?.place.seed ?? given.seed ?? 1;
  const rows = {
    resolve: (file: string) => resolve(cwd, file),
    signal,
    say: (text: string) => output.note(text),
    seed,
  };
  let start = '';
  const watcher = {
    onStart(observation: string) {
      // Every episode begins there.
      if (start === '') start = observation;
    },
    onStep() {},
  };
  const environment = watched(await openEnvironment(namedEnvironment(name, cwd), rows), watcher);
  try {
    const device = await openChosen(options, output);
    try {
      const decoding = before?.place.decoding ?? options.decoding ?? (run === undefined ? undefined : runDecoding(run));
      const subject = await Subject.load(device, folder, { decoding, signal, precision: options.precision });
      try {
        const side = before?.place.side ?? (options.unseen === true ? ('unseen' as const) : ('seen' as const));
        const task = { seed, side };
        const limits = { turns: before?.place.turns ?? options.turns ?? sizes.turns ?? usualTurns, maxNew };
        const valued = (settings.value?.value ?? 0) > 0;
        const player = await turnPlayerOf(subject, environment, task, limits, valued);
        try {
          if (before !== undefined && before.place.start !== start) throw environmentErrors.changed(name, 0);
          const place: TurnPlace = before?.place ?? {
            ...task,
            environment: name,
            model: folder,
            start,
            behind: [],
            turns: limits.turns,
            decoding: subject.decoding,
          };
          const search =
            before === undefined
              ? new TurnSearch(player, settings)
              : restoreTurnSearch(before, player, subject.base.config.vocabSize);
          const out = options.out === undefined ? from : resolve(cwd, options.out);
          const save = async () => {
            if (out !== undefined) await saveTurns(out, place, search);
          };
          // What cannot be written should be known before the work, not after it.
          await save();
          const work = {
            environment,
            subject,
            player: search.player,
            search,
            save,
            budget,
            options,
            output,
            session,
            place,
          };
          const value = await perform(work);
          if (out !== undefined) output.note(`Saved: ${out}`);
          return { value, ok: true };
        } finally {
          await player.dispose();
        }
      } finally {
        subject.dispose();
      }
    } finally {
      await device.dispose();
    }
  } finally {
    await environment.close();
  }
}

interface Work {
  readonly environment: Environment;
  readonly subject: Subject;
  readonly player: TurnPlayer;
  readonly search: TurnSearch;
  save(): Promise<void>;
  readonly budget: SearchBudget;
  readonly options: SearchCommandOptions;
  readonly output: Output;
  readonly session: Session;
  readonly place: TurnPlace;
}

async function perform(work: Work): Promise<unknown> {
  const { environment, search, session, place, output } = work;
  const { signal } = session;
  const end = await explore(work);
  // What was found is told, also where the person has stopped it.
  const stopped = signal.aborted;
  const answer = stopped ? search.best() : await search.answer(signal);
  const found = { best: answer, episodes: search.spent.simulations, tokens: search.spent.tokens };
  const controls = stopped ? undefined : await controlsOf(work, search);
  const nodes = outline(takeSnapshot(search));
  tell(work, search, nodes, end, answer);
  if (controls !== undefined) {
    const { samples, greedy } = controls;
    output.table([
      ['', 'reward', 'turns', 'tokens', 'episodes'],
      ['search', ...cells(found)],
      [`best of ${samples.episodes}`, ...cells(samples)],
      ['likeliest', ...cells(greedy)],
    ]);
    const oracle =
      "Of several episodes the environment's own reward has picked the best: an oracle, which knows what was right.";
    output.line(oracle);
  }
  await writePage(work, search, answer);
  signal.throwIfAborted();
  return {
    environment: environment.name,
    seed: place.seed,
    side: place.side,
    end,
    spent: search.spent,
    nodes: nodes.length,
    principal_variation: principalVariation(nodes).map((node) => ({ node, said: search.turnOf(node)?.said ?? '' })),
    search: kept(found),
    best_of_n: controls === undefined ? null : kept(controls.samples),
    greedy: controls === undefined ? null : kept(controls.greedy),
  };
}

/** What the same model does without a search: what is likeliest, and samples for as many tokens. */
async function controlsOf(
  { player, output, session: { signal } }: Work,
  { options: { breadth: batch, temperature, seed }, spent: { tokens } }: TurnSearch,
): Promise<{ readonly samples: TurnControl; readonly greedy: TurnControl }> {
  const greedy = await greedyEpisode(player, signal);
  const progress = output.startProgress('best of N, tokens', tokens);
  const drawn = { tokens, batch, temperature: temperature === 0 ? 1 : temperature, seed };
  const samples = await bestOfEpisodes(player, drawn, signal, (written) => progress.update(Math.min(written, tokens)));
  output.endProgress();
  return { samples, greedy };
}

function tell(
  { environment, output, options, place: { start, behind } }: Work,
  search: TurnSearch,
  nodes: readonly OutlineNode[],
  end: TurnEnd | 'cancelled',
  answer: TurnEpisode | undefined,
): void {
  const told = [environment.instructions, toolsText(environment.tools), start, ...behind.map(exchangeText)].filter(
    (part) => part !== '',
  );
  const { simulations, tokens, seconds } = search.spent;
  output.line(told.join('\n\n'));
  output.line();
  for (const line of treeLines(nodes, (node) => faceOf(search, node), options.lines, 'start')) output.line(line);
  output.line();
  output.line(`Spent: ${simulations} episodes, ${tokens} generated tokens, ${seconds.toFixed(2)} s; ${ends[end]}`);
  output.line();
  output.line(answer === undefined ? 'No episode came to its end.' : 'Best episode:');
  for (const turn of answer?.turns ?? []) output.line(exchangeText(turn));
  output.line();
}

async function writePage(
  { environment, subject, options, output, session, place }: Work,
  search: TurnSearch,
  answer: TurnEpisode | undefined,
): Promise<void> {
  if (options.html === undefined) return;
  const html = resolve(session.cwd, options.html);
  const facts = [
    ['model', subject.folder],
    ['environment', `${environment.name}, world ${place.seed}, ${place.side}`],
    ['start', [place.start, ...place.behind.map(exchangeText)].join('\n')],
    ['best episode', answer?.turns.map(({ said }) => said).join(' · ') ?? ''],
    ['its reward', answer === undefined ? 'none' : figure(answer.reward)],
  ] as const;
  const heard = (node: number) => search.turnOf(node)?.observation;
  const shown = { title: 'Search over turns', facts, text: textOf(subject.base, true), heard };
  await writeFileAtomic(html, searchPage(takeSnapshot(search), shown));
  output.note(`Page: ${html}`);
}

/** What is kept of an episode for a program. */
const kept = ({ best, episodes, tokens }: TurnControl) => ({
  episodes,
  tokens,
  reward: best?.reward ?? null,
  turns: best?.turns.map(({ said, observation, reward }) => ({ said, observation, reward })) ?? [],
});

const cells = ({ best, tokens, episodes }: TurnControl): string[] => [
  best === undefined ? 'none' : figure(best.reward),
  String(best?.turns.length ?? 0),
  String(tokens),
  String(episodes),
];

/** A turn with what was said to it. */
function faceOf(search: TurnSearch, node: OutlineNode): string {
  const turn = search.turnOf(node.id);
  const action = node.actions.length === 0 ? '' : `${node.actions[0]} `;
  return `${action}${quoted(turn?.said ?? '', 32)} ${quoted(turn?.observation ?? '', 40)}`;
}

async function explore({ search, save, budget, output, session: { signal } }: Work): Promise<TurnEnd | 'cancelled'> {
  let saved = performance.now();
  let unsaved = false;
  const progress = output.startProgress('episodes', budget.simulations);
  const events = search.run(budget, signal);
  let best: TurnEpisode | undefined;
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) {
        await save();
        return next.value;
      }
      best = search.best();
      const { simulations, tokens } = search.spent;
      progress.update(simulations, `${tokens} tokens${best === undefined ? '' : `, best ${figure(best.reward)}`}`);
      if (performance.now() - saved > saveInterval) {
        unsaved = await saveSoFar(save, output, unsaved);
        saved = performance.now();
      }
    }
  } catch (error) {
    await save().catch(() => undefined);
    if (signal.aborted) return 'cancelled';
    throw error;
  } finally {
    output.endProgress();
  }
}
