/** VS Code's workbench as a person meets it: what can be seen, pressed and typed. Selectors hold for VS Code 1.100 to 1.139. */
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { eventually } from './eventually.ts';
import { wait } from './patience.ts';

const ready = wait(120);

/** Whether a value in the databases of VS Code for the browser holds a text. */
const searchOfMemory = `async (wanted) => {
  const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  for (const { name } of await indexedDB.databases()) {
    if (!name?.startsWith('vscode-web-state-db')) continue;
    const database = await settled(indexedDB.open(name));
    try {
      for (const store of database.objectStoreNames) {
        const values = await settled(database.transaction(store).objectStore(store).getAll());
        if (values.some((value) => String(value).includes(wanted))) return true;
      }
    } finally {
      database.close();
    }
  }
  return false;
}`;

const tidyKey = 'Control+Alt+Shift+F9';

/** Keys of a person who puts a window in order at once: to find the commands in the palette takes seconds. */
export const tidyKeys = [
  {
    key: tidyKey.replace('Control', 'ctrl').toLowerCase(),
    command: 'runCommands',
    args: {
      commands: [
        'notifications.clearAll',
        'workbench.action.files.saveAll',
        'workbench.action.closeAllEditors',
        'workbench.action.closePanel',
      ],
    },
  },
];

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The end of any file. */
export const end: Place = { line: 1_000_000, column: 1_000_000 };

export class Workbench {
  /** @param goTo opens a file of the folder, the cursor at a place */
  constructor(
    readonly page: Page,
    private readonly goTo: (path: string, at: Place) => Promise<void>,
  ) {}

  async open(address: string): Promise<void> {
    await this.page.goto(address, { waitUntil: 'domcontentloaded', timeout: ready });
    await this.loaded();
  }

  async reload(): Promise<void> {
    await this.page.reload({ waitUntil: 'domcontentloaded', timeout: ready });
    await this.loaded();
  }

  /**
   * Whether the editor has written down something that it will remember, such as the kind of a page that is open: it does so
   * every few seconds, and a window that is loaded anew before knows only what was written last.
   */
  async remembers(text: string): Promise<boolean> {
    // As text: what builds the tests would put helpers of its own into a function.
    return this.page.evaluate(`(${searchOfMemory})(${JSON.stringify(text)})`);
  }

  private async loaded(): Promise<void> {
    await this.page.locator('.monaco-workbench').waitFor({ timeout: ready });
    await this.page.locator('.statusbar-item').first().waitFor({ timeout: ready });
  }

  /** The input with a list under it: palette, quick picks, input boxes. */
  get quickInput(): Locator {
    return this.page.locator('.quick-input-widget:visible');
  }

  get quickInputBox(): Locator {
    return this.quickInput.locator('.quick-input-box input');
  }

  /** Rows of a quick pick. */
  pick(text: string | RegExp): Locator {
    return this.quickInput.locator('.quick-input-list .monaco-list-row').filter({ hasText: text });
  }

  /** Runs a command by its full title, such as `CoLA: Show Log`, through the palette. */
  async command(title: string): Promise<void> {
    await eventually(`the palette offers "${title}"`, () => this.tryCommand(title));
  }

  /**
   * Runs a command and answers its questions, each with a row of a list. From the beginning where one of them does not stay: whatever
   * else happens in a window may take the focus from a list, which closes it.
   */
  async choose(title: string, ...rows: readonly (string | RegExp)[]): Promise<void> {
    // A list that was closed is waited for in vain: not for long at first.
    let seconds = 2;
    await eventually(`"${title}" is answered`, async () => {
      const timeout = wait(seconds);
      seconds *= 2;
      await this.page.keyboard.press('Escape');
      await this.tryCommand(title);
      for (const row of rows) await this.pick(row).first().click({ timeout });
    });
  }

  private async tryCommand(title: string): Promise<void> {
    await this.page.keyboard.press('F1');
    await this.quickInput.waitFor({ timeout: wait(5) });
    // What takes the focus meanwhile closes the palette, which is then waited for in vain: whoever asked tries again.
    const timeout = wait(1.5);
    await this.quickInputBox.fill(`>${title}`, { timeout });
    const row = this.pick(title).first();
    await row.waitFor({ timeout: wait(10) });
    await row.click({ timeout });
  }

  /**
   * Opens a file of the folder by its path, as `code --goto` in a terminal does, and returns its editor, which has the focus.
   *
   * @param at where the cursor goes, from 1; what lies behind the end is the end
   */
  async openFile(path: string, at: Place = { line: 1, column: 1 }): Promise<Locator> {
    const name = path.split('/').at(-1) ?? path;
    const editor = this.editor(name);
    await eventually(`${path} opens`, async () => {
      await this.goTo(path, at);
      await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor({ timeout: wait(10) });
      await this.page
        .locator(`.monaco-editor.focused[data-uri$="/${name}"]`)
        .first()
        .waitFor({ timeout: wait(5) });
    });
    await editor.locator('.view-line').first().waitFor();
    // Parts of an editor, such as ghost text, are there once the window has been idle.
    await this.page.evaluate('new Promise((done) => requestIdleCallback(done, { timeout: 5000 }))');
    return editor;
  }

  /** Opens a notebook of the folder by its path, and puts the cursor at the end of its last cell. */
  async openNotebook(path: string): Promise<void> {
    const name = path.split('/').at(-1) ?? path;
    await eventually(`${path} opens`, async () => {
      await this.goTo(path, { line: 1, column: 1 });
      await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor({ timeout: wait(10) });
    });
    await this.page.locator('.notebookOverlay .cell .view-line').last().click();
    await this.page.keyboard.press('Control+End');
  }

  /** Closes all editors, and keeps what is in them. */
  async closeEditors(): Promise<void> {
    await this.command('File: Save All');
    await this.page.locator('.tab.dirty').first().waitFor({ state: 'detached' });
    await this.command('View: Close All Editors');
    await this.page.locator('.tab').first().waitFor({ state: 'detached' });
  }

  /** The same by one key, where it is bound as {@link tidyKeys} has it; closes the panel and what was told too. */
  async tidy(): Promise<void> {
    const left = this.page.locator('.tab, .part.panel:visible, .notification-list-item').first();
    // What came meanwhile is one more reason to press it.
    await eventually('nothing is open', async () => {
      await this.page.keyboard.press(tidyKey);
      await left.waitFor({ state: 'detached', timeout: wait(5) });
    });
  }

  editor(name: string): Locator {
    return this.page.locator(`.monaco-editor[data-uri$="/${name}"]`).first();
  }

  /** Places the cursor at the end of a file and makes sure that typing goes there. */
  async goToEnd(name: string): Promise<void> {
    const lines = this.editor(name).locator('.view-line');
    // The first may lie under lines that stick to the top, the last under the scrollbar.
    await lines.nth(Math.floor((await lines.count()) / 2)).click();
    await this.page.keyboard.press('Control+End');
  }

  /** Text of a file as the editor shows it, without ghost text. */
  line(text: string | RegExp): Locator {
    return this.page.locator('.view-line').filter({ hasText: text });
  }

  get ghostText(): Locator {
    return this.page.locator(
      '.ghost-text-decoration, .ghost-text-decoration-preview, .ghost-text, .suggest-preview-text',
    );
  }

  /** What is offered in grey, empty where nothing is. */
  async inGrey(): Promise<string> {
    return (await this.ghostText.allInnerTexts()).join('').replaceAll('\u00a0', ' ');
  }

  /** Accepts what is offered. The next may be there before anybody sees that this one went. */
  async take(): Promise<void> {
    const before = await this.inGrey();
    await this.page.keyboard.press('Tab');
    await eventually('it is accepted', async () => {
      if ((await this.inGrey()) === before) throw new Error(`${before} is still offered`);
    });
  }

  /** Rests the pointer on something until the hover says `text`: code lenses that arrive late move text from under it. */
  async hover(target: Locator, text: string | RegExp): Promise<Locator> {
    const shown = this.page.locator('.monaco-hover:visible').filter({ hasText: text }).first();
    // Text that moved away is waited for in vain: not for long at first.
    let seconds = 0.5;
    await eventually(`a hover says ${text}`, async () => {
      const timeout = wait(seconds);
      seconds = Math.min(2 * seconds, 8);
      await this.page.mouse.move(5, 5);
      await target.hover({ timeout: wait(5) });
      await shown.waitFor({ timeout });
    });
    return shown;
  }

  notification(text: string | RegExp): Locator {
    return this.page.locator('.notification-list-item').filter({ hasText: text }).first();
  }

  /** A notice, looked for behind the bell too: VS Code shows three in 0.8 s at most, and on a busy machine more come at once. */
  async told(text: string | RegExp): Promise<Locator> {
    const notice = this.notification(text);
    let seconds = 5;
    await eventually(`${text} is told`, async () => {
      const timeout = wait(seconds);
      seconds = Math.min(2 * seconds, 40);
      await notice.waitFor({ timeout }).catch(async (error) => {
        await this.tryCommand('Notifications: Show Notifications');
        throw error;
      });
    });
    return notice;
  }

  get dialog(): Locator {
    return this.page.locator('.monaco-dialog-box');
  }

  /** An item of the status bar by its id, such as `cola.status`. */
  statusItem(id: string): Locator {
    return this.page.locator(`[id="cola-studio.cola-studio.${id}"]`);
  }

  /** An entry of a tree view. */
  treeItem(name: string | RegExp): Locator {
    return this.page.getByRole('treeitem', { name }).first();
  }

  /** Opens the extension's side bar. While it is open, the palette does not offer to. */
  async openSideBar(): Promise<void> {
    const title = this.page.locator('.sidebar .composite.title').filter({ hasText: 'CoLA Studio' });
    await eventually('the side bar is open', async () => {
      if (await title.isVisible()) return;
      await this.tryCommand('View: Show CoLA Studio');
      await title.waitFor({ timeout: wait(5) });
    });
    await this.page.keyboard.press('Escape');
  }

  /** The content of the page of the extension that is in front. */
  get webPage(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready:visible').frameLocator('iframe#active-frame');
  }
}
