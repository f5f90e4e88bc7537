/** Programs and packages that others wrote, and which a test uses where they are. COLA_PEER_PYTHON names a Python that has some. */
import { spawn, spawnSync } from 'node:child_process';
import { peerPython } from '../../bench/peer.ts';

/** Leaves a test out where a program or a package is not there, and says so. */
export function needs(context: Mocha.Context, what: string, command: string, args: readonly string[]): void {
  if (spawnSync(command, args, { stdio: 'ignore' }).status === 0) return;
  const why = command === peerPython ? 'has it not; COLA_PEER_PYTHON may name another' : 'is not here';
  console.log(`    Not tested: ${what}. ${command} ${why}.`);
  context.skip();
}

/** What a program writes; what is in this process goes on meanwhile. @throws Error with what it said, if it fails */
export function outputOf(
  command: string,
  args: readonly string[],
  { input = '', env = {} }: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { env: { ...process.env, ...env } });
    let out = '';
    let err = '';
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    child.on('error', failed);
    child.on('close', (code) => (code === 0 ? done(out) : failed(new Error(`${command} ended with ${code}: ${err}`))));
    child.stdin.end(input);
  });
}
