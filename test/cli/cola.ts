/** Runs the command line in this process. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../server/cli/program.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `cola ARGS` in a folder, with pipes for streams unless `terminal`. */
export async function cola(
  args: readonly string[],
  options: { cwd?: string; signal?: AbortSignal; terminal?: boolean; lines?: readonly string[] } = {},
): Promise<Ran> {
  let [stdout, stderr] = ['', ''];
  const isTTY = options.terminal === true;
  const written = options.lines?.values();
  const code = await run(args, {
    stdout: { write: (text) => (stdout += text), isTTY },
    stderr: { write: (text) => (stderr += text), isTTY, columns: 80 },
    cwd: options.cwd ?? process.cwd(),
    ...(written && { lines: () => ({ next: async () => written.next().value, close() {} }) }),
    signal: options.signal ?? new AbortController().signal,
  });
  return { code, stdout, stderr };
}

/** Every file below a folder with its size, time and, where small, content. */
export function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isFile() !== true) return name;
      return `${name} ${stat.size} ${stat.mtimeMs} ${stat.size < 1e5 ? readFileSync(path, 'base64') : ''}`;
    });
}
