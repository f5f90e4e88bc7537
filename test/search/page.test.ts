import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import vm from 'node:vm';
import fc from 'fast-check';
import {
  edgeFace,
  figure,
  mostVisited,
  outline,
  principalVariation,
  quoted,
  treeLines,
  visible,
} from '../../server/search/outline.ts';
import { escapeHtml, searchPage } from '../../server/search/page.ts';
import { pageScript } from '../../server/search/page-parts.ts';
import { Search } from '../../server/search/search.ts';
import { parseSnapshot, takeSnapshot } from '../../server/search/snapshot.ts';
import { finish, hash, ToyModel, wildWorld } from './toy.ts';

const hostile = [
  '</script><script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  `"'><svg onload=alert(1)>`,
  '<!--<script>',
  ']]>',
  '\u001b[2J\u202egnp.exe\u2028\u0000',
];

const snapshotOf = async (simulations = 60) => {
  const search = new Search(
    new ToyModel(wildWorld(5)),
    [7, 8],
    ({ tokens }) => ({ value: hash(3, ...tokens), parts: { [hostile[0]!]: 0.5 } }),
    { max_new: 8, cpuct: 2, breadth: 3, temperature: 1 },
  );
  await finish(search, simulations);
  // What is shown is what was written.
  return parseSnapshot(JSON.parse(JSON.stringify(takeSnapshot(search))), 'search.json');
};
const ids = (tokens: readonly number[]) => tokens.join(' ');

/** Just enough of a document for the script of the page: rows in order, as they stand in the HTML. */
function open(page: string) {
  const data = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1]!;
  class Item {
    hidden = false;
    tabIndex = -1;
    textContent = '';
    value = '2';
    attributes = new Map<string, string>();
    listeners = new Map<string, (event: object) => void>();
    children: Item[] = [];
    setAttribute(name: string, value: string) {
      this.attributes.set(name, value);
    }
    addEventListener(name: string, act: (event: object) => void) {
      this.listeners.set(name, act);
    }
    focus() {
      document.at = this;
    }
    replaceChildren(...items: Item[]) {
      this.children = items;
    }
  }
  const rows = page.match(/role="treeitem"/g)!.map(() => new Item());
  const byId = new Map(['data', 'details', 'fold'].map((id) => [id, new Item()]));
  byId.get('data')!.textContent = data;
  const document = {
    at: rows[0]!,
    getElementById: (id: string) => byId.get(id),
    querySelectorAll: () => rows,
    createElement: () => new Item(),
  };
  vm.runInNewContext(pageScript, { document });
  const press = (key: string) => document.at.listeners.get('keydown')!({ key, preventDefault() {} });
  const details = () => {
    const items = byId.get('details')!.children.map(({ textContent }) => textContent);
    return Object.fromEntries(items.flatMap((name, i) => (i % 2 === 0 ? [[name, items[i + 1]!]] : [])));
  };
  const fold = (least: number) => {
    byId.get('fold')!.value = String(least);
    byId.get('fold')!.listeners.get('input')!({});
  };
  return { rows, press, details, fold, at: () => Number(details().node), data: JSON.parse(data) };
}

describe('outline of a search', () => {
  it('agrees with the tree, and follows the most visits', async () => {
    const snapshot = await snapshotOf();
    const nodes = outline(snapshot);
    assert.equal(nodes.length, snapshot.tree.parent.length);
    for (const node of nodes) {
      for (const child of node.children) assert.equal(nodes[child]!.parent, node.id);
      const through = snapshot.simulations.filter(({ node: end }) => {
        let at = end;
        while (at > node.id) at = snapshot.tree.parent[at]!;
        return at === node.id;
      });
      const most = Math.max(...through.map(({ reward }) => reward!));
      assert.equal(node.best, through.length === 0 ? null : most);
      assert.equal(node.N, through.length);
    }
    const path = principalVariation(nodes);
    assert.ok(path.length > 1);
    let at = 0;
    for (const id of path) {
      assert.equal(nodes[id]!.parent, at);
      assert.equal(nodes[id]!.N, Math.max(...nodes[at]!.children.map((child) => nodes[child]!.N)));
      at = id;
    }
    assert.ok(nodes[at]!.children.every((child) => nodes[child]!.N === 0));
  });

  it('leads past what a person banned, and along what is forced', async () => {
    const snapshot = await snapshotOf();
    const [first] = principalVariation(outline(snapshot));
    snapshot.tree.flags[first!] = 2;
    const [second] = principalVariation(outline(snapshot));
    assert.notEqual(second, first);
    snapshot.tree.flags[first!] = 0;
    snapshot.tree.flags[second!] = 4;
    assert.equal(principalVariation(outline(snapshot))[0], second);
  });

  it('shows the most visited nodes with all above them, and counts the rest', async () => {
    const nodes = outline(await snapshotOf());
    for (let most = 1; most <= nodes.length; most++) {
      const shown = mostVisited(nodes, most);
      assert.equal(shown.size, most);
      for (const id of shown) assert.ok(id === 0 || shown.has(nodes[id]!.parent));
      assert.ok(treeLines(nodes, edgeFace(ids), most).filter((line) => !/ more$/.test(line)).length === most);
    }
    const whole = treeLines(nodes, edgeFace(ids), nodes.length);
    assert.equal(whole.length, nodes.length);
    assert.equal(whole.filter((line) => line.includes('─> ')).length, principalVariation(nodes).length);
  });

  it('writes counts whole, and other figures short', () => {
    assert.deepEqual([34713, -2, 0.123456, 1e-7, 12345.678].map(figure), ['34713', '-2', '0.1235', '1e-7', '12350']);
  });

  it('writes text so that nothing in it acts', () => {
    assert.equal(visible('a\n\t\\\u001b[1m\u202e\u2028😀é'), 'a\\n\\t\\\\\\u{1b}[1m\\u{202e}\\u{2028}😀é');
    assert.equal(quoted('say "hi"', 5), '"say …"');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 20 }), (text, most) => {
        assert.doesNotMatch(visible(text), /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.match(quoted(text, most), /^"(?:[^"\\]|\\.)*"$/su);
      }),
    );
  });
});

describe('page of a search', () => {
  it('lets no text of the model or the reward become markup', async () => {
    const snapshot = await snapshotOf();
    const plain = searchPage(snapshot, { title: 'x', text: ids, facts: [['a', 'b']] });
    const tags = (page: string) => page.match(/<[!/]?[a-z-]+/gi);
    for (const bad of hostile) {
      const page = searchPage(snapshot, { title: bad, text: () => bad, facts: [[bad, bad]] });
      assert.deepEqual(tags(page), tags(plain), bad);
      assert.doesNotMatch(page.replaceAll('\n', ''), /[\p{C}\p{Zl}\p{Zp}]/u);
      const { details, press } = open(page);
      press('ArrowRight');
      assert.equal(details().text, quoted(bad));
      assert.equal(details()[`reward: ${hostile[0]}`], '0.5');
    }
    fc.assert(fc.property(fc.string(), (text) => !/[<>"']/.test(escapeHtml(text))));
  });

  it('may run its own script and style and fetch nothing', async () => {
    const page = searchPage(await snapshotOf(), { title: 'x', text: ids });
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    assert.match(policy, /^default-src 'none'; /);
    assert.doesNotMatch(policy, /unsafe|http|\*|data:/);
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    assert.ok(policy.includes(`script-src ${hash(/<script>(.*)<\/script>/s.exec(page)![1]!)};`));
    assert.ok(policy.includes(`style-src ${hash(/<style>(.*)<\/style>/s.exec(page)![1]!)};`));
    assert.doesNotMatch(page, /\b(?:src|href|url|style)\s*[=(]|https?:|\bon\w+=/);
    assert.match(page, /prefers-color-scheme:dark/);
  });

  it('shows every node, the settings and the principal variation', async () => {
    const snapshot = await snapshotOf();
    const page = searchPage(snapshot, { title: 'Tree', text: ids, facts: [['reward', 'hash']] });
    const path = principalVariation(outline(snapshot));
    assert.equal(page.match(/role="treeitem"/g)!.length, snapshot.tree.parent.length);
    assert.equal(page.match(/<li role="treeitem"[^>]* principal"/g)!.length, path.length);
    for (const [name, value] of Object.entries(snapshot.options)) {
      const shown = typeof value === 'object' ? JSON.stringify(value) : String(value);
      assert.ok(page.includes(`<dt>${name}</dt><dd>${escapeHtml(shown)}</dd>`), name);
    }
    assert.match(page, /<dt>reward<\/dt><dd>hash<\/dd>/);
    const few = searchPage(snapshot, { title: 'Tree', text: ids, nodes: 10 });
    assert.equal(few.match(/role="treeitem"/g)!.length, 10);
    assert.match(few, new RegExp(`${snapshot.tree.parent.length - 10} nodes with the fewest visits are left out`));
  });

  it('is walked with the arrow keys', async () => {
    const snapshot = await snapshotOf();
    const nodes = outline(snapshot);
    const { press, at, details } = open(searchPage(snapshot, { title: 'x', text: ids }));
    assert.equal(at(), 0);
    for (const key of ['ArrowLeft', 'ArrowUp', 'ArrowDown', 'x']) {
      press(key);
      assert.equal(at(), 0);
    }
    const [a, b] = nodes[0]!.children;
    for (const [key, node] of [
      ['ArrowRight', a],
      ['ArrowUp', a],
      ['ArrowDown', b],
      ['ArrowUp', a],
      ['ArrowRight', nodes[a!]!.children[0]],
      ['ArrowLeft', a],
      ['ArrowDown', b],
      ['Home', 0],
    ] as const) {
      press(key);
      assert.equal(at(), node, key);
    }
    press('ArrowRight');
    const { N, Q, P, actions, tokens } = nodes[a!]!;
    assert.deepEqual(
      [details().N, details().Q, details().P, details().actions, details().text],
      [String(N), String(Q), String(P), actions.join(' '), quoted(ids(tokens))],
    );
  });

  it('folds branches below a number of visits, but not the principal variation', async () => {
    const snapshot = await snapshotOf();
    const nodes = outline(snapshot);
    const principal = new Set([0, ...principalVariation(nodes)]);
    const { rows, fold, data, press, at } = open(searchPage(snapshot, { title: 'x', text: ids }));
    const id = (i: number) => Number(data[i].facts[0][1]);
    for (const least of [0, 5, 1000]) {
      fold(least);
      for (const [i, row] of rows.entries()) {
        let seen = true;
        for (let up = nodes[id(i)]!.parent; up >= 0; up = nodes[up]!.parent) {
          seen &&= principal.has(up) || nodes[up]!.N >= least;
        }
        assert.equal(row.hidden, !seen, `${least}: node ${id(i)}`);
      }
    }
    // A folded branch opens when it is entered.
    const other = nodes[0]!.children.find((child) => !principal.has(child) && nodes[child]!.children.length > 0)!;
    press('ArrowRight');
    while (at() !== other) press('ArrowDown');
    press('ArrowRight');
    assert.equal(at(), nodes[other]!.children[0]);
    assert.equal(
      rows.filter((row, i) => !row.hidden && nodes[id(i)]!.parent === other).length,
      nodes[other]!.children.length,
    );
    press('ArrowLeft');
    press('Enter');
    assert.equal(rows.filter((row, i) => !row.hidden && nodes[id(i)]!.parent === other).length, 0);
  });
});
