/** Problems of a run spec, underlined where they are, and how to put them right. */
import {
  type CodeAction,
  CodeActionKind,
  type Diagnostic,
  DiagnosticSeverity,
  type Range,
} from 'vscode-languageserver';
import { parseSpec } from '../spec/document.ts';

export const diagnosticSource = 'CoLA';

/** @param file name of the text, for messages */
export function diagnose(text: string, file: string): Diagnostic[] {
  return parseSpec(text, file).problems.map(({ message, start, end, suggestion }) => ({
    range: rangeOf(start, end),
    severity: DiagnosticSeverity.Error,
    source: diagnosticSource,
    message,
    ...(suggestion === undefined ? {} : { data: suggestion }),
  }));
}

/** Replacing a misspelt word by the one that was meant. */
export function fixes(uri: string, diagnostics: readonly Diagnostic[]): CodeAction[] {
  return diagnostics.flatMap((diagnostic) => {
    const { data, source, range } = diagnostic;
    if (typeof data !== 'string' || source !== diagnosticSource) return [];
    const edit = { changes: { [uri]: [{ range, newText: data }] } };
    const title = `Change to "${data}"`;
    return [{ title, kind: CodeActionKind.QuickFix, diagnostics: [diagnostic], edit, isPreferred: true }];
  });
}

interface Position {
  readonly line: number;
  readonly column: number;
}

function rangeOf(start: Position, end: Position): Range {
  return {
    start: { line: start.line, character: start.column },
    end: { line: end.line, character: end.column },
  };
}
