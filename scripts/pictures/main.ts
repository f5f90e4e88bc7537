/**
 * `npx tsx scripts/pictures/main.ts [NAME…]`, after `npm run package`: the moving pictures of the gallery, or some of them, taken in the
 * real editor while it is used, by nobody's hand.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { endEditor } from '../../test/e2e/support/running.ts';
import { Session } from '../../test/e2e/support/session.ts';
import { end } from '../../test/e2e/support/workbench.ts';
import { root } from '../bundles.mjs';
import { type Frame, moving } from './webp.ts';

const folder = join(root, 'docs/gallery');
const size = { width: 960, height: 600 };
/** Of Chromium's encoder; letters stay readable. */
const quality = 0.62;

/** Takes pictures of a page, and makes one that moves of them. Those that are like the one before only make it last longer. */
class Camera {
  private readonly frames: Frame[] = [];
  private last = '';

  constructor(
    private readonly page: Page,
    /** An empty page, in which pictures are encoded. */
    private readonly encoder: Page,
  ) {}

  async take(milliseconds: number): Promise<void> {
    const png = (await this.page.screenshot()).toString('base64');
    const previous = this.frames.at(-1);
    if (png === this.last && previous !== undefined) {
      this.frames[this.frames.length - 1] = { ...previous, milliseconds: previous.milliseconds + milliseconds };
      return;
    }
    this.last = png;
    const encode = `(async () => {
      const image = new Image();
      image.src = 'data:image/png;base64,${png}';
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', ${quality});
    })()`;
    const url = await this.encoder.evaluate(encode);
    this.frames.push({ picture: Buffer.from(String(url).split(',')[1], 'base64'), milliseconds });
  }

  async type(text: string): Promise<void> {
    for (const character of text) {
      await this.page.keyboard.type(character);
      await this.take(110);
    }
  }

  save(name: string): void {
    const file = moving(this.frames, size.width, size.height);
    writeFileSync(join(folder, `${name}.webp`), file);
    console.log(`docs/gallery/${name}.webp: ${this.frames.length} frames, ${Math.round(file.length / 1000)} kB`);
  }
}

const before = `export function sum(values: number[]): number {
  let total = 0;
  for (const value of values) {
    `;

/** Ghost text while one types, its alternatives, and the action behind it in the status bar. */
async function completion(session: Session, camera: Camera): Promise<void> {
  const { workbench, page } = session;
  session.write('sum.ts', before);
  await workbench.openFile('sum.ts', end);
  await camera.take(900);
  await camera.type('tot');
  await page.keyboard.type('al');
  await workbench.ghostText.first().waitFor();
  await camera.take(1500);
  for (let i = 0; i < 3; i++) {
    await page.keyboard.press('Alt+]');
    await page.waitForTimeout(1500);
    await camera.take(1200);
  }
  await page.keyboard.press('Tab');
  await page.waitForTimeout(1000);
  await camera.take(1800);
}

/** A search over latent actions while it grows. */
async function tree(session: Session, camera: Camera): Promise<void> {
  const { workbench, page } = session;
  await workbench.closeEditors();
  await page.keyboard.press('Control+B');
  await workbench.command('CoLA: Search From Prompt…');
  await workbench.quickInputBox.fill('const total = ');
  await page.keyboard.press('Enter');
  const web = workbench.webPage;
  await web.getByRole('heading', { name: 'Search over latent actions' }).waitFor();
  await camera.take(900);
  await web.locator('vscode-button[aria-label="Search"]').click();
  for (let i = 0; i < 14; i++) {
    await page.waitForTimeout(500);
    await camera.take(450);
  }
  await web
    .locator('.state')
    .filter({ hasText: /simulations/, hasNotText: 'searching' })
    .waitFor();
  await camera.take(1000);
  await web.locator('.stage').focus();
  await page.keyboard.press('Home');
  for (let depth = 0; depth < 4; depth++) {
    await page.keyboard.press('Alt+ArrowRight');
    await page.waitForTimeout(700);
    await camera.take(900);
  }
  await camera.take(1200);
}

/** A question to `@cola`. */
async function chat(session: Session, camera: Camera): Promise<void> {
  const { workbench, page } = session;
  await workbench.closeEditors();
  await workbench.command('CoLA: Ask in Chat');
  await page.locator('.interactive-input-editor').last().getByText('@cola').waitFor();
  await page.waitForTimeout(1000);
  await camera.take(700);
  await camera.type('Numbers: 03 09 12 Target: 24 Answer:');
  await page.keyboard.press('Enter');
  await page.waitForTimeout(700);
  await camera.take(700);
  await page.locator('.interactive-response').last().getByText('Other beginnings').waitFor();
  await page.waitForTimeout(1000);
  await camera.take(1500);
  // Up to the answer itself.
  await page.mouse.move(size.width - 100, 300);
  await page.mouse.wheel(0, -400);
  await page.waitForTimeout(1000);
  await camera.take(4000);
}

mkdirSync(folder, { recursive: true });
const session = await Session.open({
  settings: {
    'chat.disableAIFeatures': false,
    'files.associations': { '*.ts': 'typescript' },
    // As many as there is room for under an answer.
    'cola.completion.alternatives': 4,
  },
});
try {
  await session.page.setViewportSize(size);
  const encoder = await session.running.newPage();
  const wanted = process.argv.slice(2);
  for (const [name, story] of Object.entries({ completion, tree, chat })) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const camera = new Camera(session.page, encoder);
    await session.page.bringToFront();
    await story(session, camera);
    camera.save(name);
  }
} catch (error) {
  await session.keepEvidence('pictures');
  throw error;
} finally {
  await endEditor();
}
process.exit(0);
