import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { wait } from '../support/patience.ts';
import { vscode } from '../support/session.ts';
import { end } from '../support/workbench.ts';

const text = `export function sum(values: number[]): number {
  let total = 0;
  for (const value of values) {
    `;

describe('completion by the model in the box', () => {
  const session = vscode({ examples: true, kept: true });
  let file = '';
  let files = 0;

  const status = () => session.workbench.statusItem('cola.completion');
  /** ` ◆ 17 declare const · 31 % · 2/8` */
  const shown = /◆ .*\d+.* · <?\d+ %/;

  /** Saves the file until `holds` is content with what is on the disk. */
  function savedAs(what: string, holds: (added: string) => void): Promise<void> {
    return eventually(what, async () => {
      await session.page.keyboard.press('Control+S');
      const now = readFileSync(join(session.folder, file), 'utf8');
      assert.ok(now.startsWith(text), now);
      holds(now.slice(text.length));
    });
  }

  /** Opens a file of its own for a test, with the cursor at its end. */
  async function begin(): Promise<void> {
    files++;
    file = `sum-${files}.ts`;
    session.write(file, text);
    await session.workbench.openFile(file, end);
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
    await savedAs('it is in the file', (added) => assert.match(added, /^total.+/));
  });

  it('takes one word of it', async () => {
    const ghost = await typeUntilGhost('total');
    await session.page.keyboard.press('Control+ArrowRight');
    await savedAs('a word of it is in the file', (added) => {
      const word = added.slice('total'.length);
      assert.ok(word.length > 0);
      assert.ok(ghost.replaceAll('\u00a0', ' ').startsWith(word), `${JSON.stringify(word)} of ${ghost}`);
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
    const { workbench } = session;
    await workbench.command('CoLA: Pick Latent Action');
    const rows = workbench.pick(/\d+ %/);
    await rows.nth(3).waitFor();
    // What it writes here comes first; its number is the last of what is said of it, but for others that write the same.
    const words = await rows.nth(2).locator('.label-description').first().innerText();
    const action = /\s(\d+)(?: also [\d ]+)?\s*$/.exec(words)?.[1] ?? '';
    assert.notEqual(action, '', words);
    await workbench.quickInputBox.fill(action);
    await workbench.quickInput
      .locator('.monaco-list-row .label-description')
      .filter({ hasText: new RegExp(`\\s${action}(?: also [\\d ]+)?\\s*$`) })
      .first()
      .click();
    await workbench.quickInput.waitFor({ state: 'hidden' });
    await savedAs('its text is in the file', (added) => assert.ok(added.length > 0));
  });

  it('begins with the action that is pinned, and says so until it is free again', async () => {
    const { workbench, page } = session;
    await workbench.command('CoLA: Pin Latent Action');
    await workbench.quickInputBox.fill('17');
    await page.keyboard.press('Enter');
    await workbench.quickInput.waitFor({ state: 'hidden' });
    await begin();
    // The number stands before a label, or behind what the action writes.
    await status()
      .filter({ hasText: /Pinned: (?:17\b|".*" 17\b)/ })
      .waitFor();
    await typeUntilGhost('total');
    await status()
      .filter({ hasText: /◆ (?:17\b|".*" 17\b)/ })
      .waitFor();
    await workbench.command('CoLA: Free All Latent Actions');
    await status().filter({ hasText: 'Pinned' }).waitFor({ state: 'detached' });
  });

  it('lists the actions for Pin and Ban in the palette: what they write first, their number after it', async () => {
    const { workbench, page } = session;
    for (const title of ['CoLA: Pin Latent Action', 'CoLA: Ban Latent Action']) {
      await workbench.command(title);
      const rows = workbench.pick(/of tokens/);
      await rows.nth(5).waitFor();
      await session.look(title.replaceAll(/\W+/g, '-'));
      const names = await workbench.quickInput.locator('.monaco-list-row .label-name').allInnerTexts();
      assert.ok(names.length > 5, `${names.length}`);
      // A label has the number before it; where there is none, a text stands before the number.
      for (const name of names) assert.match(name, /^(?:\d+ \S.*|\S.* \d+)$/s);
      const written = names.filter((name) => !/^\d+ \S/.test(name));
      assert.ok(written.length > 0, names.join('; '));
      await page.keyboard.press('Escape');
      await workbench.quickInput.waitFor({ state: 'hidden' });
    }
    await workbench.command('CoLA: Ban Latent Action');
    await workbench.quickInputBox.fill('17');
    await page.keyboard.press('Enter');
    await workbench.quickInput.waitFor({ state: 'hidden' });
    await begin();
    await status()
      .filter({ hasText: /banned/i })
      .waitFor();
    await workbench.command('CoLA: Free All Latent Actions');
    await status()
      .filter({ hasText: /banned/i })
      .waitFor({ state: 'detached' });
  });

  it('is off for half an hour or for the language, and on again, from the list behind the status bar', async () => {
    const { workbench } = session;
    // The list says what held when it was opened, and extensions are told of a setting after it is in its file.
    const choose = (entry: string) =>
      eventually(`${entry} is in the list`, async () => {
        await workbench.statusItem('cola.status').click();
        try {
          await workbench.pick(entry).click({ timeout: wait(4) });
        } catch (error) {
          await session.page.keyboard.press('Escape');
          throw error;
        }
        await workbench.quickInput.waitFor({ state: 'hidden' });
      });
    const off = status().filter({ hasText: /no completion until \d/ });
    await typeUntilGhost('total');
    await choose('Completion Off for Half an Hour');
    await off.waitFor();
    await workbench.ghostText.first().waitFor({ state: 'detached' });
    await choose('Completion On Again');
    await off.waitFor({ state: 'detached' });
    await begin();
    await typeUntilGhost('total');
    await choose('Completion Off for plaintext');
    const settings = join(session.profile.data, 'User/settings.json');
    const languages = () => JSON.parse(readFileSync(settings, 'utf8'))['cola.completion.languages'];
    await eventually('it is in the settings of the person', () => assert.equal(languages().plaintext, false));
    await workbench.ghostText.first().waitFor({ state: 'detached' });
    await choose('Completion On for plaintext');
    await eventually('it is there again', () => assert.equal(languages().plaintext, true));
    await begin();
    await typeUntilGhost('total');
  });
});
