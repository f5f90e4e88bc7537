/** Run specs in the editor: connects the functions of this folder to the language server protocol. */
import { fileURLToPath } from 'node:url';
import {
  CodeActionKind,
  type Connection,
  type ServerCapabilities,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { z } from 'zod';
import type { ResultOf } from '../../protocol/channel/request.ts';
import { specCommands } from '../../protocol/commands.ts';
import { timeText } from '../../protocol/figures/time-text.ts';
import type { fitSpec, ListedRun, SpecTime } from '../../protocol/runs.ts';
import { completions } from './completion.ts';
import { Diagnoses } from './diagnoses.ts';
import { fixes } from './diagnostics.ts';
import { hover } from './hover.ts';
import { links } from './links.ts';
import { lenses, symbols } from './outline.ts';
import { fileOf, isSpec } from './uri.ts';

/** What a lens without a title has to be found out by. */
const lensData = z.object({
  fit: z.string().optional(),
  stage: z.object({ uri: z.string(), index: z.int().nonnegative(), name: z.string() }).optional(),
});

type Fit = ResultOf<typeof fitSpec>;

/** What the language server knows beside the text. */
export interface SpecKnowledge {
  /** What the spec in a file takes. */
  estimate(file: string): Promise<Fit>;
  /** How long it is going to take, where that is known. */
  time(file: string): Promise<SpecTime | null>;
  /** The latest run of the spec in a file. */
  latest(file: string): ListedRun | undefined;
}

export const specCapabilities: ServerCapabilities = {
  textDocumentSync: TextDocumentSyncKind.Incremental,
  completionProvider: { triggerCharacters: [' ', '{', ',', '-'] },
  hoverProvider: true,
  codeLensProvider: { resolveProvider: true },
  documentSymbolProvider: true,
  documentLinkProvider: { resolveProvider: false },
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
};

export function connectSpecs(connection: Connection, { estimate, time, latest }: SpecKnowledge): void {
  const documents = new TextDocuments(TextDocument);
  const textOf = (uri: string) => (isSpec(uri) ? documents.get(uri)?.getText() : undefined);
  const diagnoses = new Diagnoses(
    (uri) => (isSpec(uri) ? documents.get(uri) : undefined),
    (params) => {
      // An editor that has gone since the look was due is told nothing, and that is no fault.
      try {
        connection.sendDiagnostics(params).catch(() => {});
      } catch {}
    },
  );
  documents.onDidChangeContent(({ document: { uri } }) => diagnoses.changed(uri));
  documents.onDidSave(({ document: { uri } }) => diagnoses.changed(uri));
  documents.onDidClose(({ document: { uri } }) => diagnoses.closed(uri));
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
  connection.onDocumentLinks(({ textDocument }) => {
    const text = textOf(textDocument.uri);
    return text === undefined ? [] : links(text, textDocument.uri);
  });
  connection.onCodeAction(({ textDocument, context }) => fixes(textDocument.uri, context.diagnostics));
  connection.onCodeLens(({ textDocument }) => {
    const text = textOf(textDocument.uri);
    return text === undefined ? [] : lenses(text, textDocument.uri, runOf(textDocument.uri, latest));
  });
  const asked = new Map<string, Promise<SpecTime | null>>();
  /** The lenses of a spec are shown together, and its time is asked for once. Where it cannot be known they say the rest. */
  const timeOf = (file: string): Promise<SpecTime | null> => {
    const under = asked.get(file);
    if (under !== undefined) return under;
    const found = time(file)
      .catch(() => null)
      .finally(() => asked.delete(file));
    asked.set(file, found);
    return found;
  };
  connection.onCodeLensResolve(async (lens) => {
    const { fit: uri, stage } = lensData.safeParse(lens.data).data ?? {};
    if (stage !== undefined) {
      const title = stageTitle(stage.name, stage.index, await timeOf(fileURLToPath(stage.uri)));
      return { ...lens, command: { title, command: specCommands.runStage, arguments: [stage.uri, stage.index] } };
    }
    if (uri === undefined) return lens;
    const file = fileURLToPath(uri);
    const [fit, known] = await Promise.all([estimate(file).catch(() => undefined), timeOf(file)]);
    const title = fit === undefined ? 'Will it fit?' : fitTitle(fit, known);
    return { ...lens, command: { title, command: specCommands.fit, arguments: [uri] } };
  });
  documents.listen(connection);
}

/** "Run only reinforce, 3 to 9 min"; a spec that was changed since its time was found out may have other stages. */
export function stageTitle(name: string, index: number, time: SpecTime | null): string {
  const span = time?.stages[index];
  return `$(play) Run only ${name}${span?.name === name ? `, ${timeText(span)}` : ''}`;
}

/** "Fits (2.1 of 6.0 GB), 3 to 9 min" */
export function fitTitle({ parts, free, fits }: Fit, time: SpecTime | null = null): string {
  const most = gigabytes(Math.max(...parts.map(({ bytes }) => bytes)));
  const long = time === null ? '' : `, ${timeText(time)}`;
  if (free === null) return `Takes ${most} GB${long}`;
  const verdict = fits === false ? '$(warning) Does not fit' : 'Fits';
  return `${verdict} (${most} of ${gigabytes(free)} GB)${long}`;
}

const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(bytes < 1e8 ? 2 : 1);

/** Lenses are there also where runs cannot be read, or the spec is not saved yet. */
function runOf(uri: string, latest: SpecKnowledge['latest']): ListedRun | undefined {
  const file = fileOf(uri);
  if (file === undefined) return undefined;
  try {
    return latest(file);
  } catch {
    return undefined;
  }
}
