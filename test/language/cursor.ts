/** Texts with a bar where the cursor is. */
import type { Position } from 'vscode-languageserver';

export function atCursor(marked: string): [text: string, position: Position] {
  const offset = marked.indexOf('|');
  const before = marked.slice(0, offset).split('\n');
  return [
    marked.slice(0, offset) + marked.slice(offset + 1),
    { line: before.length - 1, character: before[before.length - 1].length },
  ];
}
