/** Run specs in the editor: connects the functions of this folder to the language server protocol. */
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CodeActionKind,
  type Connection,
  type ServerCapabilities,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { specCommands } from '../protocol/commands.ts';
import type { ResultOf } from '../protocol/request.ts';
import type { fitSpec, ListedRun } from '../protocol/runs.ts';
import { completions } from './completion.ts';
import { diagnose, fixes } from './diagnostics.ts';
import { hover } from './hover.ts';
import { lenses, symbols } from './outline.ts';

type Fit = ResultOf<typeof fitSpec>;

/** What the language server knows beside the text. */
export interface SpecKnowledge {
  /** What the spec in a file takes. */
  estimate(file: string): Promise<Fit>;
  /** The latest run of the spec in a file. */
  latest(file: string): ListedRun | undefined;
}

export const specCapabilities: ServerCapabilities = {
  textDocumentSync: TextDocumentSyncKind.Incremental,
  completionProvider: { triggerCharacters: [' ', '{', ',', '-'] },
  hoverProvider: true,
  codeLensProvider: { resolveProvider: true },
  documentSymbolProvider: true,
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
};

const isSpec = (uri: string) => /\.cola\.ya?ml$/.test(uri);

export function connectSpecs(connection: Connection, { estimate, latest }: SpecKnowledge): void {
  const documents = new TextDocuments(TextDocument);
  const textOf = (uri: string) => (isSpec(uri) ? documents.get(uri)?.getText() : undefined);
  documents.onDidChangeContent(({ document: { uri, version } }) => {
    const text = textOf(uri);
    if (text === undefined) return;
    void connection.sendDiagnostics({ uri, version, diagnostics: diagnose(text, nameOf(uri)) });
  });
  documents.onDidClose(({ document: { uri } }) => {
    void connection.sendDiagnostics({ uri, diagnostics: [] });
  });
  connection.onHover(({ textDocument, position }) => {
    const text = textOf(textDocument.uri);
    return text === undefined ? null : (hover(text, position) ?? null);
  });
  connection.onCompletion(({ textDocument, position }) => {
    const text = textOf(textDocument.uri);
    return text === undefined ? [] : completions(text, position);
  });
  connection.onDocumentSymbol(({ textDocument }) => {
    const text = textOf(textDocument.uri);
    return text === undefined ? [] : symbols(text);
  });
  connection.onCodeAction(({ textDocument, context }) => fixes(textDocument.uri, context.diagnostics));
  connection.onCodeLens(({ textDocument }) => {
    const text = textOf(textDocument.uri);
    return text === undefined ? [] : lenses(text, textDocument.uri, runOf(textDocument.uri, latest));
  });
  connection.onCodeLensResolve(async (lens) => {
    const { fit: uri } = (lens.data ?? {}) as { fit?: unknown };
    if (typeof uri !== 'string') return lens;
    const title = await estimate(fileURLToPath(uri)).then(fitTitle, () => 'Will it fit?');
    return { ...lens, command: { title, command: specCommands.fit, arguments: [uri] } };
  });
  documents.listen(connection);
}

/** "Fits (2.1 of 6.0 GB)" */
export function fitTitle({ parts, free, fits }: Fit): string {
  const most = gigabytes(Math.max(...parts.map(({ bytes }) => bytes)));
  if (free === null) return `Takes ${most} GB`;
  const verdict = fits === false ? '$(warning) Does not fit' : 'Fits';
  return `${verdict} (${most} of ${gigabytes(free)} GB)`;
}

const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(bytes < 1e8 ? 2 : 1);

/** Lenses are there also where runs cannot be read, or the spec is not saved yet. */
function runOf(uri: string, latest: SpecKnowledge['latest']): ListedRun | undefined {
  try {
    return latest(fileURLToPath(uri));
  } catch {
    return undefined;
  }
}

function nameOf(uri: string): string {
  try {
    return basename(fileURLToPath(uri));
  } catch {
    // Not saved yet.
    return 'the spec';
  }
}
