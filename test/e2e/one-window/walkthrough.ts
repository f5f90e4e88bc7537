import { eventually } from '../support/eventually.ts';
import { wait } from '../support/patience.ts';
import { vscode } from '../support/session.ts';

describe('the first five minutes', () => {
  const session = vscode({ kept: true });
  const step = (name: string) => session.page.locator('.getting-started-step').filter({ hasText: name });

  it('begin with an example that the model in the box goes on with', async function () {
    this.timeout(wait(300));
    const { workbench, page } = session;
    await workbench.command('CoLA: First Five Minutes');
    await step('See it complete').getByText('Open an Example').click();
    await workbench.line(/total\(items:\s\{\sprice:\snumber\s\}\[\]\):\snumber/).waitFor();
    await workbench.ghostText.first().waitFor({ timeout: wait(120) });
    await session.look('walkthrough-example');
    await workbench.statusItem('cola.completion').filter({ hasText: /◆ / }).waitFor();
    await page.keyboard.press('Tab');
    // What was taken is text of the loop, in front of its closing bracket.
    await workbench
      .line(/^\s{4}\S/)
      .first()
      .waitFor();
    // To save it would ask for a name.
    await workbench.command('View: Revert and Close Editor');
  });

  it('write a spec that can be run', async () => {
    const { workbench, page } = session;
    await workbench.command('CoLA: First Five Minutes');
    // Where the steps are drawn anew as the page comes back, the one that was opened is closed again.
    await eventually('the step is open', async () => {
      await step('Tune for two minutes')
        .first()
        .click({ timeout: wait(5) });
      await step('Tune for two minutes')
        .getByText('Write the Spec')
        .click({ timeout: wait(2) });
    });
    await page.locator('.tab.active[data-resource-name="countdown-answers.cola.yaml"]').waitFor();
    await page.locator('.codelens-decoration').getByText('Run', { exact: false }).first().waitFor();
    await session.look('walkthrough-spec');
  });
});
