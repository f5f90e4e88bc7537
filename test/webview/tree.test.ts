import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseRewardSpec } from '../../server/rewards/index.ts';
import { layOut } from '../../webview/tree/drawing/layout.ts';
import { boxAt, overviewOf, smallest } from '../../webview/tree/drawing/overview.ts';
import { layoutInput, type Rect, Scene } from '../../webview/tree/drawing/scene.ts';
import { beginning, fitting, readableScale, revealing, seen, zoomed } from '../../webview/tree/drawing/viewport.ts';
import { type Folding, fold, nextApart, nextFold } from '../../webview/tree/folding.ts';
import type { TreeModel } from '../../webview/tree/model.ts';
import { directionOf, move, type Orientation } from '../../webview/tree/navigation.ts';
import { explain } from '../../webview/tree/reward-parts.ts';
import { chosenReward, likelyReward, rewardChoices, rewardName } from '../../webview/tree/rewards.ts';
import { readView } from '../../webview/tree/view-state.ts';
import { ending } from '../../webview/tree/words.ts';
import { percent } from '../../webview/ui/actions.ts';
import { anyTree, randomTree } from './tree-random.ts';

const none = new Map<number, boolean>();
const everything: Folding = { least: 0, chosen: none, kept: new Set(), own: new Set(), apart: new Set() };
const orientations: readonly Orientation[] = ['right', 'down'];

function sceneOf(model: TreeModel, folding: Folding, orientation: Orientation, moment = model.now()): Scene {
  const shown = fold(model, moment, folding);
  return new Scene(shown, layOut(layoutInput(model, moment, shown, orientation)), model, orientation);
}

const places = (scene: Scene) => Array.from({ length: scene.count }, (_, place) => place);

describe('the tree as it was', () => {
  it('is at its end as the engine has it, and holds after each simulation what was done by then', () => {
    fc.assert(
      fc.property(anyTree, fc.nat(), (model, drawn) => {
        const now = model.now();
        const end = model.asItWas(model.simulations);
        for (let id = 0; id < end.count; id++) {
          assert.equal(end.visits[id], now.visits[id]);
          if (end.visits[id] > 0) assert.ok(Math.abs(end.q[id] - now.q[id]) < 1e-9);
        }
        const done = drawn % (model.simulations + 1);
        const then = model.asItWas(done);
        const counted = model.value.slice(0, done).filter((value) => !Number.isNaN(value)).length;
        assert.equal(then.visits[0], counted);
        for (let id = 0; id < model.count; id++) {
          assert.equal(id < then.count, id === 0 || model.born[id] < done);
          if (id >= then.count) continue;
          const below = model.childrenAt(id, then).reduce((sum, child) => sum + then.visits[child], 0);
          assert.ok(then.visits[id] >= below);
        }
      }),
    );
  });

  it('agrees with its own curves', () => {
    const model = randomTree(80, 4, 5);
    for (const done of [1, 17, 80]) {
      assert.ok(Math.abs(model.asItWas(done).q[0] - model.rootValue[done - 1]) < 1e-9);
      const rewards = model.reward.slice(0, done).filter((reward) => !Number.isNaN(reward));
      assert.equal(model.best[done - 1], Math.max(...rewards));
    }
  });
});

describe('folding', () => {
  it('shows every node once, or counts it in one stub, parents first', () => {
    const folds = fc.array(fc.tuple(fc.nat(200), fc.boolean()));
    fc.assert(
      fc.property(anyTree, fc.nat(9), folds, fc.nat(), fc.nat(), (model, least, chosen, a, b) => {
        const [kept, own] = [new Set([a % model.count]), new Set([b % model.count])];
        const shown = fold(model, model.now(), { least, chosen: new Map(chosen), kept, own, apart: new Set() });
        const nodes = shown.chain.flat();
        assert.equal(new Set(nodes).size, nodes.length);
        assert.equal(nodes.length + shown.folded.reduce((sum, n) => sum + n, 0), model.count);
        for (const id of [...kept, ...own].flatMap((each) => model.path(each)))
          assert.ok(nodes.includes(id), 'what is kept is shown, and the way to it');
        assert.ok(shown.node.includes([...own][0]), 'what is selected ends its card');
        for (let place = 1; place < shown.node.length; place++) assert.ok(shown.parent[place] < place);
      }),
    );
  });

  it('merges chains of single children into one card, and shows them apart when that is asked for', () => {
    fc.assert(
      fc.property(anyTree, fc.nat(3), fc.nat(), (model, least, drawn) => {
        const moment = model.now();
        const folding = { ...everything, least };
        const shown = fold(model, moment, folding);
        for (const [place, chain] of shown.chain.entries()) {
          if (shown.folded[place] > 0) continue;
          assert.equal(chain.at(-1), shown.node[place]);
          for (const [i, node] of chain.slice(0, -1).entries()) {
            assert.deepEqual(model.children[node], [chain[i + 1]]);
            assert.notEqual(node, 0, 'the prompt is a card of its own');
          }
          const [only, another] = model.children[chain[chain.length - 1]];
          const ends = chain.at(-1) === 0 || another !== undefined || only === undefined;
          assert.ok(ends || moment.visits[only] < least || model.flags[chain[chain.length - 1]] !== 0);
        }
        const long = shown.chain.filter((chain) => chain.length > 1);
        if (long.length === 0) return;
        const chain = long[drawn % long.length];
        for (const node of [chain[0], chain[chain.length - 1]]) {
          const apart = nextApart(model, moment, shown, node, new Set())!;
          const opened = fold(model, moment, { ...folding, apart });
          for (const each of chain) assert.ok(opened.node.includes(each), 'each has a card of its own');
          for (const each of chain)
            assert.deepEqual(nextApart(model, moment, opened, each, apart), new Set(), 'and shares one again');
        }
      }),
    );
  });

  it('opens what a person opens, and closes it again', () => {
    const model = randomTree(60, 5, 3);
    const moment = model.now();
    const folded = fold(model, moment, { ...everything, least: 1000 });
    assert.deepEqual(
      [folded.node, folded.folded],
      [
        [0, 0],
        [0, model.count - 1],
      ],
    );
    assert.equal(nextFold(model, moment, folded, 0), true);
    const opened = fold(model, moment, { ...everything, least: 1000, chosen: new Map([[0, true]]) });
    for (const child of model.children[0]) assert.ok(opened.chain.some(([first]) => first === child));
    assert.equal(nextFold(model, moment, opened, 0), false);
  });
});

describe('the layout', () => {
  it('lets no cards overlap, keeps siblings in order, and has the best child straight beside its parent', () => {
    fc.assert(
      fc.property(anyTree, fc.constantFrom(...orientations), fc.nat(5), (model, orientation, least) => {
        const scene = sceneOf(model, { ...everything, least }, orientation);
        const rects = places(scene).map((place) => scene.rect(place));
        for (const [i, a] of rects.entries()) {
          for (const b of rects.slice(i + 1)) {
            const apart =
              a.x + a.width <= b.x + 1e-6 ||
              b.x + b.width <= a.x + 1e-6 ||
              a.y + a.height <= b.y + 1e-6 ||
              b.y + b.height <= a.y + 1e-6;
            assert.ok(apart, 'two cards overlap');
          }
        }
        const across = (place: number) =>
          orientation === 'right' ? rects[place].y + rects[place].height / 2 : rects[place].x + rects[place].width / 2;
        const families = new Map<number, number[]>();
        for (const place of places(scene)) {
          const parent = scene.shown.parent[place];
          families.set(parent, [...(families.get(parent) ?? []), place]);
        }
        for (const [parent, family] of families) {
          const at = family.map(across);
          assert.deepEqual(
            at,
            [...at].sort((a, b) => a - b),
          );
          if (parent < 0) continue;
          assert.ok(at[0] <= across(parent) + 1e-6 && across(parent) <= at[at.length - 1] + 1e-6);
          const best = model.mostVisited(scene.shown.node[parent], model.now());
          const beside = family.find((place) => scene.firstOf(place) === best) ?? family[0];
          assert.ok(Math.abs(across(parent) - across(beside)) < 1e-6);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('leaves no more room between siblings than what is below them needs', () => {
    fc.assert(
      fc.property(anyTree, fc.constantFrom(...orientations), (model, orientation) => {
        const scene = sceneOf(model, everything, orientation);
        const gap = layoutInput(model, model.now(), scene.shown, orientation).gap;
        const span = (place: number) => {
          const { x, y, width, height } = scene.rect(place);
          return orientation === 'right' ? [y, y + height] : [x, x + width];
        };
        const below = (place: number): number[] => [
          place,
          ...places(scene)
            .filter((each) => scene.shown.parent[each] === place)
            .flatMap(below),
        ];
        const families = places(scene).map((parent) => places(scene).filter((p) => scene.shown.parent[p] === parent));
        for (const family of families) {
          for (let i = 1; i < family.length; i++) {
            const before = family.slice(0, i).flatMap(below);
            const touches = below(family[i]).some((a) =>
              before.some(
                (b) => scene.depthOf(a) === scene.depthOf(b) && Math.abs(span(a)[0] - span(b)[1] - gap) < 1e-6,
              ),
            );
            assert.ok(touches, 'a subtree lies further away than it must');
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('keeps the order of siblings while the tree grows', () => {
    const model = randomTree(100, 5, 11);
    const orders = [20, 50, 100].map((done) => {
      const scene = sceneOf(model, everything, 'right', model.asItWas(done));
      return model.children[0]
        .filter((child) => scene.placeOf(child) !== undefined)
        .map((child) => scene.rect(scene.placeOf(child)!).y);
    });
    for (const ys of orders)
      assert.deepEqual(
        ys,
        [...ys].sort((a, b) => a - b),
      );
  });

  it('finds all cards and edges that meet a rectangle, and not many others', () => {
    const rect = fc.record({
      x: fc.integer({ min: -500, max: 3000 }),
      y: fc.integer({ min: -3000, max: 3000 }),
      width: fc.integer({ min: 1, max: 900 }),
      height: fc.integer({ min: 1, max: 900 }),
    });
    fc.assert(
      fc.property(anyTree, fc.constantFrom(...orientations), rect, (model, orientation, part) => {
        const scene = sceneOf(model, everything, orientation);
        const { cards, edges } = scene.meeting(part);
        for (const place of places(scene)) {
          const own = scene.rect(place);
          const meets =
            own.x < part.x + part.width &&
            part.x < own.x + own.width &&
            own.y < part.y + part.height &&
            part.y < own.y + own.height;
          if (meets) assert.ok(cards.includes(place), 'a card is missing');
          if (place === 0) continue;
          const { from, to } = scene.edge(place);
          const middle = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
          const inside =
            middle[0] > part.x &&
            middle[0] < part.x + part.width &&
            middle[1] > part.y &&
            middle[1] < part.y + part.height;
          if (inside) assert.ok(edges.includes(place), 'an edge is missing');
        }
      }),
    );
  });
});

describe('the overview', () => {
  const room = { width: 900, height: 640 };

  it('fits the room, keeps children beside and within their parent, and lets no boxes overlap', () => {
    fc.assert(
      fc.property(anyTree, fc.constantFrom(...orientations), (model, orientation) => {
        const moment = model.now();
        const boxes = overviewOf(model, moment, orientation, room.width, room.height);
        const right = orientation === 'right';
        const span = ({ x, y, width, height }: Rect) => (right ? [y, y + height] : [x, x + width]);
        const along = ({ x, y, width, height }: Rect) => (right ? [x, x + width] : [y, y + height]);
        const byNode = new Map(boxes.flatMap((box) => box.chain.map((node) => [node, box] as const)));
        assert.equal(boxes[0]?.node, 0);
        for (const [i, box] of boxes.entries()) {
          assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= room.width && box.y + box.height <= room.height);
          assert.ok(span(box)[1] - span(box)[0] >= smallest);
          for (const other of boxes.slice(i + 1)) {
            const meet = (of: (rect: Rect) => number[]) =>
              of(box)[0] < of(other)[1] - 1e-6 && of(other)[0] < of(box)[1] - 1e-6;
            assert.ok(!(meet(span) && meet(along)), 'two boxes overlap');
          }
          if (box.node === 0) continue;
          const above = byNode.get(model.parent[box.chain[0]])!;
          assert.ok(Math.abs(along(box)[0] - along(above)[1]) < 1e-6, 'it lies beside its parent');
          assert.ok(span(box)[0] >= span(above)[0] - 1e-6 && span(box)[1] <= span(above)[1] + 1e-6, 'and within it');
          const share = moment.visits[box.chain[0]] / moment.visits[above.node];
          assert.ok(Math.abs((span(box)[1] - span(box)[0]) / (span(above)[1] - span(above)[0]) - share) < 1e-6);
          assert.equal(boxAt(boxes, box.x + box.width / 2, box.y + box.height / 2), box);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('shows the best line of a tree of two thousand nodes', () => {
    const model = randomTree(1600, 4, 6);
    const boxes = overviewOf(model, model.now(), 'right', room.width, room.height);
    const shown = new Set(boxes.flatMap(({ chain }) => chain));
    const line = model.principalVariation(model.now()).filter((id) => model.now().visits[id] >= 8);
    assert.ok(model.count > 2000 && line.length > 3);
    for (const id of line) assert.ok(shown.has(id));
    // What is left out was visited so seldom that its box would be thinner than a line.
    for (let id = 0; id < model.count; id++)
      if (!shown.has(id)) assert.ok((model.now().visits[id] / model.now().visits[0]) * room.height < smallest + 1);
  });
});

describe('moving through the tree', () => {
  it('goes by arrows that turn with the tree', () => {
    assert.deepEqual(
      ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'a'].map((key) => directionOf(key, 'right')),
      ['parent', 'child', 'before', 'after', undefined],
    );
    assert.equal(directionOf('ArrowUp', 'down'), 'parent');
    assert.equal(directionOf('ArrowRight', 'down'), 'after');
  });

  it('leads to cards that are shown: the parent, the most visited child, the siblings in order', () => {
    fc.assert(
      fc.property(anyTree, fc.nat(4), fc.nat(), (model, least, drawn) => {
        const moment = model.now();
        const shown = fold(model, moment, { ...everything, least });
        const cards = shown.node.filter((_, place) => shown.folded[place] === 0);
        const cardOf = (node: number) => shown.node[shown.chain.findIndex((chain) => chain.includes(node))];
        const id = cards[drawn % cards.length];
        for (const direction of ['parent', 'child', 'before', 'after'] as const) {
          assert.ok(cards.includes(move(model, moment, shown, id, direction)), direction);
        }
        const child = move(model, moment, shown, id, 'child');
        if (child !== id) {
          assert.equal(move(model, moment, shown, child, 'parent'), id);
          const rivals = model.children[id].filter((each) => cardOf(each) !== undefined);
          const most = rivals.reduce((a, b) => (moment.visits[b] > moment.visits[a] ? b : a));
          assert.equal(moment.visits[shown.chain[shown.node.indexOf(child)][0]], moment.visits[most]);
        }
        const after = move(model, moment, shown, id, 'after');
        if (after !== id) assert.equal(move(model, moment, shown, after, 'before'), id);
      }),
    );
  });
});

describe('the view of the plane', () => {
  const view = { x: 10, y: 20, scale: 0.8 };

  it('keeps the point under the pointer when it zooms', () => {
    const pointer = { x: 300, y: 200 };
    const after = zoomed(view, 1.7, pointer);
    assert.ok(Math.abs(view.x + 300 / view.scale - (after.x + 300 / after.scale)) < 1e-9);
    assert.ok(Math.abs(view.y + 200 / view.scale - (after.y + 200 / after.scale)) < 1e-9);
  });

  it('moves no further than it must to show a card, and all of it', () => {
    const rect = { x: 2000, y: -400, width: 200, height: 80 };
    const part = seen(revealing(view, rect, 1000, 600), 1000, 600);
    assert.ok(part.x <= rect.x && part.x + part.width >= rect.x + rect.width);
    assert.ok(part.y <= rect.y && part.y + part.height >= rect.y + rect.height);
    const inView = { x: 300, y: 300, width: 200, height: 80 };
    assert.deepEqual(revealing(view, inView, 1000, 600), view);
  });

  it('shows all of a large tree, and a small one no larger than life', () => {
    assert.equal(fitting({ x: 0, y: 0, width: 50, height: 50 }, 1000, 600).scale, 1);
    const part = seen(fitting({ x: 0, y: -2000, width: 3000, height: 4000 }, 1000, 600), 1000, 600);
    assert.ok(part.y <= -2000 && part.y + part.height >= 2000);
  });

  it('is at first as it always is where what was kept is of no use', () => {
    const first = readView(undefined);
    for (const kept of [null, 'x', { selected: -1 }, { folds: [[1]] }, { viewport: { x: 1 } }])
      assert.deepEqual(readView(kept), first);
    assert.equal(readView({ selected: 4 }).selected, 4);
  });
});

describe('rewards to choose from', () => {
  it('are rewards of a run spec', () => {
    for (const { id } of rewardChoices) {
      const given = id === 'custom' ? '{"length": {"max": 40}}' : 'text';
      const { reward } = chosenReward(id, given, { prompt: '', row: {}, language: '' });
      assert.ok(parseRewardSpec(reward).name.length > 0, id);
    }
    assert.throws(() => chosenReward('custom', '{', { prompt: '', row: {}, language: '' }), SyntaxError);
  });

  it('begin with the one that fits', () => {
    const draft = (row: Record<string, unknown>, language = '') => ({ prompt: '', row, language });
    assert.equal(likelyReward(draft({}, 'typescript')), 'code');
    assert.equal(likelyReward(draft({ answer: '4' })), 'maths');
    assert.equal(likelyReward(draft({ tests: 'equal(f(1), 2)' }, 'jsonl')), 'tests');
    assert.equal(likelyReward(draft({ numbers: [1, 2], target: 3, answer: '1+2' })), 'countdown');
    assert.equal(likelyReward(draft({}, 'markdown')), 'repetition');
  });

  it('have a short name', () => {
    assert.equal(rewardName('code'), 'code');
    assert.equal(
      rewardName({ sum: [{ reward: { code: {} } }, { reward: 'repetition', weight: 0.5 }] }),
      'code + repetition',
    );
    assert.equal(rewardName(7), '–');
  });
});

describe('texts on cards', () => {
  it('are cut at their beginning, on one line', () => {
    assert.equal(ending('a\nb', 10), 'a⏎b');
    assert.equal(ending('0123456789', 4), '…789');
  });
});

describe('shares', () => {
  it('are read at a glance, whatever they are', () => {
    const shown = [0, 1e-7, 0.0004, 0.005, 0.0096, 0.034, 0.0951, 0.0999, 0.1, 0.5, 1].map(percent);
    const words = ['0 %', '<0.01 %', '0.04 %', '0.5 %', '1 %', '3 %', '10 %', '10 %', '10 %', '50 %', '100 %'];
    assert.deepEqual(shown, words);
  });
});

describe('the first view', () => {
  const card = (x: number, y: number) => ({ x, y, width: 212, height: 76 });
  const rooms = { width: 900, height: 600 };
  const holds = (view: ReturnType<typeof beginning>, rect: ReturnType<typeof card>) => {
    const part = seen(view, rooms.width, rooms.height);
    const [right, bottom] = [rect.x + rect.width, rect.y + rect.height];
    return rect.x >= part.x && rect.y >= part.y && right <= part.x + part.width && bottom <= part.y + part.height;
  };

  it('holds the prompt and the best child at a size that can be read, and all of the best line where it fits', () => {
    const place = fc.integer({ min: -500, max: 500 });
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 12 }), (ys) => {
        const chain = [card(0, 0), ...ys.map((y, i) => card(268 * (i + 1), y))];
        const view = beginning(chain, rooms.width, rooms.height, 'right');
        assert.ok(view.scale >= readableScale && view.scale <= 1);
        assert.ok(holds(view, chain[0]) && holds(view, chain[1]));
        if (ys.length <= 2 && ys.every((y) => Math.abs(y) < 200)) assert.ok(chain.every((rect) => holds(view, rect)));
      }),
    );
  });

  it('shows the best child where prompt and best child lie too far apart', () => {
    const chain = [card(0, 0), card(268, 5000)];
    const view = beginning(chain, rooms.width, rooms.height, 'right');
    assert.ok(holds(view, chain[1]));
    assert.ok(view.scale >= readableScale);
  });
});

describe('the parts of a reward', () => {
  it('of a sum are weighted, and what only explains them stands beside it', () => {
    const spec = { sum: [{ reward: { code: { parse: 1 } } }, { reward: 'repetition', weight: 0.5 }] };
    const parts = { code: 0.28, 'code.parse': 0.28, repetition: -0.26 };
    const { terms, measured } = explain(0.15, parts, spec);
    assert.deepEqual(
      terms.map(({ name, weight }) => [name, weight]),
      [
        ['code', 1],
        ['repetition', 0.5],
      ],
    );
    assert.ok(Math.abs(terms.reduce((sum, { adds }) => sum + adds, 0) - 0.15) < 1e-9);
    assert.deepEqual(measured, [{ name: 'code.parse', value: 0.28 }]);
  });

  it('of the same name are told apart', () => {
    const spec = {
      sum: [
        { reward: 'length', weight: 2 },
        { reward: { length: { max: 3 } }, weight: -1 },
      ],
    };
    const { terms } = explain(1.5, { length: 1, 'length 2': 0.5 }, spec);
    assert.deepEqual(
      terms.map(({ name, adds }) => [name, adds]),
      [
        ['length', 2],
        ['length 2', -0.5],
      ],
    );
  });

  it('are not added up where they do not add up', () => {
    const { terms, measured } = explain(1, { correct: 1, boxed: 1 }, 'maths');
    assert.deepEqual(terms, []);
    assert.equal(measured.length, 2);
    assert.equal(explain(2, { format: 1, correct: 1 }, 'countdown').terms.length, 2);
  });
});
