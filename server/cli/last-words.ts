/**
 * What is said when a process dies without a word: the system ends it where memory runs out, and V8 where its own does. A
 * shell of a few hundred kilobytes waits at a pipe that closes with the process, and speaks unless it was told that all is well.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const shell = '/bin/sh';
/** Signals are for the process that is watched, which may take its time to save. */
const script = `trap '' INT TERM HUP; read -r word; [ "$word" = ended ] || printf '\\n%s\\n' "$1" >&2`;

/**
 * Has a sentence written to standard error, should this process die before it calls what is returned. Where there is no such
 * shell, or no process can be started, nothing will be said.
 */
export function lastWords(text: string): () => void {
  if (!existsSync(shell)) return () => {};
  const child = spawn(shell, ['-c', script, 'cola', text], { stdio: ['pipe', 'ignore', 'inherit'] });
  // Neither is worth an error of its own.
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.unref();
  (child.stdin as unknown as { unref?: () => void }).unref?.();
  return () => child.stdin.end('ended\n');
}
