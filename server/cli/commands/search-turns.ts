/** `cola search --environment`: the best episode that a search over turns finds, beside what is likeliest and the best of samples. */
import { resolve } from 'node:path';
import type { Environment } from '../../environments/environment.ts';
import { toolsText } from '../../environments/tools.ts';
import { watched } from '../../environments/watched.ts';
import { runDecoding } from '../../evaluate/run.ts';
import { Subject } from '../../evaluate/subject.ts';
import { turnPlayerOf } from '../../evaluate/turns.ts';
import { writeFileAtomic } from '../../files/atomic.ts';
import type { SearchBudget } from '../../search/options.ts';
import { figure, type OutlineNode, outline, principalVariation, quoted, treeLines } from '../../search/outline.ts';
import { searchPage } from '../../search/page.ts';
import { takeSnapshot } from '../../search/snapshot.ts';
import { bestOfEpisodes, greedyEpisode, type TurnControl } from '../../search/turn-controls.ts';
import { type TurnEnd, type TurnEpisode, TurnSearch, type TurnSettings } from '../../search/turns.ts';
import { namedEnvironment } from '../../spec/named-environment.ts';
import { openEnvironment } from '../../train/reinforce/open-environment.ts';
import type { EpisodePlayer } from '../../train/reinforce/turn-player.ts';
import type { CliOutcome, Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import { openChosen } from '../options.ts';
import { type SearchCommandOptions, turnSettingsOf } from '../search-options.ts';
import { textOf } from '../search-prompt.ts';
import type { Session } from '../session.ts';

/** As a stage has it. */
const usualTurns = 20;

const ends: Record<TurnEnd, string> = {
  simulations: 'the budget of simulations is spent.',
  tokens: 'the budget of tokens is spent.',
  seconds: 'the budget of seconds is spent.',
  solved: 'nothing earns more.',
  exhausted: 'every branch is over.',
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
  const { settings, budget } = turnSettingsOf(options);
  const { folder, run } = await namedModel(path, cwd);
  const { seed = 1, max_new: maxNew = 1 } = settings;
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
      const decoding = options.decoding ?? (run === undefined ? undefined : runDecoding(run));
      const subject = await Subject.load(device, folder, { decoding, signal, precision: options.precision });
      try {
        const task = { seed, side: options.unseen === true ? ('unseen' as const) : ('seen' as const) };
        const limits = { turns: options.turns ?? usualTurns, maxNew };
        const valued = (settings.value?.value ?? 0) > 0;
        const player = await turnPlayerOf(subject, environment, task, limits, valued);
        try {
          const work = { environment, subject, player, settings, budget, options, output, session, task, start };
          return { value: await perform(work), ok: true };
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
  readonly player: EpisodePlayer;
  readonly settings: TurnSettings;
  readonly budget: SearchBudget;
  readonly options: SearchCommandOptions;
  readonly output: Output;
  readonly session: Session;
  /** What is seen first. */
  readonly start: string;
  readonly task: { readonly seed: number; readonly side: string };
}

async function perform(work: Work): Promise<unknown> {
  const { environment, subject, player, settings, budget, options, output, session, task, start } = work;
  const { signal } = session;
  const told = [environment.instructions, toolsText(environment.tools)].filter((part) => part !== '');
  const search = new TurnSearch(player, settings);
  const end = await explore(search, budget, output, signal);
  const answer = await search.answer(signal);
  // What is found when tokens are counted is counted with them.
  const spent = { ...search.spent };
  const greedy = await greedyEpisode(player, signal);
  const { breadth: batch, temperature, seed } = search.options;
  const progress = output.startProgress('best of N, tokens', spent.tokens);
  const drawn = { tokens: spent.tokens, batch, temperature: temperature === 0 ? 1 : temperature, seed };
  const samples = await bestOfEpisodes(player, drawn, signal, (tokens) =>
    progress.update(Math.min(tokens, spent.tokens)),
  );
  output.endProgress();

  const snapshot = takeSnapshot(search);
  const nodes = outline(snapshot);
  const path = principalVariation(nodes);
  output.line([...told, start].join('\n\n'));
  output.line();
  for (const line of treeLines(nodes, (node) => faceOf(search, node), options.lines, 'start')) output.line(line);
  output.line();
  output.line(
    `Spent: ${spent.simulations} episodes, ${spent.tokens} generated tokens, ${spent.seconds.toFixed(2)} s; ${ends[end]}`,
  );
  output.line();
  output.line(answer === undefined ? 'No episode came to its end.' : 'Best episode:');
  for (const { said, observation } of answer?.turns ?? []) output.line(`> ${said}\n${observation}`);
  output.line();
  const found = { best: answer, episodes: spent.simulations, tokens: spent.tokens };
  output.table([
    ['', 'reward', 'turns', 'tokens', 'episodes'],
    ['search', ...cells(found)],
    [`best of ${samples.episodes}`, ...cells(samples)],
    ['likeliest', ...cells(greedy)],
  ]);
  output.line(
    "Of several episodes the environment's own reward has picked the best: an oracle, which knows what was right.",
  );
  if (options.html !== undefined) {
    const html = resolve(session.cwd, options.html);
    const facts = [
      ['model', subject.folder],
      ['environment', `${environment.name}, world ${task.seed}, ${task.side}`],
      ['start', start],
      ['best episode', answer?.turns.map(({ said }) => said).join(' · ') ?? ''],
      ['its reward', answer === undefined ? 'none' : figure(answer.reward)],
    ] as const;
    const shown = {
      facts,
      text: textOf(subject.base, true),
      heard: (node: number) => search.turnOf(node)?.observation,
    };
    await writeFileAtomic(html, searchPage(snapshot, { title: 'Search over turns', ...shown }));
    output.note(`Page: ${html}`);
  }
  return {
    environment: environment.name,
    ...task,
    end,
    spent,
    nodes: nodes.length,
    principal_variation: path.map((node) => ({ node, said: search.turnOf(node)?.said ?? '' })),
    search: kept(found),
    best_of_n: kept(samples),
    greedy: kept(greedy),
  };
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
  const action = search.player.numCodes === 1 ? '' : `${node.actions[0]} `;
  return `${action}${quoted(turn?.said ?? '', 32)} ${quoted(turn?.observation ?? '', 40)}`;
}

async function explore(
  search: TurnSearch,
  budget: SearchBudget,
  output: Output,
  signal: AbortSignal,
): Promise<TurnEnd> {
  const progress = output.startProgress('episodes', budget.simulations);
  const events = search.run(budget, signal);
  let best: TurnEpisode | undefined;
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) return next.value;
      best = search.best();
      const { simulations, tokens } = search.spent;
      progress.update(simulations, `${tokens} tokens${best === undefined ? '' : `, best ${figure(best.reward)}`}`);
    }
  } finally {
    output.endProgress();
  }
}
