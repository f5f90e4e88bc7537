/** The catalogue of errors as one page of Markdown, read from the sources that declare it. */
import ts from 'typescript';
import type { Source } from '../layers/borders.ts';

interface Listed {
  readonly id: string;
  readonly sentence: string;
  readonly remedy: string;
}

/** Text of an expression that makes text: what is filled in stands in braces, under the name it has in the code. */
function textOf(node: ts.Expression, constants: ReadonlyMap<string, ts.Expression>): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.templateSpans.reduce(
      (text, { expression, literal }) => `${text}${textOf(expression, constants)}${literal.text}`,
      node.head.text,
    );
  if (ts.isIdentifier(node)) {
    const known = constants.get(node.text);
    return known === undefined ? `{${node.text}}` : textOf(known, constants);
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken)
    return textOf(node.left, constants) + textOf(node.right, constants);
  if (ts.isConditionalExpression(node))
    return [node.whenTrue, node.whenFalse]
      .map((way) => textOf(way, constants))
      .filter((way) => way !== '')
      .join(' / ');
  if (ts.isCallExpression(node) && node.expression.getText() === 't') {
    // `t('No {file} in {0}', values)`: a text that is translated.
    const [text, ...values] = node.arguments;
    return textOf(text, constants).replaceAll(/\{(\d+)\}/g, (_, at) => textOf(values[at], constants));
  }
  // The name of what is shown says more than how it is brought into words.
  const inner = ts.isCallExpression(node) ? node.arguments.find(ts.isIdentifier) : undefined;
  return inner === undefined ? '{…}' : `{${inner.text}}`;
}

/** What an entry returns: its array, also where it is computed in a block. */
function arrayOf(entry: ts.Expression): ts.ArrayLiteralExpression | undefined {
  if (!ts.isArrowFunction(entry)) return undefined;
  let found: ts.ArrayLiteralExpression | undefined;
  const visit = (node: ts.Node): void => {
    if (found !== undefined) return;
    const value = ts.isReturnStatement(node) ? node.expression : node;
    if (value !== undefined && ts.isArrayLiteralExpression(value) && value.elements.length >= 2) found = value;
    else ts.forEachChild(node, visit);
  };
  visit(entry.body);
  return found;
}

/** The errors that the sources declare, by id. */
export function errorsIn(sources: readonly Source[]): Listed[] {
  const listed: Listed[] = [];
  for (const { path, text } of sources) {
    if (!text.includes('catalogue(')) continue;
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const constants = new Map<string, ts.Expression>();
    const visit = (node: ts.Node): void => {
      if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined) {
        if (ts.isStringLiteralLike(node.initializer) || ts.isTemplateExpression(node.initializer))
          constants.set(node.name.text, node.initializer);
      }
      if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'catalogue') {
        const [area, entries] = node.arguments;
        if (ts.isStringLiteral(area) && ts.isObjectLiteralExpression(entries)) {
          for (const entry of entries.properties) {
            if (!ts.isPropertyAssignment(entry)) continue;
            const array = arrayOf(entry.initializer);
            if (array === undefined) throw new Error(`${path}: the entry ${entry.name.getText()} cannot be read`);
            const [sentence, remedy] = array.elements.map((element) => textOf(element, constants));
            listed.push({ id: `${area.text}.${entry.name.getText()}`, sentence, remedy });
          }
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return listed.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A page with a table an area. */
export function errorsPage(listed: readonly Listed[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const areas = [...new Set(listed.map(({ id }) => id.slice(0, id.indexOf('.'))))];
  const tables = areas.map((area) => {
    const rows = listed
      .filter(({ id }) => id.startsWith(`${area}.`))
      .map(({ id, sentence, remedy }) => `| \`${id}\` | ${cell(sentence)} | ${cell(remedy)} |`);
    return [`## ${area}`, '', '| id | what it says | what to do |', '|---|---|---|', ...rows].join('\n');
  });
  const head = `# Errors\n\nEvery error that a person can meet: its id, its sentence and the way out. What is filled in stands in braces. ${listed.length} in all. Written by \`npm run docs\`.\n\nExit codes of the command line: 0 good, 1 a check failed, 2 wrong input, 70 a mistake of ours, 130 interrupted, 143 and 129 ended by SIGTERM and SIGHUP, 74 the results could not be written. \`cola serve\` ends with 0 however it is told to end.`;
  return `${[head, ...tables].join('\n\n')}\n`;
}
