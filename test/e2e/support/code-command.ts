/** What the command `code` in a terminal of the editor asks of its window, asked in the same way: over the socket that the window listens at. */
import { readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';

/** Sockets of windows, the latest first; windows that are gone may have left some. */
const socketsIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => /^vscode-ipc-.*\.sock$/.test(name))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);

function ask(socketPath: string, what: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const asked = request({ socketPath, path: '/', method: 'POST', headers, timeout: 10_000 }, (response) => {
      response.resume();
      response.once('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`the window says ${response.statusCode}`)),
      );
    });
    asked.once('timeout', () => asked.destroy(new Error('the window does not answer')));
    asked.once('error', reject);
    asked.end(JSON.stringify(what));
  });
}

/**
 * `code --reuse-window --goto FILE:LINE:COLUMN`
 *
 * @param folder where windows listen
 * @param file its address, as `vscode-remote://…`
 * @param line from 1, as the column
 * @throws Error where no window listens or opens it
 */
export async function gotoInWindow(folder: string, file: string, line = 1, column = 1): Promise<void> {
  let reason = new Error('no window listens');
  for (const socket of socketsIn(folder)) {
    try {
      const fileURIs = [`${file}:${line}:${column}`];
      return await ask(socket, { type: 'open', fileURIs, folderURIs: [], forceReuseWindow: true, gotoLineMode: true });
    } catch (error) {
      reason = error as Error;
    }
  }
  throw reason;
}
