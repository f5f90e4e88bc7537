import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.ts';
import { vscode } from '../support/session.ts';

describe('a model served from VS Code', () => {
  const token = 'a-token-from-outside';
  const session = vscode({ kept: true, settings: { 'terminal.integrated.env.linux': { COLA_SERVE_TOKEN: token } } });

  const ask = async (path: string, body?: object) => {
    const response = await fetch(`http://127.0.0.1:8372/v1/${path}`, {
      headers: { Authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    assert.equal(response.status, 200);
    return (await response.json()) as { data: { id: string }[]; choices: { text: string; latent_actions: number[] }[] };
  };

  it('answers other programs by the actions that they pin, until its terminal is closed', async () => {
    const { workbench, page } = session;
    await workbench.command('CoLA: Serve Model on This Machine…');
    await workbench.quickInput.getByText('nano').first().click();
    await eventually('it answers', async () => assert.equal((await ask('models')).data[0]?.id, 'nano'));
    const asked = { prompt: 'export function ', max_tokens: 8, temperature: 0, latent_actions: true };
    const [free] = (await ask('completions', asked)).choices;
    const [pinned] = (await ask('completions', { ...asked, pin: 9, echo: true })).choices;
    assert.equal(pinned?.latent_actions[0], 9);
    assert.ok(pinned.text.startsWith(asked.prompt));
    assert.notEqual(free?.latent_actions[0], 9);
    await page.locator('.terminal-wrapper').first().waitFor();
    await workbench.command('Terminal: Kill All Terminals');
    await eventually('nobody answers', () => assert.rejects(ask('models')));
  });
});
