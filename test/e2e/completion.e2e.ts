import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './support/eventually.ts';
import { vscode } from './support/session.ts';

const file = 'sum.ts';
const text = `export function sum(values: number[]): number {
  let total = 0;
  for (const value of values) {
    `;

describe('completion by the model in the box', () => {
  const session = vscode();
  before(() => session.write(file, text));

  const status = () => session.workbench.statusItem('cola.completion');
  /** ` ◆ 17 declare const · 31 % · 2/8` */
  const shown = /◆ \d+.* · <?\d+ %/;

  /** The file on the disk, after what stands in the editor was saved. */
  async function saved(): Promise<string> {
    await session.page.keyboard.press('Control+S');
    await session.page.locator(`.tab.active.dirty`).waitFor({ state: 'detached' });
    return readFileSync(join(session.folder, file), 'utf8');
  }

  /** Puts the text as it was at the beginning, and the cursor behind it. */
  async function begin(): Promise<void> {
    const { workbench, page } = session;
    await workbench.openFile(file);
    await workbench.goToEnd(file);
    while ((await saved()) !== text) {
      await page.keyboard.press('Control+A');
      await page.keyboard.insertText(text);
    }
    await page.keyboard.press('Escape');
  }

  async function typeUntilGhost(typed: string): Promise<string> {
    const { workbench, page } = session;
    await page.keyboard.type(typed);
    await workbench.ghostText.first().waitFor();
    await status().filter({ hasText: shown }).waitFor();
    return (await workbench.ghostText.allInnerTexts()).join('');
  }

  beforeEach(begin);

  it('shows ghost text while one types, and in the status bar the action it came from', async () => {
    await typeUntilGhost('total');
    await session.workbench
      .statusItem('cola.status')
      .filter({ hasText: /nano · \w+/ })
      .waitFor();
  });

  it('takes ghost text with Tab', async () => {
    await typeUntilGhost('total');
    await session.page.keyboard.press('Tab');
    await session.workbench.ghostText.first().waitFor({ state: 'detached' });
    const after = await saved();
    assert.ok(after.startsWith(`${text}total`), after);
    assert.ok(after.length > text.length + 'total'.length, after);
  });

  it('takes one word of it', async () => {
    const ghost = await typeUntilGhost('total');
    await session.page.keyboard.press('Control+ArrowRight');
    await eventually('a word is in the file', async () => {
      const added = (await saved()).slice(`${text}total`.length);
      assert.ok(added.length > 0);
      assert.ok(ghost.replaceAll('\u00a0', ' ').startsWith(added), `${JSON.stringify(added)} of ${ghost}`);
    });
  });

  it('steps through alternatives that begin with other actions', async () => {
    await typeUntilGhost('total');
    await session.page.keyboard.press('Alt+]');
    await status()
      .filter({ hasText: /· 2\/\d/ })
      .waitFor();
    const second = await status().innerText();
    await session.page.keyboard.press('Alt+[');
    await status()
      .filter({ hasText: /· 1\/\d/ })
      .waitFor();
    const action = (item: string) => /◆ (\d+)/.exec(item)?.[1];
    assert.notEqual(action(await status().innerText()), action(second));
  });

  it('lists every action with what it would write, and inserts the one that is chosen', async () => {
    const { workbench, page } = session;
    await workbench.command('CoLA: Pick Latent Action');
    const rows = workbench.pick(/\d+ %/);
    await rows.nth(3).waitFor();
    const action = /\d+/.exec(await rows.nth(2).innerText())?.[0] ?? '';
    await workbench.quickInputBox.fill(action);
    await workbench
      .pick(new RegExp(`^\\s*${action}\\b`))
      .first()
      .click();
    await workbench.quickInput.waitFor({ state: 'hidden' });
    await eventually('its text is in the file', async () => assert.ok((await saved()).length > text.length));
    await page.keyboard.press('Escape');
  });

  it('begins with the action that is pinned, and says so until it is free again', async () => {
    const { workbench, page } = session;
    await workbench.command('CoLA: Pin Latent Action');
    await workbench.quickInputBox.fill('17');
    await page.keyboard.press('Enter');
    await workbench.quickInput.waitFor({ state: 'hidden' });
    await begin();
    await status().filter({ hasText: 'Pinned: 17' }).waitFor();
    await typeUntilGhost('total');
    await status()
      .filter({ hasText: /◆ 17\b/ })
      .waitFor();
    await workbench.command('CoLA: Free All Latent Actions');
    await status().filter({ hasText: 'Pinned' }).waitFor({ state: 'detached' });
  });
});
