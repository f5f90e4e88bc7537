/** The licence texts of everything in a package: those that packages carry, and those that are kept here for the rest. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  homepage: z.string().optional(),
});

/** A package that somebody else wrote and that is in ours. */
export interface Part extends z.infer<typeof manifest> {
  readonly texts: readonly string[];
}

const keptFolder = join(import.meta.dirname, 'licences');
const kept = z
  .array(
    z.strictObject({
      /** Versions, by name, that the text was looked at for. */
      packages: z.record(z.string(), z.string()),
      file: z.string(),
      source: z.string(),
    }),
  )
  .parse(JSON.parse(readFileSync(join(keptFolder, 'kept.json'), 'utf8')));

const carried = /^(licen[cs]e|copying|notice|third-?party-?notice)/i;

/**
 * @param folders of the packages, absolute
 * @throws an error that names every package without a text, and every kept text that is of another version
 */
export function partsOf(folders: readonly string[]): Part[] {
  const missing: string[] = [];
  const parts = folders.map((folder) => {
    const about = manifest.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
    const files = readdirSync(folder).filter((file) => carried.test(file));
    const texts = files.sort().map((file) => readFileSync(join(folder, file), 'utf8').trim());
    for (const { packages, file } of kept) {
      const { [about.name]: version } = packages;
      if (version === undefined) continue;
      if (version === about.version) texts.push(readFileSync(join(keptFolder, file), 'utf8').trim());
      else missing.push(`${about.name} ${about.version}: the kept text ${file} is of ${version}`);
    }
    if (!texts.some((text) => text.length > 100)) missing.push(`${about.name} ${about.version}`);
    return { ...about, texts };
  });
  if (missing.length > 0)
    throw new Error(
      `No licence text for ${missing.join('; ')}. Add it to scripts/package/licences, see its README.md.`,
    );
  return parts.sort((a, b) => order(`${a.name} ${a.version}`, `${b.name} ${b.version}`));
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Libraries that ONNX Runtime's package carries for Windows without their licence texts: they are not passed on. Its own library
 * loads DirectML only when that is asked for, and the shader compiler not at all before; see docs/platforms.md.
 */
const foreign = /^(DirectML|dxil|dxcompiler)\.dll$/i;

/** Whether a library of the runtime may be passed on. */
export const mayPassOn = (library: string): boolean => !foreign.test(library);

/** All texts, in one. */
export function notices(parts: readonly Part[]): string {
  const rule = `\n\n${'-'.repeat(80)}\n\n`;
  const entries = parts.map(({ name, version, license, homepage, texts }) =>
    [`${name} ${version}, ${license}${homepage === undefined ? '' : `, ${homepage}`}`, ...texts].join('\n\n'),
  );
  return `CoLA Studio contains these packages.${rule}${entries.join(rule)}\n`;
}
