import assert from 'node:assert/strict';
import { vscode } from './support/session.ts';
import { reinforceSpec } from './support/spec.ts';

describe('the end of a run in VS Code', () => {
  const session = vscode({});
  const notice = (text: string | RegExp) => session.workbench.notification(text);

  it('is told once, with what can be done with the model', async () => {
    const { workbench } = session;
    session.write('short.cola.yaml', reinforceSpec({ steps: 2, maxNew: 8, evaluateEvery: 2, checkpointEvery: 2 }));
    await workbench.openFile('short.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    const ended = notice('short has ended, and its model is saved.');
    await ended.waitFor();
    assert.equal(await session.page.locator('.notification-list-item').count(), 1);
    for (const name of ['Use This Model', 'Compare Before and After', 'Open Dashboard'])
      await ended.getByRole('button', { name }).waitFor();
    await ended.getByRole('button', { name: 'Compare Before and After' }).click();
    const page = workbench.webPage;
    await page.getByText('short: before and after').first().waitFor();
    await page.getByText(/\d of 8 solved before, \d of 8 solved after\./).waitFor();
    assert.equal(await page.locator('table').count(), 8);
    assert.equal(await page.locator('td').count(), 16);
  });

  it('by closing the window is told in the next one, which offers to go on', async () => {
    const { workbench } = session;
    session.write('long.cola.yaml', reinforceSpec({ steps: 5000, maxNew: 4, evaluateEvery: 5000, checkpointEvery: 2 }));
    await workbench.openFile('long.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    const status = workbench.statusItem('cola.status');
    await status.filter({ hasText: /step\s[1-9]\d*\/5000/ }).waitFor();
    await workbench.reload();
    const told = notice(/long was stopped when the window was closed\. It is saved at step \d+/);
    await told.waitFor();
    await told.getByRole('button', { name: 'Go On' }).click();
    await status.filter({ hasText: /step\s[1-9]\d*\/5000/ }).waitFor();
    await workbench.command('CoLA: Stop Run');
    await notice(/long: saved at step \d+/).waitFor();
  });
});
