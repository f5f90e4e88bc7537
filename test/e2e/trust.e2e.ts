import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { vscode } from './support/session.ts';

describe('a folder that is not trusted', () => {
  const session = vscode({ examples: true, trust: true, settings: { 'cola.feedback.enabled': true } });

  it('is not trained in, and is told so with what to do', async () => {
    const { workbench } = session;
    await workbench.openFile('countdown.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    const refusal = workbench.notification('the folder is not trusted');
    await refusal.waitFor();
    await refusal.getByRole('button', { name: 'Manage Trust' }).waitFor();
    assert.equal(existsSync(join(session.folder, '.cola')), false);
  });

  it('is completed in, and nothing of that is recorded, whatever settings say', async () => {
    const { workbench, page } = session;
    session.write('.vscode/settings.json', '{ "cola.feedback.enabled": true }');
    session.write('sum.ts', 'export function sum(values: number[]): number {\n  let total = 0;\n  ');
    await workbench.openFile('sum.ts');
    await workbench.goToEnd('sum.ts');
    await page.keyboard.type('for');
    await workbench.ghostText.first().waitFor();
    await page.keyboard.press('Tab');
    await workbench.ghostText.first().waitFor({ state: 'detached' });
    await workbench.command('CoLA: Show Feedback');
    await workbench.notification('the folder is not trusted').first().waitFor();
    assert.equal(existsSync(join(session.folder, '.cola')), false);
  });
});
