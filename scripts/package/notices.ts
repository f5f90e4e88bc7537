/** The licences of everything in a package that others wrote. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string().optional(),
  homepage: z.string().optional(),
});

/** @param folders of the packages, absolute */
export function notices(folders: readonly string[]): string {
  const entries = folders.map((folder) => {
    const { name, version, license, homepage } = manifest.parse(
      JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
    );
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|thirdpartynotice)/i.test(file));
    const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
    const head = `${name} ${version}, ${license ?? 'see below'}${homepage === undefined ? '' : `, ${homepage}`}`;
    return { name, text: [head, ...texts].join('\n\n') };
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const rule = `\n\n${'-'.repeat(80)}\n\n`;
  return `CoLA Studio contains these packages.${rule}${entries.map(({ text }) => text).join(rule)}\n`;
}
