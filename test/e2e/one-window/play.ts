import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { wait } from '../support/patience.ts';
import { vscode } from '../support/session.ts';

describe('an environment that is played in VS Code', () => {
  const session = vscode({ examples: true, kept: true });
  const page = () => session.workbench.webPage;
  const press = (name: string) => page().locator(`vscode-button[aria-label="${name}"]`);
  const turn = (number: number) => page().locator('.turn').nth(number);
  // An episode that is over soon shows the same: a search has its first turns when four of them are.
  before(() => {
    const file = join(session.folder, 'agent.cola.yaml');
    const spec = readFileSync(file, 'utf8');
    assert.match(spec, /turns: \d+/);
    writeFileSync(file, spec.replace(/turns: \d+/g, 'turns: 4'));
  });

  it('is chosen among those there are, with a world and a model', async () => {
    const { workbench } = session;
    await workbench.command('CoLA: Play an Environment…');
    await workbench.pick('household').waitFor();
    // That of a run spec of the folder, in which the model in the box has room.
    await workbench.pick('agent.cola.yaml').click();
    await workbench.quickInput.filter({ hasText: 'whole number' }).waitFor();
    await workbench.quickInputBox.fill('3');
    await session.page.keyboard.press('Enter');
    await workbench.pick('No model').waitFor();
    await workbench.pick('nano').first().click();
    await page()
      .getByText('You are in a house')
      .waitFor({ timeout: wait(120) });
    await session.page.locator('.tab.active').filter({ hasText: 'Play agent.cola.yaml' }).waitFor();
  });

  it('takes turns that are typed, and those of the model with their actions; by keyboard alone', async () => {
    const { keyboard } = session.page;
    await page().getByRole('textbox', { name: "The agent's turn" }).focus();
    await keyboard.type('sing');
    await keyboard.press('Enter');
    await turn(0).getByText('Nothing happened.').waitFor();
    await session.look('play-typed');
    // Field, Say, Let the model.
    await eventually('the field has the focus', async () => {
      const focused = page().locator('vscode-text-field:focus');
      assert.equal(await focused.getAttribute('title'), "The agent's turn");
    });
    await keyboard.press('Tab');
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await turn(1)
      .locator('.action-chip')
      .first()
      .waitFor({ timeout: wait(120) });
    await session.look('play-model');
    await press('One turn back').click();
    await turn(1).waitFor({ state: 'detached' });
  });

  it('offers what other actions would write, and takes one', async () => {
    await press('Choose its action').click();
    const choices = page().locator('.choice');
    await choices.nth(1).waitFor({ timeout: wait(120) });
    await session.look('play-choices');
    const words = (await choices.nth(1).locator('.choice-text').innerText()).trim();
    await choices.nth(1).click();
    await turn(1).waitFor();
    assert.equal(((await turn(1).locator('.said').getAttribute('aria-label')) ?? '').slice(0, 4), words.slice(0, 4));
  });

  it('is searched over turns from where it stands, in a tree that can be steered', async () => {
    await press('Search from here').click();
    await session.page
      .locator('.tab.active')
      .filter({ hasText: 'Tree: ' })
      .waitFor({ timeout: wait(120) });
    await page().getByText('agent.cola.yaml, world 3, after 2 turns').waitFor();
    const rows = page().locator('table.codes tbody tr');
    await page()
      .locator('.card')
      .nth(3)
      .waitFor({ timeout: wait(120) });
    await rows.first().waitFor();
    // All of its episodes would take half a minute, and show the same.
    await press('Pause').click();
    await page().locator('.state', { hasNotText: 'searching' }).waitFor();
    await session.look('play-tree');
    const said = (await rows.first().locator('td').first().innerText()).trim();
    await rows.first().click();
    await page()
      .locator('.inspector-turns')
      .filter({ hasText: `> ${said}` })
      .waitFor();
    await page().getByRole('button', { name: 'Ban' }).click();
    await page().locator('.inspector .tag').filter({ hasText: 'banned' }).waitFor();
    await session.look('play-tree-turn');
    await session.page.locator('.tab').filter({ hasText: 'Play agent.cola.yaml' }).click();
    await turn(1).waitFor();
  });

  it('begins again in the same world, and is shown again where its page was hidden', async () => {
    await press('Start again').click();
    await turn(0).waitFor({ state: 'detached' });
    await press('Show me').click();
    await turn(0).waitFor();
    const said = await turn(0).innerText();
    await session.workbench.openFile('agent.cola.yaml');
    await session.page.locator('.tab').filter({ hasText: 'Play agent.cola.yaml' }).click();
    await turn(0).waitFor();
    assert.equal(await turn(0).innerText(), said);
    await session.look('play-again');
  });
});
