/** Makes `assets/icon.png`, which the gallery shows, from `assets/icon.svg`: the same drawing, light on the colour of the banner. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchChromium } from '../test/support/page-in-chromium.ts';

const root = join(import.meta.dirname, '..');
const size = 256;
const { galleryBanner } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const browser = await launchChromium();
try {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const drawing = readFileSync(join(root, 'assets/icon.svg'), 'utf8');
  await page.setContent(`<style>
    body { margin: 0 }
    div { box-sizing: border-box; width: ${size}px; height: ${size}px; padding: 36px; border-radius: 44px;
      color: #ffffff; background: ${galleryBanner.color} }
    svg { width: 100%; height: 100% }
  </style><div>${drawing}</div>`);
  await page.screenshot({ path: join(root, 'assets/icon.png'), omitBackground: true });
} finally {
  await browser.close();
}
