import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { readPromptFile } from '../../server/cli/prompt-file.ts';
import { scratchFolder } from '../store/scratch.ts';

describe('a prompt in a file', () => {
  const scratch = scratchFolder();
  const pipe = () => {
    execFileSync('mkfifo', [scratch('pipe')]);
    return scratch('pipe');
  };
  const never = new AbortController().signal;

  it('may be in a pipe, to which somebody is yet to write', async () => {
    const file = pipe();
    const asked = readPromptFile(file, never);
    // Behind a pause of its own, and in pieces.
    const script = 'sleep 0.1; exec > "$0"; printf "f\\303"; sleep 0.1; printf "\\274r all"';
    const writer = spawn('sh', ['-c', script, file], { stdio: 'ignore' });
    await once(writer, 'exit');
    assert.equal(await asked, 'für all');
  });

  it('is not waited for any more once the person has had enough', async () => {
    const stop = new AbortController();
    const asked = readPromptFile(pipe(), stop.signal);
    stop.abort();
    await assert.rejects(asked, { name: 'AbortError' });
  });

  it('is read whole, also where it is empty', async () => {
    for (const text of ['', 'a\nb']) {
      writeFileSync(scratch('text'), text);
      assert.equal(await readPromptFile(scratch('text'), never), text);
    }
  });
});
