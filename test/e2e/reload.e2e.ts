import assert from 'node:assert/strict';
import { join } from 'node:path';
import { eventually } from './support/eventually.ts';
import { wait } from './support/patience.ts';
import { processesOf } from './support/processes.ts';
import { vscode } from './support/session.ts';
import { unhurriedRuns } from './support/unhurried-runs.ts';

/** To load a window anew takes long: all that is to outlive it is there when it is. */
describe('a window of VS Code that is loaded anew', () => {
  const session = vscode({ kept: true });
  const status = () => session.workbench.statusItem('cola.status');
  const page = () => session.workbench.webPage;
  const state = () => page().locator('.state');
  let changes = 0;

  /** Makes these the settings of the person on this machine, and waits until VS Code has them. */
  async function set(machine: object): Promise<void> {
    changes++;
    const title = `reload ${changes}`;
    session.writeMachineSettings({ ...machine, 'window.title': title });
    await session.page.waitForFunction((wanted) => document.title.endsWith(wanted), title);
  }

  /** What a search says of itself while nothing is computed: simulations and nodes. */
  async function stands(): Promise<string> {
    await state()
      .filter({ hasText: /\d+ simulations/, hasNotText: 'searching' })
      .waitFor();
    return (await state().innerText()).replaceAll(/\s+/g, ' ').trim();
  }

  it('cola.runs.outliveWindow: a run goes on, is followed and stopped there; one without it is told, and can go on; of one that somebody stopped nothing is told; a tree is there again', async function () {
    this.timeout(wait(600));
    const { workbench } = session;
    const { goesOn, holder, start } = unhurriedRuns(session);
    const counts = status().filter({ hasText: /step\s[1-9]\d*\/5000/ });

    await workbench.command('CoLA: Search From Prompt…');
    await workbench.quickInputBox.fill('const total = ');
    await session.page.keyboard.press('Enter');
    await page().locator('vscode-text-field[title="Longest answer, in tokens"] input').fill('2');
    await page().locator('vscode-button[aria-label="Search"]').click();
    await page().locator('.card').nth(1).waitFor();
    const tree = await stands();

    await set({ 'cola.runs.outliveWindow': true });
    await start('outlived');
    await counts.waitFor();
    const pid = holder('outlived') ?? 0;
    assert.ok(processesOf(join(session.extension, 'dist/engine.js')).includes(pid));
    await set({});
    await start('asked');
    // The editor writes down what is open every few seconds. What it wrote last may be of before the page was opened; one that has a
    // file which was opened later has the page too. That a run is under way is to be in it too.
    for (const text of ['/asked.cola.yaml', '"run":"asked"'])
      await eventually(`the editor has written down ${text}`, async () => assert.ok(await workbench.remembers(text)));
    await start('long');
    assert.notEqual(holder('long'), pid);
    // However soon before the window is loaded anew.
    await workbench.choose('CoLA: Stop Run', 'asked');
    await workbench.told(/asked: saved at step \d+/);

    await workbench.reload();
    const told = workbench.notification(/long was stopped when the window was closed\. It is saved at step \d+/);
    await told.waitFor({ timeout: wait(120) });
    await counts.waitFor();
    await session.look('outlived');
    assert.equal(holder('outlived'), pid, 'it is the same process');
    for (const run of ['outlived', 'asked'])
      assert.equal(await workbench.notification(new RegExp(`${run}.* stopped when`)).count(), 0, run);
    await goesOn('outlived');
    await told.getByRole('button', { name: 'Go On' }).click();
    await goesOn('long');

    await session.page.locator('.tab[aria-label^="Tree: "]').click();
    // How many cards are in view depends on the tree; what it says of itself does not.
    await page().locator('.card').first().waitFor();
    await eventually('all of the tree is there again', async () => assert.equal(await stands(), tree));
    await session.look('tree-again');

    await workbench.openSideBar();
    for (const run of ['outlived', 'long', 'asked']) await workbench.treeItem(new RegExp(`^Run ${run}`)).waitFor();
    for (const run of ['outlived', 'long']) {
      // Of two it asks which one.
      if (run === 'outlived') await workbench.choose('CoLA: Stop Run', run);
      else await workbench.command('CoLA: Stop Run');
      await workbench.told(new RegExp(`${run}: saved at step \\d+, resume any time`));
      await eventually('its process has ended', () => assert.equal(holder(run), null));
    }
  });
});
