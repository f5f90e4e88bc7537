/** Finding the code in a completion. */

interface Block {
  language: string;
  code: string;
  closed: boolean;
}

const opening = /^[ \t]*(`{3,}|~{3,})[ \t]*([\w+#-]*)/;
const languages = new Set(['', 'ts', 'js', 'typescript', 'javascript', 'mjs', 'cjs', 'mts', 'cts']);

function blocks(text: string): Block[] {
  const found: Block[] = [];
  let fence = '';
  let language = '';
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    if (fence === '') {
      const match = opening.exec(line);
      if (!match) continue;
      fence = match[1] ?? '';
      language = (match[2] ?? '').toLowerCase();
      lines = [];
    } else if (line.trim().startsWith(fence) && line.trim().replaceAll(fence.charAt(0), '') === '') {
      found.push({ language, code: lines.join('\n'), closed: true });
      fence = '';
    } else lines.push(line);
  }
  if (fence !== '') found.push({ language, code: lines.join('\n'), closed: false });
  return found;
}

/**
 * The code of a completion: its last fenced block in JavaScript, TypeScript or no named language; a block left open counts
 * only if there is no other. Without any fence the whole text is the code.
 */
export function fencedCode(text: string): string {
  const all = blocks(text);
  const usable = all.filter(({ language }) => languages.has(language));
  const chosen = usable.findLast(({ closed }) => closed) ?? usable.at(-1);
  return chosen?.code ?? (all.length === 0 ? text : '');
}
