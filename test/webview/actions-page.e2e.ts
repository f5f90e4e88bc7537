import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLabels } from '../../server/cola/actions-file.ts';
import { actionsFile } from '../../server/protocol/actions.ts';
import { actionProfiles } from '../../server/protocol/pages/actions.ts';
import { historyWithYou, markActions, readActionsSubject, turnToAction } from '../../server/protocol/pages/run.ts';
import { faintTexts } from '../support/contrast.ts';
import { chromiumMissing, type PageInChromium, Stage } from '../support/page-in-chromium.ts';
import { type ThemeName, themes } from '../support/themes.ts';

const model = join(import.meta.dirname, '../../assets/nano');
const file = actionsFile.parse(JSON.parse(readFileSync(join(model, 'actions.json'), 'utf8')));
const labelOf = (code: number) => file.actions.find((action) => action.code === code)?.label ?? '';

describe('the page of latent actions, of the model in the box', function () {
  this.timeout(300_000);
  let stage: Stage;
  let at: PageInChromium;
  let open = false;

  before(async function () {
    const missing = chromiumMissing();
    if (missing !== undefined) {
      console.log(`    The page was not tried: ${missing}.`);
      this.skip();
    }
    stage = await Stage.shared();
  });
  // One page serves all tests, each of which leaves all cards on it; what one leaves that fails, nobody knows.
  beforeEach(async () => {
    if (!open) at = await show('dark');
    open = true;
  });
  afterEach(async function () {
    const { errors } = at;
    if (this.currentTest?.state !== 'passed' || errors.length > 0) await close();
    assert.deepEqual(errors, []);
  });
  after(close);

  async function close(): Promise<void> {
    if (open) await at.close();
    open = false;
  }

  async function show(theme: ThemeName, action: number | null = null): Promise<PageInChromium> {
    const shown = await stage.show('actions', theme);
    shown
      .answer(readActionsSubject, () => ({ model: 'builtin:nano', action }))
      .answer(actionProfiles, () => ({
        folder: model,
        codes: file.codes,
        file,
        labels: readLabels(model, file.codes),
        trouble: null,
      }))
      .answer(turnToAction, () => ({}))
      .answer(markActions, () => ({}))
      .answer(historyWithYou, () => ({ history: null }));
    await shown.load();
    await shown.page.locator('.card').first().waitFor();
    return shown;
  }

  const card = (code: number) => at.page.locator(`.card[data-code="${code}"]`);
  const large = () => at.page.locator('.large');
  const asked = async (method: string, params: unknown) => {
    await at.page.waitForFunction(() => true);
    for (let i = 0; i < 100; i++) {
      if (at.asked.some((each) => each.method === method && JSON.stringify(each.params) === JSON.stringify(params)))
        return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail(`${method} ${JSON.stringify(params)} was not asked, but ${JSON.stringify(at.asked.slice(-5))}`);
  };

  it('has a card for every code, with its label, its share and its tokens', async () => {
    assert.equal(await at.page.locator('.card').count(), file.codes);
    const labels = readLabels(model, file.codes);
    assert(labels.some((label) => label !== null));
    // A label that cannot be read is not shown.
    for (const { code, tokens } of file.actions) {
      assert.equal(await card(code).locator('.card-label').textContent(), labels[code] ?? '');
      assert.equal(await card(code).locator('.card-token').count(), Math.min(3, tokens.length));
    }
    assert.match(await at.text('.actions-head'), /64 codes of nano\. Measured on [\d ]+ tokens/);
    assert.match(await at.text('.large'), /Choose an action/);
  });

  it('finds actions by number, by label and by token, and shows all again', async () => {
    const find = at.page.locator('vscode-text-field input');
    const codes = () =>
      at.page.locator('.card').evaluateAll((list) => list.map((each) => each.getAttribute('data-code')));
    await find.fill('17');
    assert.ok((await codes()).includes('17'));
    assert.ok((await codes()).length < file.codes);
    await find.fill(labelOf(18));
    assert.ok((await codes()).includes('18'));
    assert.match(await at.text('.actions-content'), /\d+ of 64 actions/);
    await find.fill('nothing has this label');
    assert.deepEqual(await codes(), []);
    assert.match(await at.text('.actions-content'), /No action answers/);
    await find.fill('');
    assert.equal((await codes()).length, file.codes);
  });

  it('is walked with the arrow keys, and Enter shows the action large', async () => {
    await card(0).focus();
    for (const key of ['ArrowRight', 'ArrowDown', 'Enter']) await at.page.keyboard.press(key);
    await large()
      .getByRole('heading', { name: labelOf(9) })
      .waitFor();
    assert.equal(await card(9).getAttribute('aria-pressed'), 'true');
    assert.equal(await card(9).evaluate((element) => element === document.activeElement), true);
    await asked(turnToAction.method, { action: 9 });
    assert.equal(await at.page.locator('.card[tabindex="0"]').count(), 1);
  });

  it('tells the editor what was pressed', async () => {
    await card(17).click();
    await asked(turnToAction.method, { action: 17 });
    await asked(historyWithYou.method, { action: 17 });
    await large().getByRole('button', { name: 'Where it fires' }).click();
    await asked(markActions.method, { action: 17 });
    await at.page.locator('.actions-head').getByRole('button', { name: 'Where in this file' }).click();
    await asked(markActions.method, { action: null });
  });

  it('sorts by use', async () => {
    await at.page.locator('vscode-dropdown').click();
    await at.page.getByRole('option', { name: 'most used first' }).click();
    const most = file.actions.reduce((a, b) => (b.usage.policy > a.usage.policy ? b : a));
    assert.equal(await at.page.locator('.card').first().getAttribute('data-code'), String(most.code));
  });

  it('shows the action that it is opened for', async () => {
    await close();
    at = await show('dark', 17);
    open = true;
    await large().locator('.action-chip').filter({ hasText: '17' }).first().waitFor();
    await large().locator('.evidence').first().waitFor();
    assert.equal(await card(17).getAttribute('aria-pressed'), 'true');
  });

  for (const theme of Object.keys(themes) as ThemeName[]) {
    it(`can be read in the theme ${theme}`, async () => {
      await at.wear(theme);
      await card(17).click();
      await large().locator('.evidence').first().waitFor();
      assert.deepEqual(await faintTexts(at.page), []);
    });
  }
});
