import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { vscode } from '../support/session.ts';

const codes = 64;

describe('the page of latent actions in VS Code', () => {
  const session = vscode({ examples: true, kept: true });
  before(() => session.write('where.ts', 'export function sum(values: number[]): number {\n  return 0;\n}\n'));

  const page = () => session.workbench.webPage;
  const card = (code: number) => page().locator(`.card[data-code="${code}"]`);
  const tab = (name: string | RegExp) => session.page.locator('.tab').filter({ hasText: name });
  /** Numbers that stand behind the tokens of the open editor. */
  const marks = (file = 'where.ts') => session.workbench.editor(file).locator('.view-line [class*="ced-"]');

  it('has a card for every code, with what it stands for', async () => {
    await session.workbench.openFile('where.ts');
    await session.workbench.command('CoLA: Show Latent Actions');
    await card(0).waitFor();
    assert.equal(await page().locator('.card').count(), codes);
    const labels = await page().locator('.card-label').allInnerTexts();
    // Of the model in the box 27 of 64 labels can be read; the others are not shown.
    assert.ok(labels.filter((label) => label !== '').length > codes / 4);
    assert.ok((await page().locator('.card-token').count()) > codes);
  });

  it('shows one large: when it fires, its tokens, and what changes when it is forced', async () => {
    await card(17).click();
    const large = page().locator('.large');
    await large.locator('.action-chip').filter({ hasText: '17' }).first().waitFor();
    await large.getByRole('heading', { name: 'Tokens it stands for' }).waitFor();
    await tab('Latent Action 17').waitFor();
  });

  it('finds actions by what they stand for', async () => {
    await page().locator('vscode-text-field[title^="Find an action"] input').fill('17');
    await eventually('fewer are shown', async () => {
      const shown = await page().locator('.card').count();
      assert.ok(shown > 0 && shown < codes, `${shown}`);
    });
  });

  it('marks in the editor where actions fire, until Escape', async () => {
    const { workbench } = session;
    await page().locator('.actions-head vscode-button[aria-label="Where in this file"]').click();
    await session.page.locator('.tab.active[data-resource-name="where.ts"]').waitFor();
    await eventually('marks are there', async () => assert.ok((await marks().count()) > 5));
    await workbench.goToEnd('where.ts');
    await session.page.keyboard.press('Escape');
    await eventually('they are gone', async () => assert.equal(await marks().count(), 0));
  });

  it('marks the moves that the model knows better ones for, with what it would write in the hover, until Escape', async () => {
    const { workbench } = session;
    // Nothing in it is a block, whose first line would stay at the top, above the text.
    session.write('better.ts', 'const total = values.zebra;\nreturn zebra total;\n');
    await workbench.openFile('better.ts');
    await workbench.command('CoLA: Mark Better Moves in This File');
    await eventually('some are marked', async () => {
      const count = await marks('better.ts').count();
      assert.ok(count > 0, `${count}`);
    });
    const hover = await workbench.hover(marks('better.ts').first(), /times as likely here/);
    await session.look('better-move');
    const words = (await hover.innerText()).replaceAll(/\s+/g, ' ');
    const [, times] = /".+" is (\d+) times as likely here\. The policy takes: Latent action \d+/.exec(words) ?? [];
    assert.ok(Number(times) >= 20, words);
    await session.page.keyboard.press('Escape');
    await eventually('they are gone', async () => assert.equal(await marks('better.ts').count(), 0));
  });
});
