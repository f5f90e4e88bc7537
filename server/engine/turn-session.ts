/** One search over turns with what it needs: the environment, the model that acts in it, and its file. */
import type { z } from 'zod';
import { readLabels } from '../cola/actions-file.ts';
import type { LoadedModel } from '../completion/loaded-model.ts';
import type { Environment, World } from '../environments/environment.ts';
import { environmentErrors } from '../environments/errors.ts';
import { taskAt } from '../environments/tasks.ts';
import { toolsText } from '../environments/tools.ts';
import { runDecoding, runOf } from '../evaluate/run.ts';
import { Subject } from '../evaluate/subject.ts';
import { turnPlayerOf } from '../evaluate/turns.ts';
import { Speech } from '../model/chat/speech.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { ResultOf } from '../protocol/channel/request.ts';
import { playLimits } from '../protocol/play.ts';
import type {
  inspectNode,
  SearchDescription,
  SearchEvent,
  SearchKey,
  TreeNode,
  turnWorld,
} from '../protocol/search.ts';
import { behindTurns, exchangeText, type TakenTurn, type TurnPlayer } from '../search/courses.ts';
import { searchErrors } from '../search/errors.ts';
import { parseSearchOptions } from '../search/options.ts';
import { searchPage } from '../search/page.ts';
import {
  parseTurnFile,
  restoreTurnSearch,
  type TurnPlace,
  takeTurnSnapshot,
  turnFileText,
} from '../search/turn-snapshot.ts';
import { TurnSearch } from '../search/turns.ts';
import { namedEnvironment, namedSizes } from '../spec/named-environment.ts';
import { resolvePath } from '../spec/paths.ts';
import { templateOf, tokenizerOf } from '../train/data.ts';
import { openWorld, type WorldTask } from '../train/reinforce/environment-rollouts.ts';
import { openEnvironment } from '../train/reinforce/open-environment.ts';
import type { EpisodePlayer, Pace } from '../train/reinforce/turn-player.ts';
import { engineErrors } from './errors.ts';
import { finite, nodeOf, type OpenSearch, progressOf, searchFile } from './open-search.ts';

/** Turns that an episode goes on for behind the root at most, where no run spec says how many it has. */
const furtherTurns = 20;

/** What is searched, and from where. */
export interface TurnSubject extends z.output<typeof turnWorld> {
  readonly model: string;
  readonly behind: readonly string[];
}

type PlaceSubject = Omit<TurnSubject, 'behind'> & Partial<Pick<TurnPlace, 'decoding'>>;

/** What the engine lends it. */
export interface TurnMeans {
  /** Whose device it computes on. */
  readonly model: LoadedModel;
  readonly shelf: WeightShelf;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

export class TurnSession implements OpenSearch {
  readonly asks = true;
  readonly room = faceTokens;

  private constructor(
    readonly key: SearchKey,
    private readonly world: TurnPlace,
    readonly search: TurnSearch,
    private readonly place: Place,
  ) {}

  /** @throws environment.*, search.*, spec.*, engine.playOver, and whatever loading a model throws */
  static async create(
    key: SearchKey,
    { behind, ...about }: TurnSubject,
    options: Readonly<Record<string, unknown>>,
    means: TurnMeans,
  ): Promise<TurnSession> {
    return TurnSession.within(key, about, means, async (place) => {
      const { start, turns } = await place.replay(behind, means.signal);
      const byAction = place.subject.decoding === 'actions';
      const { turns: most = turns.length + furtherTurns, max_new: maxNew = playLimits.turnTokens } = namedSizes(
        about.environment,
        key.root,
      );
      const settings = parseSearchOptions({
        max_new: maxNew,
        temperature: 1,
        seed: about.seed,
        ...options,
      });
      const world = {
        ...about,
        start,
        behind: turns,
        // Whoever has played longer than that may have another turn.
        turns: Math.max(most, turns.length + 1),
        decoding: place.subject.decoding,
      };
      const player = behindTurns(await place.player(world.turns, settings.max_new, means), turns);
      const search = new TurnSearch(player, { ...settings, byAction });
      return new TurnSession(key, world, search, place);
    });
  }

  /** @param json what its file has @throws environment.changed, search.*, and what {@link create} throws */
  static async load(key: SearchKey, json: unknown, means: TurnMeans): Promise<TurnSession> {
    const file = parseTurnFile(json, searchFile(key));
    const { place: world, snapshot } = file;
    return TurnSession.within(key, world, means, async (place) => {
      const { start, turns } = await place.replay(
        world.behind.map(({ said }) => said),
        means.signal,
      );
      const other = turns.findIndex(({ observation }, i) => observation !== world.behind[i].observation);
      if (start !== world.start || other >= 0) throw environmentErrors.changed(place.environment.name, other + 1);
      const { max_new: maxNew } = snapshot.tree.options;
      const player = await place.player(world.turns, maxNew, means);
      const search = restoreTurnSearch(file, player, place.subject.base.config.vocabSize);
      return new TurnSession(key, world, search, place);
    });
  }

  private static async within(
    key: SearchKey,
    about: PlaceSubject,
    means: TurnMeans,
    make: (place: Place) => Promise<TurnSession>,
  ): Promise<TurnSession> {
    const place = await Place.open(key.root, about, means);
    try {
      return await make(place);
    } catch (error) {
      await place.close();
      throw error;
    }
  }

  run(simulations: number, signal: AbortSignal) {
    return this.search.run({ simulations }, signal);
  }

  /** @throws search.turnActions */
  async tryAction(): Promise<number> {
    throw searchErrors.turnActions();
  }

  json(): string {
    return turnFileText(this.world, this.search);
  }

  page(): string {
    const { search, key, world } = this;
    const best = search.best();
    return searchPage(takeTurnSnapshot(search).tree, {
      title: key.search,
      facts: [
        ['model', world.model],
        ['environment', `${world.environment}, world ${world.seed}, ${world.side}`],
        ['start', [world.start, ...world.behind.map(exchangeText)].join('\n')],
        ['simulations', String(search.log.count)],
        ...(best === undefined ? [] : ([['best episode', best.turns.map(({ said }) => said).join(' · ')]] as const)),
      ],
      text: (tokens) => this.place.text(tokens),
      heard: (node) => search.turnOf(node)?.observation,
    });
  }

  describe(): SearchDescription {
    const { search, world, place } = this;
    const { environment, seed, side, start, behind } = world;
    return {
      prompt: [place.told, start, ...behind.map(exchangeText)].filter((part) => part !== '').join('\n'),
      reward: place.environment.name,
      options: { ...search.options },
      gamma: search.options.gamma,
      model: world.model,
      labels: place.labels,
      world: { environment, seed, side, start, behind: behind.map(({ said, observation }) => ({ said, observation })) },
    };
  }

  /** Ids of at most `most` nodes whose turn, or what was said to it, has the text. */
  find(text: string, most: number): number[] {
    const wanted = text.toLowerCase();
    const found: number[] = [];
    for (let id = 1; id < this.search.tree.count && found.length < most; id++) {
      const turn = this.search.turnOf(id);
      if (turn !== undefined && exchangeText(turn).toLowerCase().includes(wanted)) found.push(id);
    }
    return found;
  }

  progress(end: SearchEvent['end']): SearchEvent {
    const { search, key } = this;
    const entry = search.log.entries[search.bestSimulation()];
    const best = entry === undefined ? null : { node: entry.node, value: finite(entry.reward ?? Number.NaN) };
    return progressOf(key, search, best, end);
  }

  node(id: number): TreeNode {
    const { tree } = this.search;
    const turn = this.search.turnOf(id);
    const node = nodeOf(tree, id, turn === undefined ? '' : faceOf(turn));
    // Without latent actions there is nothing to name.
    return this.place.labels.length === 0 ? { ...node, actions: [] } : node;
  }

  simulation(order: number) {
    const { node, value, reward, parts, noScore, actions } = this.search.log.at(order);
    const text = this.search.episode(order).map(exchangeText).join('\n');
    return { order, node, value, reward, parts: { ...parts }, noScore, text, actions: [...actions] };
  }

  /** @throws search.node */
  async inspect(node: number): Promise<ResultOf<typeof inspectNode>> {
    this.search.checkNode(node);
    const { tree } = this.search;
    const path = this.search
      .turnsTo(node)
      .map((turn) => ({ action: turn.actions[0] ?? 0, text: `${exchangeText(turn)}\n` }));
    const children = tree.childrenOf(node);
    const visits = children.reduce((sum, child) => sum + tree.N[child], 0);
    const codes = children.map((child) => ({
      action: tree.firstAction(child),
      label: this.place.labels[tree.firstAction(child)] ?? null,
      probability: tree.prior[child],
      // Each is a row of its own.
      token: child,
      text: this.search.turnOf(child)?.said ?? '',
      q: tree.N[child] === 0 ? null : finite(tree.mean(child)),
      child,
      share: visits === 0 ? 0 : tree.N[child] / visits,
    }));
    return { value: finite(tree.value[node]), path, codes };
  }

  async dispose(): Promise<void> {
    await this.place.close();
  }
}

/** Characters of what is said to a turn that stand beside it on a card, and tokens of both. */
const heardOnCard = 34;
const faceTokens = 12;

/** A turn with the beginning of what was said to it. */
function faceOf({ said, observation }: TakenTurn): string {
  const heard = observation.replace(/\s+/g, ' ').trim();
  const chars = [...heard];
  return `${said} → ${chars.length <= heardOnCard ? heard : `${chars.slice(0, heardOnCard - 1).join('')}…`}`;
}

/** An environment, and a model in it. */
class Place {
  /** Labels of the model's actions by code; empty, where it does not act by them. */
  readonly labels: (string | null)[];
  /** What an agent is told before everything else. */
  readonly told: string;
  private readonly speech: Speech;
  private acting: EpisodePlayer | undefined;

  private constructor(
    readonly environment: Environment,
    readonly subject: Subject,
    private readonly task: WorldTask,
    /** Its device stays as long as it is kept. */
    private readonly lender: LoadedModel,
  ) {
    const { context, decoding, folder } = subject;
    const { instructions, tools } = environment;
    this.told = [instructions, toolsText(tools)].filter((part) => part !== '').join('\n\n');
    const codes = decoding === 'actions' ? context.cola?.config.numCodes : undefined;
    this.labels = codes === undefined ? [] : [...readLabels(folder, codes)];
    this.speech = new Speech(tokenizerOf(context), templateOf(context));
  }

  static async open(
    root: string,
    { environment: name, seed, side, model, decoding: kept }: PlaceSubject,
    { model: lender, shelf, signal }: TurnMeans,
  ): Promise<Place> {
    // Relative paths count from a file in the folder.
    const resolve = (path: string) => resolvePath(path, `${root}/search`);
    const environment = await openEnvironment(namedEnvironment(name, root), { resolve, signal, say() {}, seed });
    try {
      const folder = resolvePath(model, '');
      const tuned = await runOf(folder);
      const decoding = kept ?? (tuned === undefined ? undefined : runDecoding(tuned.run));
      const subject = await Subject.load(lender.device, folder, { decoding, signal, shelf });
      const written = taskAt(environment.tasks, seed, side);
      const task = { seed, side, ...(written === undefined ? {} : { written }) };
      return new Place(environment, subject, task, lender.retain());
    } catch (error) {
      await environment.close();
      throw error;
    }
  }

  /** What is seen first, and turns as they would be read. @throws engine.playOver */
  async replay(said: readonly string[], signal: AbortSignal): Promise<{ start: string; turns: TakenTurn[] }> {
    const { seed, ...what } = this.task;
    const world: World = openWorld(this.environment);
    try {
      const start = await world.reset(seed, what, signal);
      const turns: TakenTurn[] = [];
      for (const each of said) {
        const { observation, reward, done } = await world.step(each, signal);
        if (done) throw engineErrors.playOver();
        const tokens = [...this.speech.turn(each)];
        turns.push({ actions: tokens.map(() => 0), tokens, said: each, observation, reward });
      }
      return { start, turns };
    } finally {
      await world.close();
    }
  }

  /**
   * @param turns of an episode at most
   * @param maxNew longest turn, in tokens
   */
  async player(turns: number, maxNew: number, { pace }: TurnMeans): Promise<TurnPlayer> {
    const limits = { turns, maxNew };
    this.acting = await turnPlayerOf(this.subject, this.environment, this.task, limits, false, pace);
    return this.acting;
  }

  text(tokens: readonly number[]): string {
    return tokenizerOf(this.subject.context).decode(tokens, { skipSpecialTokens: true, continuation: true });
  }

  async close(): Promise<void> {
    await this.acting?.dispose();
    this.subject.dispose();
    await this.environment.close();
    await this.lender.release();
  }
}
