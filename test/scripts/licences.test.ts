import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { bundle, packagesOf, root } from '../../scripts/package/bundle.ts';
import { notices, type Part, partsOf } from '../../scripts/package/licences.ts';
import { billOf } from '../../scripts/package/sbom.ts';

/** What CycloneDX 1.6 demands of the parts that are written, and no property beside them. */
const licences = z.array(
  z.union([
    z.strictObject({ license: z.strictObject({ id: z.string().regex(/^[\w.+-]+$/) }) }),
    z.strictObject({ expression: z.string().min(1) }),
  ]),
);
const component = z.strictObject({
  type: z.enum(['application', 'library']),
  'bom-ref': z.string().min(1),
  name: z.string().min(1),
  version: z.string().optional(),
  hashes: z
    .array(z.strictObject({ alg: z.literal('SHA-512'), content: z.string().regex(/^[a-f0-9]{128}$/) }))
    .optional(),
  licenses: licences.optional(),
  purl: z.string().startsWith('pkg:npm/').optional(),
  components: z
    .array(z.strictObject({ type: z.literal('library'), 'bom-ref': z.string().min(1), name: z.string().min(1) }))
    .optional(),
});
const bill = z.strictObject({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.6'),
  serialNumber: z.string().regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
  version: z.int().min(1),
  metadata: z.strictObject({ component }),
  components: z.array(component),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

describe('licences in the package', () => {
  let scratch = '';
  let parts: Part[] = [];
  before(async function () {
    this.timeout(120_000);
    scratch = mkdtempSync(join(tmpdir(), 'cola-licences-'));
    const bundled = packagesOf(await bundle(join(scratch, 'dist')));
    const others = ['onnxruntime-node', 'onnxruntime-common', 'typescript'].map((name) => `node_modules/${name}`);
    parts = partsOf([...bundled, ...others].map((name) => join(root, name)));
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  it('have a text for every package, those within scripts of workers too, and for what is linked into ONNX Runtime', () => {
    const names = parts.map(({ name }) => name);
    for (const name of ['yaml', 'uplot', 'onnxruntime-node', 'typescript', '@microsoft/fast-element'])
      assert.ok(names.includes(name), `${name} in ${names.join(', ')}`);
    for (const { name, texts } of parts) assert.match(texts.join('\n'), /copyright|licen[cs]e/i, name);
    const text = notices(parts);
    for (const linked of ['protocolbuffers/protobuf', 'curl/curl', 'Dawn & Tint Authors', 'Eigen'])
      assert.ok(text.includes(linked), linked);
  });

  it('are demanded: a package without a text, or a kept text of another version, stops it', () => {
    const own = join(scratch, 'bare');
    mkdirSync(own);
    const about = { name: 'bare', version: '1.0.0', license: 'MIT' };
    writeFileSync(join(own, 'package.json'), JSON.stringify(about));
    assert.throws(() => partsOf([own]), /No licence text for bare 1\.0\.0/);
    writeFileSync(join(own, 'LICENSE'), readFileSync(join(root, 'LICENSE')));
    assert.equal(partsOf([own]).length, 1);
    const newer = join(scratch, 'newer');
    cpSync(join(root, 'node_modules/onnxruntime-common/package.json'), join(newer, 'package.json'));
    writeFileSync(
      join(newer, 'package.json'),
      JSON.stringify({ ...about, name: 'onnxruntime-common', version: '9.9.9' }),
    );
    assert.throws(() => partsOf([newer]), /onnxruntime-common 9\.9\.9: the kept text onnxruntime\.txt is of/);
  });

  it('come with a bill of materials that names every package once, and is the same every time', () => {
    const text = billOf(parts);
    const { components, dependencies } = bill.parse(JSON.parse(text));
    const references = components
      .flatMap(({ components: inside = [], ...each }) => [each, ...inside])
      .map((each) => each['bom-ref']);
    assert.equal(new Set(references).size, references.length);
    assert.deepEqual(
      components.map(({ name, version }) => `${name} ${version}`),
      parts.map(({ name, version }) => `${name} ${version}`),
    );
    assert.deepEqual(
      dependencies[0].dependsOn,
      components.map((each) => each['bom-ref']),
    );
    assert.ok((components.find(({ name }) => name === 'onnxruntime-node')?.components?.length ?? 0) > 40);
    assert.equal(billOf(parts), text);
  });
});
