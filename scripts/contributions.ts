/** Writes what package.json says of contributions, from `src/contributions`. Run by `npm run contributions`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { contributes, restrictedConfigurations } from '../src/contributions/manifest.ts';

const file = new URL('../package.json', import.meta.url);
const manifest = JSON.parse(readFileSync(file, 'utf8'));
manifest.capabilities.untrustedWorkspaces.restrictedConfigurations = restrictedConfigurations();
writeFileSync(file, `${JSON.stringify({ ...manifest, contributes: contributes() }, null, 2)}\n`);
