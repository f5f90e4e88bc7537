import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  extendSearch,
  loadModel,
  searchEvent,
  searchNodes,
  startSearch,
  startTurnSearch,
  treeEvent,
} from '../../server/protocol/index.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { faintTexts } from '../support/contrast.ts';
import { engineLine } from '../support/engine-line.ts';
import { chromiumMissing, type PageInChromium, Stage } from '../support/page-in-chromium.ts';
import { themes } from '../support/themes.ts';
import { answerTree } from '../support/tree-answers.ts';

describe('the page of the tree explorer', function () {
  this.timeout(600_000);
  let folder = '';
  let at: PageInChromium;
  let done: string[] = [];
  let shots = 0;
  let ended = () => {};
  const { engine, channel } = engineLine();
  const ask = channel.ask.bind(channel);
  channel.on(searchEvent, ({ root: _root, search: _search, ...event }) => {
    at?.host?.tell(treeEvent, event);
    if (event.end !== null) ended();
  });

  const key = { root: '', search: 'page' };
  const nodes = async () => (await ask(searchNodes, key)).nodes;
  const label = (node: number) => at.page.locator(`#card-${node}`).getAttribute('aria-label', { timeout: 5000 });
  const selected = async () =>
    Number((await at.page.locator('.stage').getAttribute('aria-activedescendant'))?.slice(5));
  const settled = (condition: () => Promise<boolean>) => eventually(condition);
  /** Walks to the child of the prompt that was visited most: where a key leads is known once the tree is laid out. */
  const walkToBest = async () => {
    await at.page.locator('.stage').focus();
    await at.page.keyboard.press('Home');
    await settled(async () => (await selected()) === 0);
    await at.page.keyboard.press('Alt+ArrowRight');
    await settled(async () => (await selected()) > 0);
    return selected();
  };

  before(async function () {
    const missing = chromiumMissing();
    if (missing !== undefined) {
      console.log(`      The page was not tried: ${missing}.`);
      this.skip();
    }
    folder = await temporaryFolder();
    key.root = folder;
    await ask(loadModel, { folder: await makeModel(join(folder, 'model')), device: 'cpu', threads: 1 });
    const options = { max_new: 8, breadth: 3 };
    await ask(startSearch, {
      ...key,
      prompt: 'const total = ',
      reward: { sum: [{ reward: 'repetition' }, { reward: { length: { max: 5 } } }] },
      options,
    });
    const stands = new Promise<void>((resolve) => {
      ended = resolve;
    });
    await ask(extendSearch, { ...key, simulations: 60 });
    await stands;
    at = await (await Stage.shared()).prepare('tree', {
      theme: themes[(process.env.COLA_THEME ?? 'dark') as keyof typeof themes],
      attach: (host) => {
        done = answerTree(host, key, ask);
      },
    });
    await at.load();
    await at.page.locator('.card').first().waitFor();
  });
  afterEach(async () => {
    const folder = process.env.COLA_SHOTS;
    if (folder !== undefined)
      await at.page.screenshot({ path: join(folder, `tree-${process.env.COLA_THEME ?? 'dark'}-${++shots}.png`) });
  });
  after(async () => {
    await at?.close();
    await engine.close();
    if (folder !== '') await removeFolder(folder);
  });

  it('shows the tree with figures, labels for screen readers, and nothing its policy forbids', async () => {
    const all = await nodes();
    await settled(async () => ((await label(0)) ?? '').includes('60 visits'));
    assert.match((await label(0)) ?? '', /^prompt: const total = \. 60 visits, Q /);
    assert.equal(await at.page.locator('#card-0').getAttribute('aria-level'), '1');
    const child = all.filter(({ parent }) => parent === 0).sort((a, b) => b.visits - a.visits)[0];
    // Only cards in view are there: it may lie far above or below the root.
    await at.page.locator('.stage').focus();
    await at.page.keyboard.press('Alt+ArrowRight');
    await settled(
      async () => ((await at.page.locator(`#card-${child.id} .card-text`).textContent()) ?? '').trim() !== '',
    );
    assert.match(
      (await at.page.locator(`#card-${child.id} .card-figures`).textContent()) ?? '',
      new RegExp(`N ${child.visits}  Q `),
    );
    assert.equal(
      await at.page.locator(`#card-${child.id} .action-chip`).first().textContent(),
      String(child.actions[0]),
    );
    assert.deepEqual(at.errors, []);
  });

  it('folds cards with few visits, and Enter unfolds them', async () => {
    const all = await nodes();
    // Only stubs in view are there.
    const stub = Number(await at.page.locator('.stub').first().getAttribute('data-stub'));
    const seldom = all.find(({ parent, visits }) => parent === stub && visits < 2)!;
    assert.equal(await at.page.locator(`#card-${seldom.id}`).count(), 0);
    await at.page.locator(`[data-stub="${seldom.parent}"]`).click();
    await at.page.locator(`#card-${seldom.id}`).waitFor();
    assert.equal(await at.page.locator(`#card-${seldom.parent}`).getAttribute('aria-expanded'), 'true');
    await at.page.locator('.stage').focus();
    await at.page.keyboard.press('Home');
    await settled(async () => (await selected()) === 0);
  });

  it('is walked with the keyboard: most visited child, siblings, parent', async () => {
    const all = await nodes();
    await walkToBest();
    const most = all.filter(({ parent }) => parent === 0).reduce((a, b) => (b.visits > a.visits ? b : a));
    await settled(async () => (await selected()) === most.id);
    await at.page.locator(`#card-${most.id}[aria-selected="true"]`).waitFor();
    await at.page.keyboard.press('Alt+ArrowLeft');
    await settled(async () => (await selected()) === 0);
  });

  it('lists all codes of a node, and forces one that was not tried', async () => {
    await at.page.keyboard.press('Home');
    const rows = at.page.locator('tr[data-action]');
    await rows.first().waitFor();
    const tokens = await rows.evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.token));
    assert.equal(new Set(tokens).size, tokens.length, 'one row for each next token');
    const named = await rows.evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.actions).join(' '));
    assert.deepEqual(named.split(' ').map(Number).sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
    // Codes of one token have a row each once they are asked for.
    const unfold = at.page.locator('tr[data-action] .unfold').first();
    while ((await unfold.count()) > 0) await unfold.click();
    assert.equal(await rows.count(), 8);
    const row = at.page.locator('tr[data-action].untried').first();
    await row.waitFor();
    const action = Number(await row.getAttribute('data-action'));
    const before = (await nodes()).length;
    await row.click();
    await settled(async () => (await nodes()).some((node) => node.forced && node.actions[0] === action));
    await settled(async () => (await selected()) >= before);
    const made = await selected();
    assert.match((await label(made)) ?? '', /forced/);
    // F takes it back, B bans.
    await at.page.locator('.stage').focus();
    await at.page.keyboard.press('f');
    await settled(async () => (await nodes())[made].forced === false);
    await settled(async () => !((await label(made)) ?? '').includes('forced'));
    await at.page.keyboard.press('b');
    await settled(async () => (await nodes())[made].banned);
    await settled(async () => ((await label(made)) ?? '').includes('banned'));
    await at.page.keyboard.press('b');
    await settled(async () => !(await nodes())[made].banned);
  });

  it('takes a score by hand, and takes it back', async () => {
    const node = await walkToBest();
    await at.page.keyboard.press('s');
    await at.page.keyboard.press('End');
    await settled(async () => (await nodes())[node].score === 1);
    await at.page.locator(`#card-${node} .tag`, { hasText: '★ 1.00' }).waitFor();
    await at.page.locator('.score vscode-button').click();
    await settled(async () => (await nodes())[node].score === null);
  });

  it('shows the tree as it was, and as it is again', async () => {
    // What is selected stays where it is on the screen; anything else may leave it.
    await at.page.locator('.stage').focus();
    await at.page.keyboard.press('Home');
    const track = at.page.locator('.timeline-track');
    await track.focus();
    await at.page.keyboard.press('Home');
    for (let i = 0; i < 5; i++) await at.page.keyboard.press('ArrowRight');
    await settled(async () => ((await label(0)) ?? '').includes('. 5 visits'));
    assert.equal(await track.getAttribute('aria-valuenow'), '5');
    await at.page.getByText('Show it as it is now').click();
    await settled(async () => ((await label(0)) ?? '').includes('. 60 visits'));
  });

  it('grows while it is watched', async () => {
    await at.page.locator('.stage').focus();
    await at.page.keyboard.press('Home');
    const before = (await nodes()).length;
    await at.page.getByRole('button', { name: '+64' }).click();
    await settled(async () => ((await label(0)) ?? '').includes('. 124 visits'));
    assert.ok((await nodes()).length > before);
    await settled(async () => ((await at.page.locator('.state').textContent()) ?? '').includes('124 simulations'));
  });

  it('finds text, and goes from match to match', async () => {
    const all = await nodes();
    const text = all.map((node) => node.text.trim()).find((each) => each.length > 2)!;
    await at.page.keyboard.press('/');
    await at.page.keyboard.type(text);
    await settled(async () => /1 of \d+/.test((await at.page.locator('.toolbar').textContent()) ?? ''));
    await settled(async () =>
      ((await label(await selected())) ?? '').toLowerCase().includes(text.toLowerCase().slice(-1)),
    );
    await at.page.keyboard.press('Escape');
  });

  it('inserts, copies and opens the text, and draws itself as SVG', async () => {
    const node = (await nodes())[await walkToBest()];
    await at.page.keyboard.press('r');
    await settled(async () => done.includes(`read ${node.id}`));
    await at.page.keyboard.press('i');
    await settled(async () => done.includes(`insert ${node.text}`));
    await at.page.getByRole('button', { name: 'Copy' }).click();
    await settled(async () => done.includes(`copy ${node.text}`));
    await at.page.getByRole('button', { name: 'More' }).click();
    await at.page.getByRole('button', { name: 'Export as SVG' }).click();
    await settled(async () => done.some((text) => text.startsWith('<svg')));
  });

  it('keeps its tools on one line, also in half an editor', async () => {
    for (const width of [1280, 900, 700]) {
      await at.page.setViewportSize({ width, height: 800 });
      const { tall, wide, room } = await at.page.locator('.toolbar').evaluate((toolbar) => ({
        tall: toolbar.clientHeight,
        wide: toolbar.scrollWidth,
        room: toolbar.clientWidth,
      }));
      assert.ok(tall < 48, `${tall} px tall at ${width}`);
      assert.ok(wide <= room, `${wide} px in ${room} at ${width}`);
    }
    await at.page.setViewportSize({ width: 1280, height: 800 });
    assert.deepEqual(await faintTexts(at.page), []);
  });

  it('shows the turns of a model without actions, and names no action', async () => {
    const base = join(folder, 'base');
    cpSync(join(folder, 'model'), base, { recursive: true });
    for (const name of readdirSync(base)) if (/^(cola|actions)\./.test(name)) rmSync(join(base, name));
    const over = { root: folder, search: 'turns' };
    const options = { max_new: 4, breadth: 2 };
    await ask(startTurnSearch, { ...over, environment: 'household', seed: 3, side: 'seen', model: base, options });
    const stands = new Promise<void>((resolve) => {
      ended = resolve;
    });
    await ask(extendSearch, { ...over, simulations: 4 });
    await stands;
    const shown = await (await Stage.shared()).prepare('tree', {
      theme: themes.dark,
      attach: (host) => {
        done = answerTree(host, over, ask);
      },
    });
    await shown.load();
    const { page } = shown;
    await page.locator('.card').nth(1).click();
    const turns = page.locator('.inspector-turns');
    await turns.filter({ hasText: /^> / }).waitFor();
    assert.equal(await page.locator('.action-chip').count(), 0);
    assert.match((await page.locator('.card.selected').getAttribute('aria-label')) ?? '', /^turn.*: .* → /s);
    assert.deepEqual(await page.locator('.inspector-actions vscode-button').allInnerTexts(), [
      'Force',
      'Ban',
      'Copy',
      'Read',
    ]);
    await page.getByRole('button', { name: 'Copy' }).click();
    await settled(async () => done.some((text) => text.startsWith('copy > ')));
    // From the list, to a turn and back to the start.
    await page.locator('.stage').focus();
    await page.keyboard.press('Home');
    const rows = page.locator('tr[data-child]');
    await rows.nth(0).waitFor();
    await rows.nth(0).click({ modifiers: ['Shift'] });
    await page.locator('tr.banned').waitFor();
    assert.deepEqual(shown.errors, []);
    await shown.close();
  });

  it('is as it was left after the window was reloaded', async () => {
    const before = await walkToBest();
    await at.page.getByRole('button', { name: 'More' }).click();
    await at.page.getByRole('button', { name: 'Grow downwards' }).click();
    await at.page.waitForTimeout(400);
    await at.reload();
    await at.page.locator('.card').first().waitFor();
    await settled(async () => (await selected()) === before);
    await at.page.getByRole('button', { name: 'More' }).click();
    await at.page.getByRole('button', { name: 'Grow to the right' }).waitFor();
    assert.deepEqual(at.errors, []);
  });
});

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  for (;;) {
    if (await condition().catch(() => false)) return;
    assert.ok(performance.now() < end, `not within 60 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
