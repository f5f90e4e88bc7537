// From a fresh clone to a tuned model and a report: installs what is missing, builds, and runs `cola start`.
// Usage: npm start [-- options of cola start].
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(what, command, args) {
  console.error(`== ${what}`);
  const shell = process.platform === 'win32' && command === 'npm';
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell });
  if (status === 0) return;
  console.error(error === undefined ? `${what} failed.` : `${what} failed: ${error.message}`);
  process.exit(status ?? 1);
}

/** Whether node_modules is there and not older than the lock file. */
function installed() {
  const marker = join(root, 'node_modules/.package-lock.json');
  return existsSync(marker) && statSync(marker).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

if (!installed()) run('Installing', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
run('Building', process.execPath, ['scripts/build.mjs']);
console.error('== Tuning');
// Ctrl+C reaches the child too, which saves; this process waits for it.
process.on('SIGINT', () => {});
const child = spawn(process.execPath, ['--enable-source-maps', 'dist/cola.js', 'start', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
// What ends this process alone ends the child in the same way, which saves.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 130);
});
