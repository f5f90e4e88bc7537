import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './support/eventually.ts';
import { processesOf } from './support/processes.ts';
import { vscode } from './support/session.ts';
import { writeForRuns } from './support/small-model.ts';
import { reinforceSpec } from './support/spec.ts';
import { unhurriedRuns } from './support/unhurried-runs.ts';

describe('the end of a run in VS Code', () => {
  const session = vscode({ kept: true });
  before(() => writeForRuns(session));
  const notice = (text: string | RegExp) => session.workbench.notification(text);

  it('is told once, with what can be done with the model', async () => {
    const { workbench } = session;
    session.write('short.cola.yaml', reinforceSpec({ steps: 2, maxNew: 8, evaluateEvery: 2, checkpointEvery: 2 }));
    await workbench.openFile('short.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    const ended = notice('short has ended, and its model is saved.');
    await ended.waitFor();
    assert.deepEqual(await session.page.locator('.notification-list-item-message').allInnerTexts(), [
      'short has ended, and its model is saved.',
    ]);
    for (const name of ['Use It', 'Before and After', 'Dashboard']) await ended.getByRole('button', { name }).waitFor();
    await session.look('run-ended');
    await ended.getByRole('button', { name: 'Before and After' }).click();
    const page = workbench.webPage;
    await page.getByText('short: before and after').first().waitFor();
    await page.getByText(/\d of 8 solved before, \d of 8 solved after\./).waitFor();
    assert.equal(await page.locator('table').count(), 8);
    assert.equal(await page.locator('td').count(), 16);
  });

  it('is told before it comes where it goes wrong, each thing once', async () => {
    const { workbench, page } = session;
    // A reward that is had by writing one digit: the policy is certain of it after three steps.
    session.write('ones.mjs', "export default ({ completion }) => completion.split('1').length - 1;\n");
    const spec = reinforceSpec({ model: 'builtin:nano', steps: 9, maxNew: 6, evaluateEvery: 9, checkpointEvery: 9 });
    session.write(
      'ones.cola.yaml',
      spec
        .replace(/reward: .*/, 'reward: { module: { path: ones.mjs } }\n      learning_rate: 0.01\n      kl: 0')
        .replace('group: 2', 'group: 4'),
    );
    await workbench.openFile('ones.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    const wrong = notice(/ones: Entropy fell from \S+ to \S+ nats/);
    await wrong.waitFor();
    for (const name of ['Dashboard', 'Pause', 'Stop']) await wrong.getByRole('button', { name }).waitFor();
    await notice('ones has ended, and its model is saved.').waitFor();
    assert.equal(await page.locator('.notification-list-item').filter({ hasText: 'Entropy fell' }).count(), 1);
  });

  it('is no end of it: it may have a note, is found by its tags, and is written as a page', async () => {
    const { workbench, page } = session;
    const run = (words: RegExp) => workbench.treeItem(words);
    await workbench.openSideBar();
    // The list is drawn anew when a run has ended, which closes a menu that was open.
    await eventually('a note is asked for', async () => {
      await page.keyboard.press('Escape');
      await run(/^Run ones/).click({ button: 'right', timeout: 5000 });
      await page.getByRole('menuitem', { name: 'Note and Tags…' }).click({ timeout: 5000 });
      await workbench.quickInputBox.waitFor({ timeout: 5000 });
    });
    await workbench.quickInputBox.fill('learns one digit #gamed');
    await page.keyboard.press('Enter');
    await run(/^Run ones.*#gamed/).waitFor();

    await workbench.command('CoLA: Filter Runs…');
    await workbench.pick('#gamed').click();
    await page.keyboard.press('Enter');
    await page.getByText('Only #gamed: 1 of 2 runs.').waitFor();
    await run(/^Run short/).waitFor({ state: 'detached' });
    await run(/^Run ones/).waitFor();
    await session.look('runs-filtered');
    await workbench.command('CoLA: Show All Runs');
    await run(/^Run short/).waitFor();
    await page.getByText('Only #gamed').waitFor({ state: 'hidden' });

    await workbench.command('CoLA: Export Report…');
    await workbench.pick(/^ones/).click();
    const file = join(session.folder, 'ones.html');
    await eventually('a place is asked for', async () =>
      assert.equal(await workbench.quickInputBox.inputValue(), file),
    );
    await page.keyboard.press('Enter');
    await notice(`Report of ones: ${file}`).waitFor();
    const report = readFileSync(file, 'utf8');
    assert.match(report, /^<!doctype html>/i);
    for (const part of ['ones', 'entropy', 'ones.mjs', '<svg']) assert.ok(report.includes(part), part);
  });

  it('because a new server cannot go on with it is told, with what can be done', async () => {
    const { workbench } = session;
    await unhurriedRuns(session).start('broken');
    await workbench
      .statusItem('cola.status')
      .filter({ hasText: /step\s[1-9]\d*\/5000/ })
      .waitFor();
    // That of the window before may be there too.
    for (const script of ['server', 'engine'])
      for (const pid of processesOf(join(session.extension, `dist/${script}.js`))) process.kill(pid, 'SIGKILL');
    // While it runs it would write its spec again.
    writeFileSync(join(session.folder, '.cola/runs/broken/spec.yaml'), 'stages: [');
    const told = notice(/broken stopped: /);
    await told.waitFor();
    await told.getByRole('button', { name: 'Show Log' }).waitFor();
  });

  it('for a line of a file leads to that line, whatever the file is called', async () => {
    const { workbench } = session;
    const name = "it's: rows, old.jsonl";
    session.write(name, `${'{"prompt": "1+1=", "answer": "2"}\n'.repeat(6)}{"prompt": \n`);
    session.write(
      'odd.cola.yaml',
      `model: builtin:nano\nstages:\n  - reinforce: { prompts: "${name}", reward: numeric, steps: 2, batch: 2, group: 2, max_new: 4 }\n`,
    );
    await workbench.openFile('odd.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    const told = notice(/, line 7/);
    await told.getByRole('button', { name: 'Open Line' }).click();
    await session.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await session.page.locator('.statusbar-item', { hasText: 'Ln 7, Col 1' }).waitFor();
  });
});
