// A Python with Ray for the tests of workers on a cluster: the one that is named, the machine's, or one that is made for the tests where
// a package index has it. That it cannot be had is told, and is no failure.
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const version = '2.58.0';
const folder = fileURLToPath(new URL('../../.cache/ray', import.meta.url));
const own = `${folder}/bin/python`;
/** Milliseconds for all of it. */
const limit = 150_000;

/** What a command prints; undefined where it fails or is late. */
function output(command, args, timeout) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout, killSignal: 'SIGKILL' });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => resolve(code === 0 ? text.trim() : undefined));
  });
}

const hasRay = async (python) => (await output(python, ['-c', 'import ray'], 60_000)) !== undefined;

/** @returns its path, undefined where there is none */
export async function rayPython() {
  const { COLA_RAY_PYTHON: named } = process.env;
  if (named !== undefined) return named;
  if (await hasRay('python3')) return 'python3';
  if (existsSync(own) && (await hasRay(own))) return own;
  const until = Date.now() + limit;
  rmSync(folder, { recursive: true, force: true });
  if ((await output('python3', ['-m', 'venv', folder], limit)) === undefined) return undefined;
  // Where a machine has an index of its own, that is the one to ask: others may be out of reach.
  const index = await output('python3', ['-m', 'pip', 'config', 'get', 'global.extra-index-url'], 10_000);
  const from = index === undefined || index === '' ? [] : ['--index-url', index.split(/\s+/)[0]];
  // What nobody imports need not be compiled: that is half of the time.
  const pip = [
    '-m',
    'pip',
    'install',
    '-q',
    '--no-compile',
    '--retries',
    '1',
    '--timeout',
    '10',
    ...from,
    `ray==${version}`,
  ];
  const made = await output(own, pip, Math.max(1, until - Date.now()));
  if (made !== undefined && (await hasRay(own))) return own;
  rmSync(folder, { recursive: true, force: true });
  return undefined;
}
