import assert from 'node:assert/strict';
import { cliErrors } from '../../server/cli/errors.ts';
import { Output } from '../../server/cli/io.ts';
import { Session } from '../../server/cli/session.ts';

/** Clears the screen, sets the title, fills the clipboard; in the characters of C1 as well. */
const evil = 'a\u001b[2J\u001b]0;title\u0007\u001b]52;c;Y3VybA==\u0007\rb\u009b31m\u007f\tc\r\nd';
const shown = 'a␛[2J␛]0;title␇␛]52;c;Y3VybA==␇␍b�31m␡\tc\nd';

describe('what a model, a file or a server wrote', () => {
  const said = (isTTY: boolean, use: (session: Session) => void) => {
    let [out, err] = ['', ''];
    const stdout = { write: (text: string) => (out += text), isTTY };
    const stderr = { write: (text: string) => (err += text), isTTY };
    use(new Session({ stdout, stderr, cwd: '/', signal: new AbortController().signal }));
    return { out, err };
  };

  it('tells a terminal nothing but its text, as a result, a note, progress and an error', () => {
    const { out, err } = said(true, (session) => {
      const output = new Output(session.io, false);
      output.write(evil);
      output.table([[evil]]);
      output.note(evil);
      session.fail(cliErrors.noIds(evil), false);
      session.fail(new Error(evil), false);
    });
    assert.equal(out, `${shown}${shown}\n`);
    assert.ok(err.startsWith(`${shown}\n`), err);
    assert.equal(/[^\P{Cc}\n\t]/u.test(err), false);
    const bar = said(true, ({ io }) => new Output(io, false).startProgress('x', 2).update(2, evil)).err;
    assert.ok(
      bar.startsWith('\r\u001b[K') && !/\p{Cc}/u.test(bar.slice(4).replaceAll(/[\n\t]/g, '')),
      JSON.stringify(bar),
    );
  });

  it('goes to a file or another program as it is, and as JSON has the same value everywhere', () => {
    const { out, err } = said(false, (session) => {
      const output = new Output(session.io, false);
      output.write(evil);
      output.note(evil);
    });
    assert.deepEqual([out, err], [evil, `${evil}\n`]);
    const json = said(true, ({ io }) => new Output(io, true).result({ evil })).out;
    assert.equal(/[^\P{Cc}\n]/u.test(json), false);
    assert.deepEqual(JSON.parse(json), { evil });
  });
});
