import assert from 'node:assert/strict';
import { Random } from '../../server/random.ts';
import {
  behindTurns,
  type Course,
  type CoursePlan,
  type TakenTurn,
  type TurnPlayer,
} from '../../server/search/courses.ts';
import { bestOfEpisodes, greedyEpisode } from '../../server/search/turn-controls.ts';
import {
  parseTurnFile,
  restoreTurnSearch,
  type TurnPlace,
  takeTurnSnapshot,
  turnFileText,
} from '../../server/search/turn-snapshot.ts';
import { type TurnEvent, TurnSearch, type TurnSettings } from '../../server/search/turns.ts';

const { signal } = new AbortController();
const letters = 4;
const length = 5;
const secret = [2, 0, 3, 1, 2];

/** A lock of five letters: each right one in its place earns a fifth, and the episode is over at the fifth or the first wrong one. */
class Lock implements TurnPlayer {
  readonly name = 'lock';
  readonly numCodes = letters;
  readonly start = [1];
  readonly asked: { readonly behind: string; readonly plan: CoursePlan }[] = [];

  constructor(
    private readonly world: {
      readonly hasValue?: boolean;
      readonly harsh?: boolean;
      readonly fails?: (said: string) => boolean;
      readonly forgets?: boolean;
    } = {},
  ) {}

  get most(): number | undefined {
    return this.world.harsh === true ? undefined : 1;
  }

  get hasValue(): boolean {
    return this.world.hasValue === true;
  }

  private turn(place: number, letter: number, salt: number): TakenTurn {
    const right = secret[place] === letter;
    const observation = `${right ? 'click' : 'no'}${this.world.forgets === true ? salt : ''}`;
    return {
      actions: [letter, 0],
      tokens: [10 + letter, 2],
      said: String(letter),
      observation,
      reward: right ? 1 / length : 0,
    };
  }

  async play(behind: readonly TakenTurn[], plan: CoursePlan): Promise<Course[]> {
    this.asked.push({ behind: behind.map(({ said }) => said).join(''), plan });
    return plan.seeds.map((seed, i): Course => {
      const random = new Random(seed);
      const turns: TakenTurn[] = [];
      let over = false;
      let written = 0;
      while (!over && (turns.length === 0 || !plan.single)) {
        const drawn = plan.temperature === 0 ? 0 : random.integer(letters);
        const letter = plan.byAction && turns.length === 0 ? i : drawn;
        written += 2;
        if (this.world.fails?.(String(letter)) === true)
          return {
            turns,
            over: false,
            failed: 'no answer',
            generated: written,
            ...(plan.byAction ? { prior: 0.25 } : {}),
          };
        turns.push(this.turn(behind.length + turns.length, letter, i));
        over = behind.length + turns.length === length || (this.world.harsh === true && turns.at(-1)!.reward === 0);
      }
      // What is left, had one the key.
      const value = (length - behind.length - 1) / length;
      return {
        turns,
        over,
        generated: written,
        ...(plan.byAction ? { prior: 0.25 } : {}),
        ...(plan.valued && !over ? { value } : {}),
      };
    });
  }
}

async function goOn(search: TurnSearch, simulations: number) {
  const run = search.run({ simulations }, signal);
  for (;;) {
    const next = await run.next();
    if (next.done === true) return next.value;
  }
}

const place: TurnPlace = {
  environment: 'lock',
  seed: 1,
  side: 'seen',
  model: 'm',
  start: 'Closed.',
  behind: [],
  turns: length,
  decoding: 'actions',
};

/** As it would be read from a file, by a program that was started anew. */
function reopened(search: TurnSearch): TurnSearch {
  const json: unknown = JSON.parse(turnFileText(place, search));
  return restoreTurnSearch(parseTurnFile(json, 'lock.json'), new Lock(), 100);
}

const known = (search: TurnSearch) => {
  const { tree, turns } = takeTurnSnapshot(search);
  return { tree: { ...tree, spent: { ...tree.spent, seconds: 0 } }, turns };
};

async function searched(player: TurnPlayer, settings: TurnSettings, budget: { tokens?: number; simulations?: number }) {
  const search = new TurnSearch(player, settings);
  const events: TurnEvent[] = [];
  const run = search.run(budget, signal);
  for (;;) {
    const next = await run.next();
    if (next.done === true) return { search, events, end: next.value };
    events.push(next.value);
  }
}

describe('a search over turns', () => {
  const usual = { breadth: 6, seed: 3, gamma: 1 };

  it('finds the way through by far fewer tokens than samples do', async () => {
    const { search, end } = await searched(new Lock(), usual, { tokens: 4000 });
    assert.equal(end, 'solved');
    assert.deepEqual(
      search.best()!.turns.map(({ said }) => Number(said)),
      secret,
    );
    assert.equal(search.best()!.reward.toFixed(6), '1.000000');
    // Chance finds the key once in 1024 episodes of ten tokens.
    assert.ok(search.spent.tokens < 2500, `${search.spent.tokens} tokens`);
    const drawn = { tokens: search.spent.tokens, batch: 6, temperature: 1, seed: 3 };
    const samples = await bestOfEpisodes(new Lock(), drawn, signal);
    assert.ok(samples.tokens >= search.spent.tokens && samples.tokens < search.spent.tokens + 60);
    assert.ok(samples.best!.reward < 1);
    const greedy = await greedyEpisode(new Lock(), signal);
    assert.deepEqual([greedy.episodes, greedy.tokens, greedy.best!.turns.length], [1, 10, 5]);
  });

  it('counts every episode once, at the turn that it began with', async () => {
    const { search, events } = await searched(new Lock(), usual, { simulations: 60 });
    const { tree, log } = search;
    const simulations = events.flatMap((event) => (event.kind === 'simulated' ? [event.simulation] : []));
    assert.equal(simulations.length, search.spent.simulations);
    assert.equal(tree.N[0], simulations.length);
    for (let id = 0; id < tree.count; id++) {
      const ended = log.entries.filter(({ node }) => node === id).length;
      const below = tree.childrenOf(id).reduce((sum, child) => sum + tree.N[child]!, 0);
      assert.equal(tree.N[id], ended + below);
      const said = tree.childrenOf(id).map((child) => search.turnOf(child)!.said);
      assert.equal(new Set(said).size, said.length, 'turns of the same words are one');
      const prior = tree.childrenOf(id).reduce((sum, child) => sum + tree.prior[child]!, 0);
      if (said.length > 0) assert.ok(Math.abs(prior - 1) < 1e-9);
    }
    for (const { reward, value, tokens, actions } of simulations) {
      assert.equal(value, reward);
      assert.equal(tokens.length, actions.length);
      assert.equal(tokens.length, 2 * length);
      const right = tokens.filter((token, i) => i % 2 === 0 && token === 10 + secret[i / 2]!).length;
      assert.ok(Math.abs(reward! - right / length) < 1e-9);
    }
    assert.equal(search.spent.tokens, simulations.at(-1)!.generated);
  });

  it('is the same with the same seed, and another with another', async () => {
    const said = async (seed: number) => {
      const { search } = await searched(new Lock(), { ...usual, seed }, { simulations: 48 });
      return Array.from({ length: search.tree.count }, (_, id) => [search.tree.parent[id], search.turnOf(id)?.said]);
    };
    assert.deepEqual(await said(5), await said(5));
    assert.notDeepEqual(await said(5), await said(6));
  });

  it('plays no turn behind the end of an episode, and ends where every branch is over and no other is found', async () => {
    const player = new Lock({ harsh: true });
    const { search, end } = await searched(player, { ...usual, breadth: 2, seed: 1 }, { simulations: 10_000 });
    assert.equal(end, 'exhausted');
    for (const { behind } of player.asked) assert.ok([...behind].every((letter, i) => Number(letter) === secret[i]));
    // More was drawn where the first turns led nowhere.
    assert.equal(search.best()!.reward.toFixed(6), '1.000000');
    assert.ok(search.spent.simulations < 200);
  });

  it('begins turns with actions of their own, with the chance that each had', async () => {
    const { search } = await searched(
      new Lock(),
      { ...usual, breadth: 4, byAction: true, temperature: 0 },
      { simulations: 4 },
    );
    const children = search.tree.childrenOf(0);
    assert.deepEqual(
      children.map((child) => [search.tree.firstAction(child), search.tree.prior[child]]),
      [0, 1, 2, 3].map((action) => [action, 0.25]),
    );
  });

  it('takes the word of a value head in place of the rest of an episode', async () => {
    const player = new Lock({ hasValue: true });
    const settings = { ...usual, value: { rollout: 0, value: 1 } };
    const { search } = await searched(player, settings, { simulations: 30 });
    assert.ok(player.asked.every(({ plan }) => plan.single && plan.valued));
    for (const child of search.tree.childrenOf(0)) {
      const right = search.turnOf(child)!.said === String(secret[0]) ? 1 : 0;
      assert.ok(Math.abs(search.log.of(child)!.value! - (right + length - 1) / length) < 1e-9);
    }
    // The most promising is played on.
    const before = search.spent.tokens;
    const answer = await search.answer(signal);
    assert.equal(answer!.turns.length, length);
    assert.ok(search.spent.tokens > before);
    assert.ok(answer!.reward >= (search.best()?.reward ?? 0));
    assert.throws(() => new TurnSearch(new Lock(), settings), { id: 'search.noValue' });
  });

  it('leaves out what had no answer, and goes on beside it', async () => {
    const { search } = await searched(new Lock({ fails: (said) => said === '1' }), usual, { simulations: 200 });
    const failed = search.log.entries.filter(({ noScore }) => noScore !== null);
    assert.ok(failed.length > 0);
    assert.equal(search.tree.N[0], search.spent.simulations - failed.length);
    const none = await searched(new Lock({ fails: () => true }), usual, { simulations: 200 });
    assert.deepEqual([none.end, none.search.best(), none.search.spent.simulations], ['exhausted', undefined, 6]);
  });

  it('is refused where it could find nothing, or find it by chance', async () => {
    assert.throws(() => new TurnSearch(new Lock(), { temperature: 0 }), { id: 'search.drawnTurns' });
    await assert.rejects(searched(new Lock(), usual, {}), { id: 'search.budget' });
    await assert.rejects(searched(new Lock({ forgets: true }), usual, { simulations: 50 }), {
      id: 'environment.changed',
    });
  });

  it('goes on from what was kept as it would have without a break', async () => {
    for (const byAction of [false, true]) {
      const { search: whole } = await searched(new Lock(), { ...usual, byAction, breadth: 4 }, { simulations: 60 });
      const { search: half } = await searched(new Lock(), { ...usual, byAction, breadth: 4 }, { simulations: 24 });
      const again = reopened(half);
      assert.deepEqual(known(again), known(half));
      assert.deepEqual(again.best(), half.best());
      await goOn(again, whole.spent.simulations - half.spent.simulations);
      assert.deepEqual(known(again), known(whole));
    }
  });

  it('keeps to what a person forced, away from what was banned, and to their scores, also after a break', async () => {
    const { search } = await searched(new Lock(), usual, { simulations: 30 });
    const named = (letter: number) =>
      search.tree.childrenOf(0).find((child) => search.turnOf(child)!.said === String(letter))!;
    const [right, wrong] = [named(secret[0]!), named((secret[0]! + 1) % letters)];
    search.ban(right);
    assert.notEqual(search.best()!.turns[0]!.said, String(secret[0]));
    const visits = search.tree.N[right]!;
    const again = reopened(search);
    await goOn(again, 30);
    // A turn that is drawn anew may be the banned one; nothing is chosen there.
    assert.ok(again.tree.N[right]! - visits < 15, `${again.tree.N[right]! - visits} of 30`);
    again.release(right);
    again.force(wrong);
    const before = again.tree.N[wrong]!;
    await goOn(again, 30);
    assert.equal(again.tree.N[wrong]! - before, again.spent.simulations - search.spent.simulations - 30);
    assert.equal(again.best()!.turns[0]!.said, again.turnOf(wrong)!.said);
    again.release(wrong);
    const [leaf] = again.log.entries.flatMap(({ node }) =>
      again.turnsTo(node)[0]?.said === again.turnOf(wrong)!.said ? [node] : [],
    );
    again.score(leaf!, 5);
    assert.equal(again.log.entries[again.bestSimulation()]!.node, leaf);
    assert.equal(reopened(again).log.entries[reopened(again).bestSimulation()]!.node, leaf);
    again.score(leaf!, null);
    assert.notEqual(again.log.entries[again.bestSimulation()]!.node, leaf);
    assert.throws(() => again.ban(0), { id: 'search.root' });
    assert.throws(() => again.force(10_000), { id: 'search.node' });
    assert.throws(() => again.score(1, Number.NaN), { id: 'search.score' });
  });

  it('goes from where an episode stands, and counts what is earned from there', async () => {
    const opened = new Lock();
    const [first] = await opened.play([], { seeds: [0], temperature: 0, single: true, valued: false, byAction: false });
    const before = [{ ...first!.turns[0]!, said: String(secret[0]), observation: 'click', reward: 1 / length }];
    const player = new Lock();
    const { search, end } = await searched(behindTurns(player, before), usual, { tokens: 4000 });
    assert.equal(end, 'solved');
    assert.ok(player.asked.every(({ behind }) => behind.startsWith(String(secret[0]))));
    assert.deepEqual(
      search.best()!.turns.map(({ said }) => Number(said)),
      secret.slice(1),
    );
    assert.equal(search.best()!.reward.toFixed(6), '0.800000');
  });

  it('is refused where its file was changed or damaged', async () => {
    const { search } = await searched(new Lock(), usual, { simulations: 20 });
    type Kept = ReturnType<typeof takeTurnSnapshot> & { world: TurnPlace };
    const damaged = (change: (kept: Kept) => unknown) => {
      const kept = JSON.parse(turnFileText(place, search)) as Kept;
      const json = change(kept) ?? kept;
      return () => restoreTurnSearch(parseTurnFile(json, 'lock.json'), new Lock(), 100);
    };
    for (const change of [
      ({ turns }: Kept) => void (turns.taken as unknown[]).pop(),
      ({ turns }: Kept) => void (turns.weight as number[]).push(1),
      ({ turns }: Kept) => void (turns.drained as number[]).push(10_000),
      ({ turns }: Kept) => void (turns.rests as unknown[]).pop(),
      ({ turns }: Kept) =>
        void Object.assign(turns.rests.find((rest) => rest !== null && rest.length > 0)![0]!, { length: 7 }),
      ({ turns: _, ...rest }: Kept) => rest,
      ({ tree: _, ...rest }: Kept) => rest,
      ({ world: _, ...rest }: Kept) => rest,
      ({ world, ...rest }: Kept) => ({ ...rest, world: { ...world, seed: -1 } }),
      ({ tree, ...rest }: Kept) => ({ ...rest, tree: { ...tree, prompt: [] } }),
      () => [],
    ])
      assert.throws(damaged(change), { id: 'search.snapshotJson' });
    assert.throws(
      damaged(({ tree }) => void Object.assign(tree, { num_codes: 5 })),
      { id: 'search.snapshotModel' },
    );
    assert.throws(
      damaged(({ tree }) => void tree.tree.tokens.fill(100)),
      { id: 'model.idOutOfRange' },
    );
    const behind = [{ actions: [0], tokens: [100], said: 'a', observation: 'b', reward: 0 }];
    assert.throws(
      damaged(({ world, ...rest }) => ({ ...rest, world: { ...world, behind } })),
      { id: 'model.idOutOfRange' },
    );
  });
});
