/** Which run a command is about, and where it lies. */
import { Uri } from 'vscode';
import { type RunKey, runKey } from '../../server/protocol/index.ts';

export function folderOf({ root, run }: RunKey): Uri {
  return Uri.joinPath(Uri.file(root), '.cola', 'runs', run);
}

/** A run that a command was given: an entry of the view, or a key. */
export function keyFrom(target: unknown): RunKey | undefined {
  if (typeof target !== 'object' || target === null || !('root' in target) || !('run' in target)) return undefined;
  return runKey.safeParse({ root: target.root, run: target.run }).data;
}
