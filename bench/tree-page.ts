/** The tree explorer with 10 000 nodes in a browser: how long a frame takes while it is moved, and while it grows. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Growth } from '../server/protocol/index.ts';
import * as protocol from '../server/protocol/index.ts';
import { chromiumMissing, PageInChromium } from '../test/support/page-in-chromium.ts';
import { gamma, randomGrowth } from '../test/support/random-search.ts';
import { TreeModel } from '../webview/tree/model.ts';
import type { Bench, Measure } from './measure.ts';

const wantedNodes = 10_000;
const frames = 240;
/** Simulations that come at once while it grows, and how often, in milliseconds. */
const burst = 50;
const interval = 100;

/** A search that is told of up to some simulation, as the engine would. */
class GeneratedSearch {
  readonly all: Growth;
  readonly model = new TreeModel(gamma);
  done: number;

  constructor() {
    let simulations = 3000;
    let all = randomGrowth(simulations, 4, 1);
    while (all.count < wantedNodes) {
      simulations += 200;
      all = randomGrowth(simulations, 4, 1);
    }
    this.all = all;
    this.model.append(all);
    this.done = all.simulations;
  }

  growth({ nodes, simulations }: { readonly nodes: number; readonly simulations: number }): Growth {
    const moment = this.model.asItWas(this.done);
    const columns = this.all.nodes;
    const cut = <T>(column: readonly T[]) => column.slice(nodes, moment.count);
    const simulated = this.all.simulated.node.slice(simulations, this.done);
    const seen = new Set<number>();
    for (const node of simulated) for (const id of this.model.path(node)) seen.add(id);
    const visited = [...seen];
    return {
      count: moment.count,
      simulations: this.done,
      nodes: {
        parent: cut(columns.parent),
        born: cut(columns.born),
        action: cut(columns.action),
        length: cut(columns.length),
        prior: cut(columns.prior),
        flags: cut(columns.flags),
        score: cut(columns.score),
      },
      simulated: {
        node: simulated,
        value: this.all.simulated.value.slice(simulations, this.done),
        reward: this.all.simulated.reward.slice(simulations, this.done),
      },
      visited: {
        node: visited,
        visits: visited.map((id) => moment.visits[id]),
        q: visited.map((id) => (Number.isNaN(moment.q[id]) ? null : moment.q[id])),
      },
    };
  }

  node(id: number): protocol.TreeNode {
    const { model } = this;
    const length = model.length[id];
    return {
      id,
      parent: model.parent[id],
      text: ' value'.repeat(length),
      actions: Array.from({ length }, (_, i) => (model.action[id] + i) % 64),
      visits: 0,
      q: null,
      prior: model.prior[id],
      value: 0.5,
      reward: null,
      score: null,
      terminal: false,
      banned: false,
      forced: false,
      unscored: false,
      born: model.born[id],
    };
  }
}

const codes = Array.from({ length: 64 }, (_, action) => ({
  action,
  label: 'declare const',
  probability: 1 / 64,
  token: action,
  text: ' value',
  q: null,
  child: null,
  share: 0,
}));

/** Intervals between frames in milliseconds, while the page is moved by the wheel or left alone. */
async function intervals(at: PageInChromium, count: number, moves: boolean): Promise<number[]> {
  return at.page.evaluate(
    ([total, wheel]) =>
      new Promise<number[]>((resolve) => {
        const stage = document.querySelector('.stage');
        const taken: number[] = [];
        let last = performance.now();
        let at = 0;
        const step = (now: number) => {
          taken.push(now - last);
          last = now;
          if (taken.length > total) {
            resolve(taken.slice(1));
            return;
          }
          at++;
          const [deltaX, deltaY] = [at % 120 < 60 ? 14 : -14, at % 80 < 40 ? 18 : -18];
          if (wheel) stage?.dispatchEvent(new WheelEvent('wheel', { deltaX, deltaY, bubbles: true, cancelable: true }));
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    [count, moves] as const,
  );
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function measures(name: string, taken: readonly number[]): Measure[] {
  return ([0.5, 0.95] as const).map((share) => ({
    name: `${name}, p${100 * share}`,
    value: quantile(taken, share),
    unit: 'ms a frame',
    against: '60 frames a second, 16.7 ms',
    ratio: quantile(taken, share) / (1000 / 60),
  }));
}

export const treePageBench: Bench = {
  name: 'tree-page',
  about: `the tree explorer with ${wantedNodes} nodes in Chromium: frames while it is moved, and while it grows`,
  async run(): Promise<Measure[]> {
    const missing = chromiumMissing();
    if (missing !== undefined) {
      console.error(`tree-page was not measured: ${missing}.`);
      return [];
    }
    const folder = fileURLToPath(new URL(import.meta.url.includes('/dist/') ? '.' : '../dist', import.meta.url));
    if (!existsSync(join(folder, 'webview', 'tree.js'))) {
      console.error('tree-page was not measured: the pages are not built; run npm run build.');
      return [];
    }
    const search = new GeneratedSearch();
    const key = { root: '/', search: 'generated' };
    const at = await PageInChromium.open({
      folder,
      name: 'tree',
      attach: (host) => {
        const labels = Array.from({ length: 64 }, () => 'declare const');
        const about = {
          prompt: 'const total = ',
          reward: 'code',
          options: { breadth: 4 },
          gamma,
          model: 'generated',
          labels,
          world: null,
        };
        const draft = { prompt: '', row: {}, language: '' };
        host.answer(protocol.treeReady, async () => ({
          subject: { key, draft },
          search: about,
          event: null,
          canTune: false,
        }));
        host.answer(protocol.treeGrowth, async (params) => search.growth(params));
        host.answer(protocol.treeNodes, async ({ ids }) => ({
          count: search.all.nodes.parent.length,
          simulations: search.done,
          nodes: (ids ?? []).map((id) => search.node(id)),
        }));
        host.answer(protocol.treeInspect, async () => ({ value: 0.5, path: [], codes }));
      },
    });
    try {
      await at.page.locator('.card').first().waitFor();
      await at.page.waitForTimeout(1000);
      const moved = await intervals(at, frames, true);
      await at.page.keyboard.press('0');
      const far = await intervals(at, frames, true);
      // From a third of the tree to all of it.
      const { simulations } = search.all;
      search.done = Math.floor(simulations / 3);
      await at.reload();
      await at.page.locator('.card').first().waitFor();
      const growing = setInterval(() => {
        search.done = Math.min(simulations, search.done + burst);
        const event = { simulations: search.done, nodes: 0, best: null, rootValue: null, end: null };
        at.host.tell(protocol.treeEvent, event);
      }, interval);
      const grown = await intervals(at, frames, false);
      clearInterval(growing);
      console.error(`${search.all.count} nodes, ${simulations} simulations; it grew to ${search.done} simulations`);
      return [
        ...measures('moving, cards', moved),
        ...measures('moving, all of the tree', far),
        ...measures('growing', grown),
      ];
    } finally {
      await at.close();
    }
  },
};
