import assert from 'node:assert/strict';
import { eventually } from './support/eventually.ts';
import { wait } from './support/patience.ts';
import { vscode } from './support/session.ts';
import { writeForRuns } from './support/small-model.ts';
import { reinforceSpec } from './support/spec.ts';

/** A run that is over soon, and has something to show. */
const spec = reinforceSpec({ steps: 6, maxNew: 8, evaluateEvery: 3, checkpointEvery: 3, slowly: true });

describe('the run dashboard in VS Code', () => {
  const session = vscode({ examples: true, kept: true });
  before(() => {
    writeForRuns(session);
    session.write('look.cola.yaml', spec);
  });

  const page = () => session.workbench.webPage;
  const facts = () => page().locator('.run-facts');
  const find = () => page().locator('vscode-text-field[title^="Find in samples"] input');
  const tab = (name: string | RegExp) => session.page.locator('.tab').filter({ hasText: name });

  it('opens for a run, and follows it to its end', async () => {
    const { workbench } = session;
    await workbench.openFile('look.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    // A run is in the list once the engine has begun it.
    await eventually('the run is in the list', async () => {
      await workbench.command('CoLA: Open Run Dashboard…');
      await workbench
        .pick('look')
        .first()
        .click({ timeout: wait(5) });
    });
    await page().locator('.run-head h1').filter({ hasText: 'look' }).waitFor();
    await facts()
      .filter({ hasText: /step [1-9]/ })
      .waitFor();
    await facts().filter({ hasText: 'step 6 of 6' }).waitFor();
    await page().locator('.run-tags').filter({ hasText: 'done' }).waitFor();
  });

  it('shows curves, the codebook, and samples with their latent actions', async () => {
    await page().locator('.chart canvas').first().waitFor();
    assert.ok((await page().locator('.chart').count()) > 3);
    for (const name of ['Codebook', 'Samples']) await page().locator(`section[aria-label="${name}"]`).waitFor();
    await page().locator('.sample .action-chip').first().waitFor();
  });

  it('is as it was after it was hidden', async () => {
    await find().fill('no sample has this');
    await page().getByText('0 found in').waitFor();
    await tab('look.cola.yaml').click();
    await session.page.locator('.tab.active[data-resource-name="look.cola.yaml"]').waitFor();
    await tab('Run look').click();
    await page().locator('.chart canvas').first().waitFor();
    assert.equal(await find().inputValue(), 'no sample has this');
    await find().fill('');
    await page().locator('.sample').first().waitFor();
    await facts().filter({ hasText: 'step 6 of 6' }).waitFor();
  });

  it('opens a sample as a document beside it', async () => {
    const { workbench } = session;
    await page().locator('.sample button.fold').first().click();
    await page().locator('vscode-button[aria-label="Open in editor"]').first().click();
    await workbench.line(/Sample\sof\sstep/).waitFor();
    await workbench.command('View: Revert and Close Editor');
  });
});
