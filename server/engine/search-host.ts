/** The searches of the engine. Each is on disk too, so that it is found again after a crash, a reload or a new model. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LoadedModel } from '../completion/loaded-model.ts';
import { makeFolder } from '../files/place.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { Channel } from '../protocol/channel/channel.ts';
import { toWire } from '../protocol/errors.ts';
import { pathLines } from '../protocol/feedback.ts';
import {
  closeSearch,
  describeSearch,
  exportSearch,
  extendSearch,
  findInSearch,
  forceAction,
  inspectNode,
  markNode,
  pauseSearch,
  type SearchKey,
  scoreNode,
  searchEvent,
  searchGrowth,
  searchNodes,
  searchSimulations,
  startSearch,
  startTurnSearch,
} from '../protocol/search.ts';
import type { Job, JobHandle, Scheduler } from '../schedule/scheduler.ts';
import { inTurns } from '../schedule/turns.ts';
import { searchErrors } from '../search/errors.ts';
import { engineErrors } from './errors.ts';
import { type OpenSearch, readSearchFile, saveOpen, searchFile } from './open-search.ts';
import { pathLinesOf } from './path-lines.ts';
import { growthOf } from './search-growth.ts';
import { SearchSession } from './search-session.ts';
import { TurnSession } from './turn-session.ts';

/** Progress is told, and the file written, at most so often, in milliseconds. */
const tellInterval = 100;
const saveInterval = 10_000;
/** Most nodes or simulations in one answer. */
const pageSize = 20_000;
/** Most nodes in the answer to a search for text. */
const mostFound = 1000;

/** A search on its way. */
type Way = Pick<JobHandle<void>, 'done' | 'state' | 'cancel'>;

interface Open {
  readonly session: OpenSearch;
  handle?: Way;
}

const fileOf = ({ root, search }: SearchKey) => searchFile({ root, search });
const keyOf = ({ root, search }: SearchKey): SearchKey => ({ root, search });
const abort = () => new DOMException('The search is paused.', 'AbortError');

export class SearchHost {
  private readonly open = new Map<string, Promise<Open>>();
  /** Ends what is being opened. */
  private closing = new AbortController();

  constructor(
    private readonly scheduler: Scheduler,
    /** @throws engine.noModel */
    private readonly model: () => LoadedModel,
    private readonly shelf: WeightShelf,
    private readonly channel: Channel,
  ) {
    channel.answer(startTurnSearch, async ({ root, search, options, ...about }) => {
      const key = { root, search };
      await this.start(key, (model) => TurnSession.create(key, about, options, this.means(model)));
      return {};
    });
    channel.answer(startSearch, async ({ prompt, row, reward, options, ...key }) => {
      await this.start(key, (model) => SearchSession.create(key, { prompt, row, reward }, options, model));
      return {};
    });
    channel.answer(extendSearch, async ({ simulations, ...key }) => {
      this.extend(await this.find(key), simulations);
      return {};
    });
    channel.answer(pauseSearch, async (key) => {
      await halt(await this.find(key));
      return {};
    });
    channel.answer(closeSearch, async (key) => {
      await this.drop(fileOf(key));
      return {};
    });
    channel.answer(forceAction, ({ node, action, ...key }) =>
      this.steer(key, async (session) => ({ node: await session.tryAction(node, action) })),
    );
    channel.answer(markNode, ({ node, mark, ...key }) =>
      this.steer(key, async (session) => {
        session.search[mark](node);
        return {};
      }),
    );
    channel.answer(scoreNode, ({ node, score, ...key }) =>
      this.steer(key, async (session) => {
        session.search.score(node, score);
        return {};
      }),
    );
    channel.answer(inspectNode, async ({ node, ...key }) => {
      const { session } = await this.find(key);
      return this.interactive(() => session.inspect(node));
    });
    channel.answer(pathLines, async ({ node, ...key }) => {
      const { session } = await this.find(key);
      if (!(session instanceof SearchSession)) throw searchErrors.turnPath();
      return { lines: pathLinesOf(session, this.model(), node) };
    });
    channel.answer(searchNodes, async ({ from, to, ids, ...key }) => {
      const { session } = await this.find(key);
      const { tree, log } = session.search;
      const wanted = ids?.filter((id) => id < tree.count) ?? page(from, to, tree.count);
      return { count: tree.count, simulations: log.count, nodes: wanted.map((id) => session.node(id)) };
    });
    channel.answer(searchGrowth, async ({ nodes, simulations, ...key }) => {
      const { session } = await this.find(key);
      const { tree, log } = session.search;
      return growthOf(
        session.search,
        page(nodes, undefined, tree.count),
        page(simulations, undefined, log.count),
        session.room,
      );
    });
    channel.answer(describeSearch, async (key) => (await this.find(key)).session.describe());
    channel.answer(findInSearch, async ({ text, ...key }) => {
      const { session } = await this.find(key);
      return { nodes: session.find(text, mostFound) };
    });
    channel.answer(exportSearch, async ({ format, ...key }) => {
      const { session } = await this.find(key);
      return { text: format === 'json' ? session.json() : session.page() };
    });
    channel.answer(searchSimulations, async ({ from, to, ...key }) => {
      const { session } = await this.find(key);
      const { count } = session.search.log;
      return { count, simulations: page(from, to, count).map((order) => session.simulation(order)) };
    });
  }

  /** Frees all searches; their files stay. */
  async close(): Promise<void> {
    this.closing.abort(abort());
    this.closing = new AbortController();
    await Promise.all([...this.open.keys()].map((name) => this.drop(name)));
  }

  private async start(key: SearchKey, create: (model: LoadedModel) => Promise<OpenSearch>): Promise<void> {
    const name = fileOf(key);
    if (this.open.has(name) || existsSync(name)) throw engineErrors.searchExists(key.search);
    makeFolder(dirname(name));
    const { session } = await this.remember(name, () => create(this.model()));
    await saveOpen(session);
  }

  /** The search, read from its file where it is not in memory. */
  private find(key: SearchKey): Promise<Open> {
    const name = fileOf(key);
    return this.open.get(name) ?? this.remember(name, () => this.load(keyOf(key)));
  }

  private async load(key: SearchKey): Promise<OpenSearch> {
    const json = readSearchFile(key);
    const model = this.model();
    return 'world' in json ? TurnSession.load(key, json, this.means(model)) : SearchSession.load(key, json, model);
  }

  private means(model: LoadedModel) {
    const { shelf } = this;
    const pace = <T>(work: () => Promise<T>) => this.scheduler.submit('search', () => inTurns(work)).done;
    return { model, shelf, pace, signal: this.closing.signal };
  }

  private remember(name: string, make: () => Promise<OpenSearch>): Promise<Open> {
    const opening = (async (): Promise<Open> => ({ session: await make() }))();
    this.open.set(name, opening);
    opening.catch(() => this.open.delete(name));
    return opening;
  }

  private async drop(name: string): Promise<void> {
    const opening = this.open.get(name);
    if (opening === undefined) return;
    this.open.delete(name);
    const open = await opening.catch(() => undefined);
    if (open === undefined) return;
    await halt(open);
    await open.session.dispose();
  }

  private extend(open: Open, simulations: number): void {
    const { session } = open;
    if (open.handle !== undefined && open.handle.state !== 'ended') return;
    const handle: Way = session.asks
      ? alone((signal) => this.drive(session, simulations, signal))
      : this.scheduler.submit('search', (signal) => this.drive(session, simulations, signal));
    open.handle = handle;
    handle.done.catch((error: unknown) => {
      if (error instanceof DOMException) return this.channel.tell(searchEvent, session.progress('cancelled'));
      const { message, remedy } = toWire(error);
      this.channel.tell(searchEvent, { ...session.progress('failed'), message, remedy });
    });
  }

  private async *drive(session: OpenSearch, simulations: number, signal: AbortSignal): Job<void> {
    const events = session.run(simulations, signal);
    let told = 0;
    let saved = performance.now();
    try {
      for (;;) {
        const next = await events.next();
        if (next.done === true) {
          await saveOpen(session);
          this.channel.tell(searchEvent, session.progress(next.value));
          return;
        }
        const now = performance.now();
        if (next.value.kind === 'simulated' && now - told > tellInterval) {
          told = now;
          this.channel.tell(searchEvent, session.progress(null));
        }
        if (now - saved > saveInterval) {
          await saveOpen(session);
          saved = now;
        }
        yield;
      }
    } catch (error) {
      // The tree so far is whole.
      await saveOpen(session);
      throw error;
    }
  }

  /** What a person does to the tree: done between steps, and kept on disk. */
  private async steer<T>(key: SearchKey, change: (session: OpenSearch) => Promise<T>): Promise<T> {
    const { session, handle } = await this.find(key);
    const result = await this.interactive(() => change(session));
    await saveOpen(session);
    const running = handle !== undefined && handle.state !== 'ended';
    this.channel.tell(searchEvent, session.progress(running ? null : 'cancelled'));
    return result;
  }

  private interactive<T>(work: () => Promise<T>): Promise<T> {
    return this.scheduler.submit('interactive', () => inTurns(work)).done;
  }
}

/** Work that asks for the device by itself, beside all others. */
function alone(work: (signal: AbortSignal) => Job<void>): Way {
  const ending = new AbortController();
  let ended = false;
  const done = (async () => {
    try {
      for await (const _ of work(ending.signal));
    } finally {
      ended = true;
    }
  })();
  return {
    done,
    get state() {
      return ended ? 'ended' : 'ready';
    },
    cancel: (reason) => ending.abort(reason),
  };
}

/** Ends what runs; settles when it stands. */
async function halt({ handle }: Open): Promise<void> {
  handle?.cancel(abort());
  await handle?.done.catch(() => {});
}

function page(from: number, to: number | undefined, count: number): number[] {
  const end = Math.min(to ?? count, count, from + pageSize);
  return Array.from({ length: Math.max(0, end - from) }, (_, i) => from + i);
}
