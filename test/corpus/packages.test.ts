import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  checkAuthors,
  kindOf,
  peopleOf,
  readManifest,
  readPackageList,
  wantedFiles,
} from '../../scripts/corpus/packages.ts';

const integrity = 'sha512-';

describe('corpus packages', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'corpus-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }

  it('are pinned to exact versions, at most sixty, none twice', async () => {
    const { train, heldout } = await readPackageList();
    const all = [...train, ...heldout];
    assert.ok(all.length <= 60);
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
    for (const { version } of all) assert.match(version, /^\d+\.\d+\.\d+$/);
  });

  it('name everyone behind a package: people, scope and the owner of the repository', () => {
    const manifest = {
      license: 'MIT',
      author: 'Ann Lee <ann@example.org> (https://example.org)',
      contributors: [{ name: 'Bo' }, {}],
      repository: { url: 'git+https://github.com/Owner/thing.git' },
    };
    assert.deepEqual([...peopleOf('@scope/thing', manifest)], ['ann lee', 'bo', 'owner', 'scope']);
    assert.deepEqual([...peopleOf('@types/thing', manifest)], ['ann lee', 'bo']);
    const repository = 'https://github.com/owner/thing/tree/main/packages/part';
    assert.deepEqual([...peopleOf('part', { license: 'MIT', repository })], ['owner']);
  });

  it('may not share an author between training and evaluation', () => {
    const by = (author: string) => ({ license: 'MIT', author });
    const train = { split: 'train' as const, name: 'a', manifest: by('Ann') };
    assert.throws(() => checkAuthors([train, { split: 'heldout', name: 'b', manifest: by('ann') }]), {
      id: 'corpus.sharedAuthors',
    });
    checkAuthors([
      train,
      { split: 'train', name: 'c', manifest: by('Ann') },
      { split: 'heldout', name: 'b', manifest: by('Bo') },
    ]);
  });

  it('must have the licence they are pinned with', async () => {
    await write('package.json', JSON.stringify({ license: 'GPL-3.0' }));
    const entry = { name: 'a', version: '1.0.0', integrity, licence: 'MIT' as const };
    await assert.rejects(readManifest(entry, folder), { id: 'corpus.licence' });
    await write('package.json', JSON.stringify({ license: 'MIT' }));
    assert.equal((await readManifest(entry, folder)).license, 'MIT');
  });

  it('give sources and documents once, without builds, translations and change logs', async () => {
    for (const path of [
      'README.md',
      'CHANGELOG.md',
      'src/a.ts',
      'src/a.d.ts',
      'src/locale/de.ts',
      'lib/b.js',
      'lib/b.cjs',
      'lib/c.mjs',
    ]) {
      await write(path, 'x');
    }
    await write('dist/a.js', 'x');
    await write('src/a.min.js', 'x');
    const entry = { name: 'a', version: '1.0.0', integrity, licence: 'MIT' as const, include: ['src/', 'lib/'] };
    const files = await wantedFiles(entry, folder);
    assert.deepEqual(
      files.map(({ path }) => path),
      ['README.md', 'lib/b.js', 'lib/c.mjs', 'src/a.ts'],
    );
    const declared = await wantedFiles({ ...entry, declarations: true, exclude: ['lib/'] }, folder);
    assert.deepEqual(
      declared.map(({ path, kind }) => `${kind} ${path}`),
      ['md README.md', 'ts src/a.d.ts', 'ts src/a.ts'],
    );
    assert.equal(kindOf('a.css', true), undefined);
  });
});
