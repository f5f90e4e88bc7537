/** Takes the picture of the tree explorer in README anew: the page as it is now, on a search of the model in the box. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extendSearch, loadModel, searchEvent, searchNodes, startSearch } from '../server/protocol/index.ts';
import { engineLine } from '../test/support/engine-line.ts';
import { chromiumMissing, type PageInChromium, Stage } from '../test/support/page-in-chromium.ts';
import { themes } from '../test/support/themes.ts';
import { answerTree } from '../test/support/tree-answers.ts';

const root = join(import.meta.dirname, '..');
const nano = join(root, 'assets/nano');

async function take({ page }: PageInChromium, name: string): Promise<void> {
  await page.screenshot({ path: join(root, 'docs', `${name}.png`) });
  console.log(`docs/${name}.png`);
}

/** A search for a way to reach a number with three others. */
async function takeTree(stage: Stage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cola-pictures-'));
  const { engine, channel } = engineLine();
  try {
    const ask = channel.ask.bind(channel);
    const key = { root: folder, search: 'picture' };
    await ask(loadModel, { folder: nano, device: 'cpu' });
    await ask(startSearch, {
      ...key,
      prompt: '<|user|>\nNumbers: 04 07 18 Target: 46 Answer:<|end|>\n<|assistant|>\n',
      row: { numbers: [4, 7, 18], target: 46 },
      reward: { countdown: { form: 'compact' } },
      options: { max_new: 16, edge: { kind: 'steps', steps: 3 } },
    });
    const stands = new Promise<void>((resolve) => {
      channel.on(searchEvent, ({ end }) => {
        if (end !== null) resolve();
      });
    });
    await ask(extendSearch, { ...key, simulations: 192 });
    await stands;
    const { nodes } = await ask(searchNodes, key);
    const shown = await stage.prepare('tree', {
      theme: themes.dark,
      attach: (host) => void answerTree(host, key, ask),
    });
    await shown.load();
    await shown.page.locator('tr[data-action]').first().waitFor();
    console.log(`${nodes.length} nodes`);
    await shown.page.locator('.stage').focus();
    // To the end of the best answer.
    await shown.page.keyboard.press('Home');
    for (let depth = 0; depth < 4; depth++) await shown.page.keyboard.press('Alt+ArrowRight');
    await shown.page.getByRole('button', { name: 'Show all' }).click();
    await shown.page.waitForTimeout(1500);
    await take(shown, 'tree-dark');
    await shown.close();
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const missing = chromiumMissing();
if (missing !== undefined) throw new Error(missing);
const stage = await Stage.open();
try {
  await takeTree(stage);
} finally {
  await stage.close();
}
process.exit(0);
