import ts from 'typescript';

/** What TypeScript's own parser and checker say about a candidate, and the rewriting of candidate and tests into scripts. */

const target = ts.ScriptTarget.ES2022;

function transpile(source: string): { code: string; parses: boolean } {
  const { outputText, diagnostics = [] } = ts.transpileModule(source, {
    fileName: 'candidate.ts',
    reportDiagnostics: true,
    compilerOptions: { target, module: ts.ModuleKind.ESNext, removeComments: false },
  });
  const parses = !diagnostics.some(({ category }) => category === ts.DiagnosticCategory.Error);
  return { code: outputText, parses };
}

/**
 * The share of `code` before its first syntax error when it goes on after `before`; 1 if there is none, or if the only
 * errors are that it ends too early. What was wrong before it began does not count against it.
 */
export function parsedShare(before: string, code: string): number {
  const text = (before + code).trimEnd();
  const begin = before.length;
  if (text.length <= begin) return 1;
  try {
    const errors = errorStarts(text).filter((start) => start < text.length);
    const wasSound = () => errorStarts(before).every((start) => start >= before.trimEnd().length);
    if (errors.some((start) => start < begin) && wasSound()) return 0;
    const first = errors.find((start) => start >= begin);
    return first === undefined ? 1 : (first - begin) / (text.length - begin);
  } catch (error) {
    if (error instanceof RangeError) return 0;
    throw error;
  }
}

/** Where the syntax errors begin, in order. */
function errorStarts(source: string): number[] {
  const { diagnostics = [] } = ts.transpileModule(source, {
    fileName: 'candidate.ts',
    reportDiagnostics: true,
    compilerOptions: { target, module: ts.ModuleKind.ESNext },
  });
  return diagnostics.map(({ start = 0 }) => start).sort((a, b) => a - b);
}

function modifiersOf(statement: ts.Statement): readonly ts.Modifier[] {
  return ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
}

/** Turns a module into a script by taking out its export words, so that tests see its top level. */
function withoutExports(source: string): string {
  const file = ts.createSourceFile('candidate.ts', source, target, true);
  const cuts: { start: number; end: number; text: string }[] = [];
  for (const statement of file.statements) {
    const start = statement.getStart(file);
    if (ts.isExportDeclaration(statement) && !statement.moduleSpecifier) {
      cuts.push({ start, end: statement.end, text: ';' });
    } else if (ts.isExportAssignment(statement) && !statement.isExportEquals) {
      cuts.push({ start, end: statement.expression.getStart(file), text: 'var _default = ' });
    } else {
      const words = modifiersOf(statement).filter(
        ({ kind }) => kind === ts.SyntaxKind.ExportKeyword || kind === ts.SyntaxKind.DefaultKeyword,
      );
      const [first] = words;
      const last = words.at(-1);
      if (!first || !last) continue;
      const nameless =
        (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && statement.name === undefined;
      cuts.push({ start: first.getStart(file), end: last.end, text: nameless ? 'var _default = ' : '' });
    }
  }
  return cuts.reduceRight((text, cut) => text.slice(0, cut.start) + cut.text + text.slice(cut.end), source);
}

/** The candidate as a script, and whether it parsed as it was written. */
export function candidateScript(source: string): { parses: boolean; script: string } {
  try {
    const { parses } = transpile(source);
    return parses ? { parses, script: transpile(withoutExports(source)).code } : { parses, script: '' };
  } catch (error) {
    // Thousands of nested brackets exhaust the parser's stack.
    if (error instanceof RangeError) return { parses: false, script: '' };
    throw error;
  }
}

/** Names of the helpers that tests may call. */
export const testHelpers = ['assert', 'equal', 'notEqual', 'near', 'throws', 'rejects'] as const;
const helperNames: ReadonlySet<string> = new Set(testHelpers);

function calls(node: ts.Node): { helper: boolean; awaits: boolean } {
  const found = { helper: false, awaits: false };
  const visit = (inner: ts.Node, nested: boolean): void => {
    if (ts.isCallExpression(inner)) {
      const root = ts.isPropertyAccessExpression(inner.expression) ? inner.expression.expression : inner.expression;
      if (ts.isIdentifier(root) && helperNames.has(root.text)) found.helper = true;
    }
    if (!nested && (ts.isAwaitExpression(inner) || (ts.isForOfStatement(inner) && inner.awaitModifier))) {
      found.awaits = true;
    }
    const deeper = nested || ts.isFunctionLike(inner);
    ts.forEachChild(inner, (child) => visit(child, deeper));
  };
  visit(node, false);
  return found;
}

/**
 * Rewrites tests into one function expression that takes the helpers and `begin`, `pass`, `fail`. Every top-level statement
 * that calls a helper is one test; the others (declarations, set-up) run in place. `pass(i)` stands behind the statement, so
 * it is reached only when nothing in it threw.
 *
 * @returns undefined when the tests do not parse; `total` is the number of tests
 */
export function testScript(source: string): { script: string; total: number } | undefined {
  const { code, parses } = transpile(source);
  if (!parses) return undefined;
  const file = ts.createSourceFile('tests.js', code, target, true);
  let total = 0;
  let awaits = false;
  const lines = file.statements.map((statement) => {
    const text = statement.getText(file);
    if (ts.isExportDeclaration(statement)) return '';
    const found = calls(statement);
    awaits ||= found.awaits;
    const declares =
      ts.isVariableStatement(statement) || ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement);
    if (!found.helper || declares) return text;
    const i = total;
    total += 1;
    return `try { begin__(); ${text}\n pass__(${i}); } catch (error__) { }`;
  });
  const parameters = [...testHelpers, 'begin__', 'pass__'].join(', ');
  const script = `(${awaits ? 'async ' : ''}function (${parameters}) { 'use strict';\n${lines.join('\n')}\n})`;
  return { script, total };
}

const ambient = `
declare const console: { log(...values: unknown[]): void; error(...values: unknown[]): void; warn(...values: unknown[]): void; info(...values: unknown[]): void; debug(...values: unknown[]): void };
declare function setTimeout(work: (...values: any[]) => void, delay?: number, ...values: any[]): number;
declare function clearTimeout(timer: number | undefined): void;
declare function queueMicrotask(work: () => void): void;
`;

const options: ts.CompilerOptions = {
  target,
  module: ts.ModuleKind.ESNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  lib: ['lib.es2023.d.ts'],
  types: [],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
};

const libraries = new Map<string, ts.SourceFile | undefined>();

const assertion = (node: ts.Node): node is ts.AsExpression | ts.TypeAssertion =>
  ts.isAsExpression(node) || ts.isTypeAssertionExpression(node);

/** Whether something from `from` on takes the checker's word away: `any`, a cast to `never` or by way of another cast, `declare`. */
function evades(source: string, from: number): boolean {
  const file = ts.createSourceFile('candidate.ts', source, target, true);
  const visit = (node: ts.Node): boolean => {
    if (node.end > from && isEvasion(node)) return true;
    return ts.forEachChild(node, visit) ?? false;
  };
  return visit(file);
}

function isEvasion(node: ts.Node): boolean {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return true;
  if (ts.isStatement(node)) return modifiersOf(node).some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword);
  if (!assertion(node)) return false;
  if (node.type.kind === ts.SyntaxKind.NeverKeyword) return true;
  let inner: ts.Expression = node.expression;
  while (ts.isParenthesizedExpression(inner)) inner = inner.expression;
  return assertion(inner);
}

/**
 * Whether a strict type-check finds no error; in memory, with the standard library of ES2023 and nothing else. What would keep
 * the checker from looking does not pass: `@ts-nocheck`, `@ts-expect-error` and `@ts-expect-error` have no effect, and from `from` on
 * (where the candidate begins) `any`, casts by way of another type and `declare` are refused.
 */
export function typeChecks(source: string, from = 0): boolean {
  const files = new Map([
    // Of the same length, so that the directive becomes a plain comment and nothing moves.
    ['/candidate.ts', source.slice(0, from) + source.slice(from).replace(/@(?=ts-)/gi, '_')],
    ['/ambient.d.ts', ambient],
  ]);
  const folder = ts.getDefaultLibFilePath(options).replace(/[^\\/]*$/, '');
  const host: ts.CompilerHost = {
    fileExists: (name) => files.has(name),
    readFile: (name) => files.get(name),
    getSourceFile(name, version) {
      const own = files.get(name);
      if (own !== undefined) return ts.createSourceFile(name, own, version, true);
      if (!name.startsWith(folder)) return undefined;
      if (!libraries.has(name)) {
        const text = ts.sys.readFile(name);
        libraries.set(name, text === undefined ? undefined : ts.createSourceFile(name, text, version, true));
      }
      return libraries.get(name);
    },
    getDefaultLibFileName: () => `${folder}lib.es2023.d.ts`,
    getDefaultLibLocation: () => folder,
    getCurrentDirectory: () => '/',
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    writeFile: () => {},
  };
  try {
    if (evades(source, from)) return false;
    const program = ts.createProgram({ rootNames: [...files.keys()], options, host });
    const problems = [
      ...program.getOptionsDiagnostics(),
      ...program.getSyntacticDiagnostics(),
      ...program.getSemanticDiagnostics(),
    ];
    return !problems.some(({ category }) => category === ts.DiagnosticCategory.Error);
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
