/** What a package consists of, for programs: a bill of materials in CycloneDX 1.6. The same parts give the same bytes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { root } from './bundle.ts';
import type { Part } from './licences.ts';

const lockFile = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })),
});
const own = z.object({ name: z.string(), version: z.string(), license: z.string() });

/** Hashes of packages as the registry gave them, by name and version. */
function integrities(): Map<string, string> {
  const { packages } = lockFile.parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')));
  const found = new Map<string, string>();
  for (const [path, { version, integrity }] of Object.entries(packages)) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (version !== undefined && integrity?.startsWith('sha512-') === true)
      found.set(`${name}@${version}`, Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex'));
  }
  return found;
}

/** @see https://github.com/package-url/purl-spec: the at sign of a scope is written as %40 */
const urlOf = (name: string, version: string) => `pkg:npm/${name.replace('@', '%40')}@${version}`;

const licences = (license: string) =>
  /[ ()]/.test(license) ? [{ expression: license }] : [{ license: { id: license } }];

/** What is linked into the libraries of ONNX Runtime, by the headings of its notices. */
function linked({ name, version, texts }: Part): object[] {
  const text = texts.find((each) => each.startsWith('THIRD PARTY SOFTWARE NOTICES'));
  if (name !== 'onnxruntime-node' || text === undefined) return [];
  const headings = text
    .split(/^_{5,}\s*$/m)
    .slice(1)
    .map((section) => section.trim().split('\n')[0].split(',')[0].trim());
  return [...new Set(headings)]
    .filter((heading) => heading !== '')
    .map((heading) => ({
      type: 'library',
      'bom-ref': `${urlOf(name, version)}#${encodeURIComponent(heading)}`,
      name: heading,
    }));
}

/** @param parts what others wrote */
export function billOf(parts: readonly Part[]): string {
  const { name, version, license } = own.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const hashes = integrities();
  const components = parts.map((part) => {
    const url = urlOf(part.name, part.version);
    const content = hashes.get(`${part.name}@${part.version}`);
    if (content === undefined) throw new Error(`package-lock.json has no hash of ${part.name} ${part.version}`);
    const inside = linked(part);
    return {
      type: 'library',
      'bom-ref': url,
      name: part.name,
      version: part.version,
      hashes: [{ alg: 'SHA-512', content }],
      licenses: licences(part.license),
      purl: url,
      ...(inside.length === 0 ? {} : { components: inside }),
    };
  });
  const reference = `${name}@${version}`;
  const body = {
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': reference, name, version, licenses: licences(license) },
    },
    components,
    dependencies: [{ ref: reference, dependsOn: components.map((component) => component['bom-ref']) }],
  };
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  // A name-based UUID (version 8) instead of a random one, so that the same parts have the same.
  const uuid = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
  const bill = { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber: `urn:uuid:${uuid}`, ...body };
  return `${JSON.stringify(bill, null, 2)}\n`;
}
