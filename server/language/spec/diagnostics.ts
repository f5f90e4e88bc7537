/** Problems of a run spec, underlined where they are, and how to put them right. */
import { type CodeAction, CodeActionKind, type Diagnostic, DiagnosticSeverity } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { taskMeant } from '../../data/generators/names.ts';
import { patternForm } from '../../schemas/data-form.ts';
import { isForm, onOneLine } from '../../schemas/right-form.ts';
import { specIn } from './parsed-text.ts';
import { missingIn } from './paths.ts';

export const diagnosticSource = 'CoLA';

/** @param file name of the text, for messages */
export function diagnose(text: string, file: string): Diagnostic[] {
  const document = TextDocument.create('', 'yaml', 0, text);
  return specIn(text, file).problems.map(({ message, start, end, suggestion }) => ({
    range: { start: document.positionAt(start.offset), end: document.positionAt(end.offset) },
    severity: DiagnosticSeverity.Error,
    source: diagnosticSource,
    message,
    ...(suggestion === undefined ? {} : { data: suggestion }),
  }));
}

/** What the spec names and is not there, underlined; a run that is started meanwhile may find it. */
export async function diagnoseMissing(text: string, specFile: string): Promise<Diagnostic[]> {
  const missing = await missingIn(text, specFile);
  if (missing.length === 0) return [];
  const document = TextDocument.create('', 'yaml', 0, text);
  return missing.map(({ kind, text: named, start, end, error: { id, message, remedy } }) => ({
    ...(kind === 'data' ? meantData(named) : {}),
    range: { start: document.positionAt(start), end: document.positionAt(end) },
    severity: DiagnosticSeverity.Warning,
    source: diagnosticSource,
    code: id,
    message: `${message} ${remedy}`,
  }));
}

/** What the path of data that is not there was meant as: a pattern, or a task. */
function meantData(path: string): Pick<Diagnostic, 'data'> {
  const form = patternForm(path);
  const data = form === undefined ? taskMeant(path) : onOneLine(form);
  return data === undefined ? {} : { data };
}

/** Replacing a misspelt word by the one that was meant. */
export function fixes(uri: string, diagnostics: readonly Diagnostic[]): CodeAction[] {
  return diagnostics.flatMap((diagnostic) => {
    const { data, source, range } = diagnostic;
    if (typeof data !== 'string' || source !== diagnosticSource) return [];
    const edit = { changes: { [uri]: [{ range, newText: data }] } };
    const title = isForm(data) ? `Change to ${data}` : `Change to "${data}"`;
    return [{ title, kind: CodeActionKind.QuickFix, diagnostics: [diagnostic], edit, isPreferred: true }];
  });
}
