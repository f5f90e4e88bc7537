import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './support/eventually.ts';
import { vscode } from './support/session.ts';

const prompt = 'const total = ';

describe('the tree explorer in VS Code', () => {
  const session = vscode({ examples: true, kept: true });
  before(() => session.write('insert.ts', prompt));

  const page = () => session.workbench.webPage;
  const stage = () => page().locator('.stage');
  const state = () => page().locator('.state');
  const inspector = () => page().locator('.inspector');
  /** A number in the words of the state, which has it while it is shown. */
  const counted = async (what: RegExp) => {
    await state().filter({ hasText: what }).waitFor();
    return Number(what.exec(await state().innerText())?.[1]);
  };
  const simulations = () => counted(/(\d+) simulations/);
  const nodes = () => counted(/(\d+) nodes/);
  /** What the selected card says to a screen reader. */
  const selected = async () => {
    const id = (await stage().getAttribute('aria-activedescendant')) ?? '';
    return (await page().locator(`[id="${id}"]`).getAttribute('aria-label', { timeout: 2000 })) ?? '';
  };
  const selectedIs = (words: RegExp) =>
    eventually(`the selected card says ${words}`, async () => assert.match(await selected(), words), 30);
  const stands = () =>
    state()
      .filter({ hasText: /simulations/, hasNotText: 'searching' })
      .waitFor();

  it('is opened from a selection, with its text for a prompt', async () => {
    const { workbench } = session;
    await workbench.openFile('insert.ts');
    await workbench.goToEnd('insert.ts');
    await session.page.keyboard.press('Shift+Home');
    await workbench.command('CoLA: Search From Selection');
    await page().getByRole('heading', { name: 'Search over latent actions' }).waitFor();
    assert.equal(await page().locator('.prompt textarea').inputValue(), prompt);
    await workbench.command('View: Close Editor');
  });

  it('is opened by a command, with the prompt and a button', async () => {
    const { workbench } = session;
    await workbench.goToEnd('insert.ts');
    await workbench.command('CoLA: Search From Prompt…');
    await workbench.quickInputBox.fill(prompt);
    await session.page.keyboard.press('Enter');
    await page().getByRole('heading', { name: 'Search over latent actions' }).waitFor();
    const given = await page().locator('.prompt textarea').inputValue();
    assert.equal(given, prompt);
  });

  it('grows a tree with the model in the box, and keeps it on the disk', async () => {
    // Not nearly as far as by itself: what is shown is the same.
    await page().locator('vscode-text-field[title="Longest answer, in tokens"] input').fill('5');
    await page().locator('vscode-button[aria-label="Search"]').click();
    // How many are in view depends on how fast it grows.
    await page().locator('.card').nth(1).waitFor();
    await state().filter({ hasText: '64 simulations' }).waitFor();
    await stands();
    assert.ok((await nodes()) > 8);
    const folder = join(session.folder, '.cola/searches');
    const [search, ...others] = readdirSync(folder);
    assert.deepEqual(others, []);
    assert.match(search, /const-total\.json$/);
  });

  it('is walked with the keyboard, and the editor does not go back with the same keys', async () => {
    await stage().focus();
    await session.page.keyboard.press('Home');
    await selectedIs(/^prompt: /);
    await session.page.keyboard.press('Alt+ArrowRight');
    await selectedIs(/^action \d+/);
    await session.page.keyboard.press('Alt+ArrowLeft');
    await selectedIs(/^prompt: /);
    await session.page.keyboard.press('Alt+ArrowRight');
    await selectedIs(/^action \d+/);
    await inspector().locator('.inspector-text .action-chip').first().waitFor();
    assert.equal(await session.page.locator('.tab.active[aria-label^="Tree: "]').count(), 1);
  });

  it('forces the branch, bans it, and lets it go again', async () => {
    await stage().focus();
    for (const [key, word] of [
      ['f', 'forced'],
      ['b', 'banned'],
    ]) {
      await session.page.keyboard.press(key);
      await selectedIs(new RegExp(`\\. ${word}`));
      await session.page.keyboard.press(key);
      await eventually(`it is not ${word} any more`, async () => assert.ok(!(await selected()).includes(word)));
    }
  });

  it('forces an action that was not tried', async () => {
    await stage().focus();
    await session.page.keyboard.press('Home');
    await selectedIs(/^prompt: /);
    const row = inspector().locator('tr[data-action].untried').first();
    await row.waitFor();
    const action = await row.getAttribute('data-action');
    await row.click();
    await selectedIs(new RegExp(`^action ${action}\\b.*forced`));
    await stage().focus();
    await session.page.keyboard.press('f');
    await eventually('it is let go', async () => assert.ok(!(await selected()).includes('forced')));
  });

  it('is scored by hand, and the score is kept with it', async () => {
    const file = join(session.folder, '.cola/searches', readdirSync(join(session.folder, '.cola/searches'))[0]);
    const scores = (): (number | null)[] => JSON.parse(readFileSync(file, 'utf8')).search.tree.score;
    assert.ok(scores().every((score) => score === null));
    await inspector().getByText('no score').waitFor();
    await inspector().getByRole('slider', { name: 'Your score, 0 to 1' }).fill('0.8');
    await inspector().locator('.score').getByText('0.8').waitFor();
    await eventually('it is in the file', () =>
      assert.deepEqual(
        scores().filter((score) => score !== null),
        [0.8],
      ),
    );
  });

  it('goes on until it is paused', async () => {
    const before = await simulations();
    await page().locator('vscode-button[aria-label="Until stopped"]').click();
    await eventually('it goes on', async () => assert.ok((await simulations()) > before));
    await page().locator('vscode-button[aria-label="Pause"]').click();
    await stands();
    assert.ok((await simulations()) > before);
  });

  it('opens a branch as text to read, with its prompt', async () => {
    const { workbench, page } = session;
    await stage().focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Alt+ArrowRight');
    await selectedIs(/^action \d+/);
    await page.keyboard.press('r');
    const read = page.locator('.tab.active[data-resource-name^="const total, branch "]');
    await read.waitFor();
    await workbench.line(/^const\stotal\s=/).waitFor();
    await workbench.command('View: Close Editor');
    await read.waitFor({ state: 'detached' });
  });

  it('puts the text of the path into the editor that was used last', async () => {
    await stage().focus();
    await session.page.keyboard.press('Home');
    // The first step of a path may be a line break alone.
    for (let i = 0; i < 3; i++) {
      await session.page.keyboard.press('Alt+ArrowRight');
      await selectedIs(/^action \d+/);
    }
    await session.page.keyboard.press('i');
    await session.page.locator('.tab.active[data-resource-name="insert.ts"]').waitFor();
    await eventually('it is in the file', async () => {
      await session.page.keyboard.press('Control+S');
      assert.ok(readFileSync(join(session.folder, 'insert.ts'), 'utf8').length > prompt.length);
    });
  });

  it('comes back as it was, from the list of searches', async () => {
    const { workbench } = session;
    await workbench.command('View: Close All Editors');
    await workbench.command('CoLA: Open Tree…');
    await workbench.pick(/const total/).click();
    await page().locator('.card').nth(1).waitFor();
    assert.ok((await simulations()) > 64);
  });
});
