import assert from 'node:assert/strict';
import { folderNames } from '../../src/folder-names.ts';
import { mayBeModel } from '../../src/runs/model-path.ts';
import { tagCounts, taggedWith } from '../../src/runs/run-filter.ts';

const runs = [
  { run: 'a', note: 'half the rate #baseline #short' },
  { run: 'b', note: '#baseline, again #baseline' },
  { run: 'c', note: 'nothing of note' },
  { run: 'd', note: '#short' },
  { run: 'e', note: '#short #base' },
];
const names = (tags: string[]) => taggedWith(runs, tags).map(({ run }) => run);

describe('lists of runs', () => {
  it('count their tags, the most used first', () => {
    assert.deepEqual(tagCounts(runs), [
      { tag: '#short', runs: 3 },
      { tag: '#baseline', runs: 2 },
      { tag: '#base', runs: 1 },
    ]);
    assert.deepEqual(tagCounts([]), []);
  });

  it('are filtered by whole tags, all of those that are asked for', () => {
    assert.deepEqual(names(['#baseline']), ['a', 'b']);
    assert.deepEqual(names(['#baseline', '#short']), ['a']);
    assert.deepEqual(names(['#base']), ['e']);
    assert.deepEqual(names([]), ['a', 'b', 'c', 'd', 'e']);
  });
});

describe('what comes and goes in folders of runs', () => {
  it('is of the list of models only where it may be a model', () => {
    const may = ['runs/a', 'runs/a/model', 'runs/a/model/config.json', 'runs/a/model/base/config.json'];
    const cannot = ['runs/a/metrics.jsonl', 'runs/a/checkpoints/8', 'runs/a/models', 'runs/a/data/model', 'searches/a'];
    const found = [...may, ...cannot].filter((path) => mayBeModel(`/p/.cola/${path}`));
    assert.deepEqual(found, may);
  });
});

describe('folders of a workspace', () => {
  const called = (...folders: [string, string][]) => [
    ...folderNames(folders.map(([name, path]) => ({ name, path }))).values(),
  ];

  it('are called by their names', () => {
    assert.deepEqual(called(['web', '/home/me/web'], ['server', '/home/me/server']), ['web', 'server']);
  });

  it('with one name are told apart by as much of the path as that takes', () => {
    assert.deepEqual(called(['app', '/home/me/old/app'], ['app', '/home/me/new/app'], ['docs', '/home/me/docs']), [
      'old/app',
      'new/app',
      'docs',
    ]);
    assert.deepEqual(called(['app', '/a/x/app'], ['app', '/b/x/app']), ['/a/x/app', '/b/x/app']);
    assert.deepEqual(called(['app', 'C:\\old\\app'], ['app', 'C:\\new\\app']), ['old/app', 'new/app']);
    // The editor lets a person give two folders the same name.
    assert.deepEqual(called(['same', '/home/me/all/one'], ['same', '/home/me/all/two']), ['all/one', 'all/two']);
  });
});
