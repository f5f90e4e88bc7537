/** The tree explorer with two thousand nodes: zoomed out, at twice the size of everything, and while its model is loaded. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { treeGrowth, treeInspect, treeNodes, treeReady } from '../../server/protocol/index.ts';
import type { TreeNode } from '../../server/protocol/search.ts';
import { misfits } from '../support/layout.ts';
import { chromiumMissing, type PageInChromium, Stage } from '../support/page-in-chromium.ts';
import { gamma, randomGrowth } from '../support/random-search.ts';
import type { ThemeName } from '../support/themes.ts';

const words = ['const total', ' = ', 'items', '.reduce(', '(sum, item)', ' => ', 'sum + ', 'item.price', ', 0)', ';\n'];
const growth = randomGrowth(1600, 4, 6);
const key = { root: '/p', search: '2026-01-02-030405-const-total' };
const themes: readonly ThemeName[] = ['dark', 'light', 'contrast'];

/** What the engine would say of a node. */
function nodeOf(id: number): TreeNode {
  const { parent, action, length, prior, flags } = growth.nodes;
  const at = growth.visited.node.indexOf(id);
  const actions = Array.from({ length: length[id] }, (_, i) => (action[id] + 7 * i) % 64);
  return {
    id,
    parent: parent[id],
    text: id === 0 ? '' : actions.map((each) => words[each % words.length]).join(''),
    actions,
    visits: at < 0 ? 0 : growth.visited.visits[at],
    q: at < 0 ? null : growth.visited.q[at],
    prior: prior[id],
    value: null,
    reward: null,
    score: null,
    terminal: flags[id] === 1,
    banned: false,
    forced: false,
    unscored: false,
    born: growth.nodes.born[id],
  };
}

describe('the tree explorer with two thousand nodes', function () {
  this.timeout(300_000);
  let stage: Stage;

  before(async function () {
    const missing = chromiumMissing();
    if (missing !== undefined) {
      console.log(`      A large tree was not tried: ${missing}.`);
      this.skip();
    }
    stage = await Stage.shared();
  });

  /** @param ready what the page waits for before it knows what it is about */
  async function open(size = { width: 1280, height: 800 }, ready: Promise<void> = Promise.resolve()) {
    const shown = await stage.show('tree', 'dark', undefined, size);
    const search = {
      prompt: 'export function total(items: Item[]): number {\n  ',
      reward: 'code',
      options: { breadth: 4 },
      gamma,
      model: 'builtin:nano',
      labels: Array.from({ length: 64 }, () => null),
      world: null,
    };
    shown
      .answer(treeReady, async () => {
        await ready;
        const subject = { key, draft: { prompt: '', row: {}, language: '' } };
        return { subject, search, event: null, canTune: true };
      })
      .answer(treeGrowth, ({ nodes }) =>
        nodes === 0
          ? growth
          : { ...growth, nodes: emptyNodes, simulated: { node: [], value: [], reward: [] }, visited: emptyVisits },
      )
      .answer(treeNodes, ({ ids = [] }) => ({
        count: growth.count,
        simulations: growth.simulations,
        nodes: ids.map(nodeOf),
      }))
      .answer(treeInspect, ({ node }) => ({ value: null, path: pathTo(node), codes: [] }));
    await shown.load();
    return shown;
  }

  async function picture({ page }: PageInChromium, name: string): Promise<void> {
    const folder = process.env.COLA_SHOTS;
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
  }

  const selected = ({ page }: PageInChromium) => page.locator('.stage').getAttribute('aria-activedescendant');

  it('shows all of them as an overview whose boxes are the visits, and goes from there to what can be read', async () => {
    assert.ok(growth.count >= 2000, `${growth.count} nodes`);
    const shown = await open();
    const { page } = shown;
    await page.locator('.card').nth(2).waitFor();
    await picture(shown, 'large-begin');
    await page.locator('.stage').focus();
    await page.keyboard.press('0');
    const note = page.locator('.far-note');
    await note.filter({ hasText: `${growth.count} nodes` }).waitFor();
    for (const theme of themes) {
      await shown.wear(theme);
      // Texts of boxes are asked for when they are first drawn.
      await page.waitForTimeout(200);
      await picture(shown, `large-overview-${theme}`);
    }
    // What is selected is there for a screen reader, and keys go on from it.
    await page.keyboard.press('Home');
    assert.equal(await selected(shown), 'card-0');
    await page.keyboard.press('Alt+ArrowRight');
    await page.locator('#card-0[aria-selected="false"]').waitFor({ state: 'detached' });
    assert.notEqual(await selected(shown), 'card-0');
    await page.keyboard.press('+');
    await note.waitFor({ state: 'hidden' });
    await page.locator(`[id="${await selected(shown)}"] .card-text`).waitFor();
    await picture(shown, 'large-read');
    for (let i = 0; i < 4; i++) await page.keyboard.press('-');
    await page.locator('.cards.far').waitFor({ state: 'attached' });
    await page.waitForTimeout(300);
    await picture(shown, 'large-boxes');
    await page.keyboard.press('0');
    await note.waitFor();
    const box = (await page.locator('.stage').boundingBox())!;
    await page.mouse.move(box.x + 300, box.y + box.height / 2);
    await page.locator('.hint').filter({ hasText: /N \d+/ }).waitFor();
    await page.mouse.dblclick(box.x + 300, box.y + box.height / 2);
    await note.waitFor({ state: 'hidden' });
    await page.locator(`[id="${await selected(shown)}"] .card-text`).waitFor();
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });

  it('shows the actions of one card one by one, and as one card again', async () => {
    const shown = await open();
    const { page } = shown;
    await page.locator('.card').nth(2).waitFor();
    await page.locator('.stage').focus();
    await page.keyboard.press('Home');
    const chained = page.locator('.card:has(.card-chain)').first();
    for (let i = 0; i < 20 && (await chained.count()) === 0; i++) {
      await page.keyboard.press('Alt+ArrowRight');
      await page.waitForTimeout(100);
    }
    await chained.locator('.card-text').click();
    const id = await chained.getAttribute('id');
    const card = page.locator(`#${id}`);
    assert.match((await card.getAttribute('aria-label')) ?? '', /and \d+ more in a row/);
    const level = Number(await card.getAttribute('aria-level'));
    await picture(shown, 'large-chain');
    await page.keyboard.press('c');
    await page.locator(`#${id}:not(:has(.card-chain))`).waitFor();
    assert.ok(Number(await card.getAttribute('aria-level')) > level);
    await picture(shown, 'large-apart');
    await page.keyboard.press('c');
    await page.locator(`#${id}:has(.card-chain)`).waitFor();
    assert.equal(Number(await card.getAttribute('aria-level')), level);
    await shown.close();
  });

  it('can be used at 200 %', async () => {
    const shown = await open({ width: 640, height: 400 });
    const { page } = shown;
    await page.locator('.card').first().waitFor();
    await page.locator('.card-text').first().waitFor();
    for (const theme of themes) {
      await shown.wear(theme);
      await picture(shown, `large-200-${theme}`);
    }
    assert.deepEqual(await misfits(page), []);
    const room = (await page.locator('.stage').boundingBox())!;
    assert.ok(room.height >= 150 && room.width >= 250, `the tree has ${room.width} × ${room.height} px`);
    await shown.close();
  });

  it('has a skeleton until it is known what it is about, and says what it waits for', async () => {
    let known = () => {};
    const shown = await open({ width: 1280, height: 800 }, new Promise((resolve) => (known = resolve)));
    const { page } = shown;
    await page.locator('.skeleton').waitFor();
    assert.equal(await page.locator('[aria-busy="true"]').count(), 1);
    for (const theme of themes) {
      await shown.wear(theme);
      await picture(shown, `large-waiting-${theme}`);
    }
    known();
    await page.locator('.card').nth(2).waitFor();
    assert.equal(await page.locator('.skeleton, [aria-busy="true"]').count(), 0);
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });
});

const emptyNodes = { parent: [], born: [], action: [], length: [], prior: [], flags: [], score: [] };
const emptyVisits = { node: [], visits: [], q: [] };

function pathTo(node: number): { action: number; text: string }[] {
  const path: { action: number; text: string }[] = [];
  for (let id = node; id > 0; id = growth.nodes.parent[id])
    path.unshift(...nodeOf(id).actions.map((action) => ({ action, text: words[action % words.length] })));
  return path;
}
