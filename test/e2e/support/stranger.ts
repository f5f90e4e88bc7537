/** Folders as people have them, of other makers than us. */
import { cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../../../scripts/bundles.mjs';

const write = (folder: string, path: string, content: string | Uint8Array): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};

/**
 * A TypeScript project: sources of a published package, what a compiler made of them, packages that are installed, a minified
 * script, a picture, and a file from the days of Latin-1. There is no .gitignore.
 *
 * @returns the sources
 */
export function typescriptProject(folder: string): string[] {
  const zod = join(root, 'node_modules/zod');
  // As many as people have, but none that takes long to read.
  const sources = readdirSync(join(zod, 'src/v4/core')).filter(
    (name) => name.endsWith('.ts') && statSync(join(zod, 'src/v4/core', name)).size < 10_000,
  );
  for (const name of sources) cpSync(join(zod, 'src/v4/core', name), join(folder, 'src', name));
  for (const name of readdirSync(join(zod, 'v4/core')).filter((each) => /\.js$|\.d\.ts$/.test(each)))
    cpSync(join(zod, 'v4/core', name), join(folder, 'dist', name));
  cpSync(join(root, 'node_modules/ignore'), join(folder, 'node_modules/ignore'), { recursive: true });
  write(folder, 'package.json', '{ "name": "shapes", "version": "1.0.0", "type": "module" }\n');
  write(folder, 'tsconfig.json', '{ "compilerOptions": { "outDir": "dist", "strict": true }, "include": ["src"] }\n');
  write(folder, 'README.md', '# Shapes\n\nSays what a value looks like, and checks it.\n');
  write(folder, 'public/app.js', `${'function a(b){return b+1}'.repeat(400)}\n`);
  write(folder, 'public/logo.png', Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]));
  write(folder, 'src/legacy.ts', Buffer.from("// Z\xfcrich\nexport const city = 'Z\xfcrich';\n", 'latin1'));
  return sources;
}

/** Questions in the form of GSM8K: the working, its sums in brackets, and the answer behind four signs. */
export function schoolQuestions(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const [boxes, each] = [2 + (i % 7), 3 + (i % 5)];
    const all = boxes * each;
    return {
      question: `Nadia has ${boxes} boxes with ${each} pens in each. She gives ${1 + (i % 3)} pens away. How many are left?`,
      answer: `There are ${boxes} * ${each} = <<${boxes}*${each}=${all}>>${all} pens.\n#### ${all - 1 - (i % 3)}`,
    };
  });
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
