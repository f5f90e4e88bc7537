/** Where the parts of `nano` are, and commands that make and measure them. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Everything that making the model leaves behind, relative to the root of the project. */
export const WORK = join('.cache', 'model');
/** The model in the box. */
export const BOX = join('assets', 'nano');
/** All figures of the card. */
export const MEASURED = join(WORK, 'measured.json');

/** Runs a program with its output shown. @throws where it does not end well */
export async function perform(program: string, args: readonly string[]): Promise<void> {
  process.stderr.write(`$ ${program} ${args.join(' ')}\n`);
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  await ended(child, program, args);
}

/** Runs a program and returns what it printed. @throws where it does not end well */
export async function output(program: string, args: readonly string[]): Promise<string> {
  process.stderr.write(`$ ${program} ${args.join(' ')}\n`);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed] = await Promise.all([text(child.stdout), ended(child, program, args)]);
  return printed;
}

function ended(child: ReturnType<typeof spawn>, program: string, args: readonly string[]): Promise<void> {
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('exit', (code) =>
      code === 0 ? done() : fail(new Error(`${program} ${args.join(' ')} ended with ${code}`)),
    );
  });
}

/** `cola ARGS` of the built command line. */
export const colaArguments = (args: readonly string[]) => ['--enable-source-maps', join('dist', 'cola.js'), ...args];
/** A script of this project. */
export const scriptArguments = (script: string, args: readonly string[] = []) => [
  '--import',
  'tsx',
  join('scripts', script),
  ...args,
];
