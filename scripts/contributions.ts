/**
 * Writes what package.json says of contributions, from `src/contributions`, and the texts to translate: `package.nls.json` those of
 * package.json, `l10n/bundle.l10n.json` those of the extension. Run by `npm run contributions`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { localized, restrictedConfigurations } from '../src/contributions/manifest.ts';
import { textsIn } from './l10n.ts';

const at = (path: string) => new URL(`../${path}`, import.meta.url);
const write = (path: string, value: unknown) => writeFileSync(at(path), `${JSON.stringify(value, null, 2)}\n`);

const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8'));
const { contributes, capabilities, texts } = localized();
const { untrustedWorkspaces, virtualWorkspaces } = manifest.capabilities;
untrustedWorkspaces.restrictedConfigurations = restrictedConfigurations();
untrustedWorkspaces.description = capabilities.untrustedWorkspaces;
virtualWorkspaces.description = capabilities.virtualWorkspaces;
write('package.json', { ...manifest, contributes });
write('package.nls.json', texts);
mkdirSync(at('l10n'), { recursive: true });
write('l10n/bundle.l10n.json', Object.fromEntries(textsIn().map(({ text }) => [text, text])));
