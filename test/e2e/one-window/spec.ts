import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { vscode } from '../support/session.ts';
import { end } from '../support/workbench.ts';

describe('the extension in VS Code', () => {
  const session = vscode({ examples: true, kept: true });

  it('says in the status bar that it is there', async () => {
    const item = session.workbench.statusItem('cola.status');
    await item.waitFor();
    assert.match(await item.innerText(), /CoLA|nano/);
  });

  it('marks an error of a run spec as it is typed, and takes the mark away', async () => {
    const { workbench, page } = session;
    await workbench.openFile('countdown.cola.yaml');
    const errors = page.locator('.squiggly-error');
    await workbench.goToEnd('countdown.cola.yaml');
    assert.equal(await errors.count(), 0);
    await page.keyboard.type('\nseeed: 8');
    await errors.first().waitFor();
    for (let i = 0; i < '\nseeed: 8'.length; i++) await page.keyboard.press('Backspace');
    await errors.first().waitFor({ state: 'detached' });
  });

  it('explains a setting of a run spec with what the paper says', async () => {
    const { workbench, page } = session;
    await workbench.openFile('countdown.cola.yaml', end);
    const word = page
      .locator('.view-line span span')
      .filter({ hasText: /^\s*group$/ })
      .first();
    await workbench.hover(word, /paper/i);
  });

  it('runs a spec as a task, whose terminal says where it is wrong', async () => {
    const { workbench, page } = session;
    await workbench.tidy();
    session.write('wrong.cola.yaml', 'model: builtin:nano\nstages:\n  - reinforc:\n      steps: 3\n');
    await workbench.command('Tasks: Run Task');
    const task = workbench.pick('train wrong.cola.yaml').first();
    // Tasks that were run before stand above the kinds of tasks.
    const kind = workbench.pick('cola').first();
    await kind.waitFor();
    if ((await task.count()) === 0) await kind.click();
    await task.click();
    const problems = page.locator('.markers-panel');
    // The terminal of the task comes to the front when it begins, whatever was there.
    await eventually('the problem is listed', async () => {
      await workbench.command('View: Focus Problems (Errors, Warnings, Infos)');
      await problems.getByText('There is no stage "reinforc"').first().waitFor({ timeout: 3000 });
      await problems.getByText('wrong.cola.yaml').first().waitFor({ timeout: 3000 });
    });
    await workbench.command('Terminal: Kill All Terminals');
  });
});
