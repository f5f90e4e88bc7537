import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { vscode } from './support/session.ts';

describe('a folder that is not trusted', () => {
  const session = vscode({
    examples: true,
    trust: true,
    settings: { 'security.workspace.trust.startupPrompt': 'never', 'security.workspace.trust.banner': 'never' },
  });

  it('is not trained in, and is told so with what to do', async () => {
    const { workbench } = session;
    await workbench.openFile('countdown.cola.yaml');
    await workbench.command('CoLA: Run Spec');
    const refusal = workbench.notification('the folder is not trusted');
    await refusal.waitFor();
    await refusal.getByRole('button', { name: 'Manage Trust' }).waitFor();
    assert.equal(existsSync(join(session.folder, '.cola')), false);
  });
});
