/**
 * `npx tsx scripts/pictures/places.ts`, after `npm run package`: what the list of latent actions offers at ten places of a file as
 * somebody would begin it, as one picture in the gallery.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endEditor } from '../../test/e2e/support/running.ts';
import { Session } from '../../test/e2e/support/session.ts';
import { end } from '../../test/e2e/support/workbench.ts';
import { root } from '../bundles.mjs';

const file = join(root, 'docs/gallery/places.webp');
const size = { width: 640, height: 620 };
const listHeight = 300;
/** Of each window; nothing stands below. */
const shown = { width: size.width, height: 450 };
const quality = 0.8;

const start = `import { readFile } from 'node:fs/promises';

interface Item {
  name: string;
  price: number;
}

`;
/** The file up to each place. */
const places = [
  'import { ',
  `${start.slice(0, -3)}  `,
  `${start}export function `,
  `${start}export async function load(path: string): Promise<Item[]> {\n  const text = await `,
  `${start}export function total(items: Item[]): number {\n  `,
  `${start}export function total(items: Item[]): number {\n  let sum = 0;\n  for (const item of items) {\n    `,
  `${start}export function find(items: Item[], name: string): Item {\n  for (const item of items) {\n    if (`,
  `${start}export function find(items: Item[], name: string): Item {\n  const found = items.`,
  `${start}export function find(items: Item[], name: string): Item {\n  throw new `,
  `${start}export function average(items: Item[]): number {\n  if (items.length === 0) return `,
];

const session = await Session.open({
  settings: {
    'files.associations': { '*.ts': 'typescript' },
    'workbench.activityBar.location': 'hidden',
    // The list lies over the beginning of the editor.
    'editor.padding.top': listHeight,
  },
});
try {
  const { workbench, page } = session;
  await page.setViewportSize(size);
  await page.keyboard.press('Control+B');
  const pictures: string[] = [];
  for (const [i, text] of places.entries()) {
    const name = `place-${i + 1}.ts`;
    session.write(name, text);
    await workbench.openFile(name, end);
    await workbench.command('CoLA: Pick Latent Action');
    await workbench.pick(/\d+ %/).nth(4).waitFor();
    await page.mouse.move(size.width - 5, size.height - 5);
    // What is good to know of the rows comes a little later.
    await page.waitForTimeout(1500);
    const rows = await workbench.quickInput.locator('.monaco-list-row').allInnerTexts();
    console.log(
      `${JSON.stringify(text.split('\n').at(-1))}\n${rows.map((row) => `  ${row.replace(/\s+/g, ' ')}`).join('\n')}`,
    );
    pictures.push((await page.screenshot({ clip: { x: 0, y: 0, ...shown } })).toString('base64'));
    await page.keyboard.press('Escape');
    await workbench.closeEditors();
  }
  const encoder = await session.running.newPage();
  const sheet = `(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: ${2 * shown.width}, height: ${5 * shown.height} });
    for (const [i, png] of ${JSON.stringify(pictures)}.entries()) {
      const image = new Image();
      image.src = 'data:image/png;base64,' + png;
      await image.decode();
      canvas.getContext('2d').drawImage(image, (i % 2) * ${shown.width}, Math.floor(i / 2) * ${shown.height});
    }
    return canvas.toDataURL('image/webp', ${quality});
  })()`;
  const url = await encoder.evaluate(sheet);
  writeFileSync(file, Buffer.from(String(url).split(',')[1] ?? '', 'base64'));
} catch (error) {
  await session.keepEvidence('places');
  throw error;
} finally {
  await endEditor();
}
process.exit(0);
