import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FeedbackLog, feedbackFile } from '../../server/feedback/log.ts';
import { makeFolder } from '../../server/files/place.ts';
import { Run } from '../../server/store/run.ts';
import { scratchFolder } from './scratch.ts';

describe('the folder .cola', () => {
  const scratch = scratchFolder();
  const ignored = (root: string) => readFileSync(join(root, '.cola', '.gitignore'), 'utf8');

  it('is ignored by git from its first day on, whatever makes it', async () => {
    makeFolder(scratch('a', '.cola', 'cache'));
    assert.equal(ignored(scratch('a')), '*\n');
    (await Run.create(scratch('b'), 'run', 'model: x\n')).close();
    assert.equal(ignored(scratch('b')), '*\n');
    const rejection = { kind: 'correction', moment: 'm', alternative: 0, reward: 1, time: 0 };
    new FeedbackLog(feedbackFile(scratch('c'))).append([rejection as never]);
    assert.equal(ignored(scratch('c')), '*\n');
  });

  it('keeps what a person decided', () => {
    const cola = scratch('d', '.cola');
    mkdirSync(cola, { recursive: true });
    makeFolder(join(cola, 'runs'));
    assert.ok(!existsSync(join(cola, '.gitignore')));
    writeFileSync(join(cola, '.gitignore'), 'cache\n');
    makeFolder(join(cola, 'cache'));
    assert.equal(ignored(scratch('d')), 'cache\n');
  });

  it('is not looked for above other folders', () => {
    makeFolder(scratch('e', 'cache'));
    assert.ok(!existsSync(scratch('e', '.gitignore')) && !existsSync(scratch('e', '.cola')));
  });
});
