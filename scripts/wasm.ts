/** Assembles server/train/optimizer/adamw.wat into a module that needs no assembler. Run by `npm run wasm`. */
import { readFileSync, writeFileSync } from 'node:fs';
import initialise from 'wabt';

const here = (path: string) => new URL(`../server/train/optimizer/${path}`, import.meta.url);

/** The source of adamw-module.ts. */
export async function adamwModule(): Promise<string> {
  const wabt = await initialise();
  const parsed = wabt.parseWat('adamw.wat', readFileSync(here('adamw.wat'), 'utf8'), { simd: true });
  const { buffer } = parsed.toBinary({});
  const base64 = Buffer.from(buffer).toString('base64');
  const lines = base64.match(/.{1,100}/g) ?? [];
  return [
    '/** adamw.wat, assembled by `npm run wasm`. */',
    'export const adamwModule =',
    `${lines.map((line) => `  '${line}'`).join(' +\n')};`,
    '',
  ].join('\n');
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(here('adamw-module.ts'), await adamwModule());
