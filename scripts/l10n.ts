/** The texts of the extension that are translated: the first arguments of `t`, read from the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Sources of the extension, parsed. Contributions are translated by package.nls.json. */
export function extensionSources(): ts.SourceFile[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.startsWith('contributions/'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, 'src', path), 'utf8');
      return ts.createSourceFile(`src/${path}`, text, ts.ScriptTarget.ESNext, true);
    });
}

export const isTranslated = (node: ts.Node): node is ts.CallExpression =>
  ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 't';

/** Where a node stands, for a message. */
export const placeOf = (node: ts.Node): string => {
  const file = node.getSourceFile();
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
};

/** Every text once, in the order of the alphabet, with the first place where it stands. @throws Error where a text is not written out */
export function textsIn(sources = extensionSources()): { readonly text: string; readonly place: string }[] {
  const found = new Map<string, string>();
  const visit = (node: ts.Node): void => {
    if (isTranslated(node)) {
      const [text] = node.arguments;
      if (!ts.isStringLiteralLike(text)) throw new Error(`${placeOf(node)}: what t is given is not written out`);
      if (!found.has(text.text)) found.set(text.text, placeOf(node));
    }
    ts.forEachChild(node, visit);
  };
  for (const source of sources) visit(source);
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...found].map(([text, place]) => ({ text, place })).sort((a, b) => order(a.text, b.text));
}
