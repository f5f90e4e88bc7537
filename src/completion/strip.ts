/** What accepted text remembers: a hover on every token, and on demand the strip of its actions in the editor. */
import {
  type DecorationOptions,
  type Disposable,
  Hover,
  languages,
  type Position,
  Range,
  type TextDocument,
  type TextEditor,
  type TextEditorDecorationType,
  window,
  workspace,
} from 'vscode';
import { hueOf } from '../../server/protocol/figures/hue.ts';
import type { ActionToken } from '../../server/protocol/index.ts';
import { setting } from '../settings.ts';
import { AcceptedTokens, placed } from './accepted.ts';
import type { CompletionEvent } from './events.ts';
import { aboutToken } from './hover.ts';
import { widthIn } from './place.ts';
import { remainder } from './remainder.ts';

export class ActionStrip implements Disposable {
  private readonly documents = new Map<string, AcceptedTokens>();
  /** One a code. */
  private readonly types = new Map<number, TextEditorDecorationType>();
  private readonly disposables: Disposable[];

  constructor() {
    this.disposables = [
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        const known = this.documents.get(document.uri.toString());
        if (known === undefined || contentChanges.length === 0) return;
        known.edit(
          contentChanges.map((change) => ({
            offset: change.rangeOffset,
            length: change.rangeLength,
            inserted: change.text.length,
          })),
        );
        this.draw(document);
      }),
      workspace.onDidCloseTextDocument((document) => this.documents.delete(document.uri.toString())),
      window.onDidChangeVisibleTextEditors((editors) => {
        for (const editor of editors) this.drawIn(editor);
      }),
      workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('cola.completion.actionStrip')) this.drawAll();
      }),
      languages.registerHoverProvider('*', { provideHover: (document, position) => this.hover(document, position) }),
    ];
  }

  /** Remembers the tokens of what was accepted. */
  note(event: CompletionEvent): void {
    if (event.kind !== 'accepted' && event.kind !== 'picked') return;
    const { offer, index } = event;
    const document = workspace.textDocuments.find(({ uri }) => uri.toString() === offer.uri);
    if (document === undefined) return;
    const alternative = offer.alternatives[index];
    const kept = event.kind === 'accepted' ? event.kept : 0;
    const length = event.kind === 'accepted' ? event.text.length : alternative.text.length;
    const width = widthIn(document);
    const tokens = clipped(remainder(alternative, kept).tokens, length);
    const known = this.documents.get(offer.uri) ?? new AcceptedTokens();
    this.documents.set(offer.uri, known);
    known.add(placed(offer.offset + width(alternative.text.slice(0, kept)), tokens, width));
    this.draw(document);
  }

  async toggle(): Promise<void> {
    await workspace
      .getConfiguration()
      .update('cola.completion.actionStrip', !setting('cola.completion.actionStrip'), true);
  }

  dispose(): void {
    for (const disposable of this.disposables) disposable.dispose();
    for (const type of this.types.values()) type.dispose();
  }

  private hover(document: TextDocument, position: Position): Hover | undefined {
    const known = this.documents.get(document.uri.toString());
    const found = known?.at(document.offsetAt(position));
    if (known === undefined || found === undefined) return undefined;
    const line = document.lineAt(position).range;
    const around = known.within(document.offsetAt(line.start), document.offsetAt(line.end)).map(({ token }) => token);
    return new Hover(aboutToken(found.token, around), rangeOf(document, found));
  }

  private draw(document: TextDocument): void {
    for (const editor of window.visibleTextEditors) if (editor.document === document) this.drawIn(editor);
  }

  private drawAll(): void {
    for (const editor of window.visibleTextEditors) this.drawIn(editor);
  }

  private drawIn(editor: TextEditor): void {
    const known = this.documents.get(editor.document.uri.toString());
    const shown = setting('cola.completion.actionStrip') ? (known?.all ?? []) : [];
    const byCode = new Map<number, DecorationOptions[]>();
    for (const found of shown) {
      const { action } = found.token;
      byCode.set(action, [...(byCode.get(action) ?? []), { range: rangeOf(editor.document, found) }]);
    }
    for (const action of byCode.keys()) this.type(action);
    for (const [action, type] of this.types) editor.setDecorations(type, byCode.get(action) ?? []);
  }

  private type(action: number): TextEditorDecorationType {
    const known = this.types.get(action);
    if (known !== undefined) return known;
    const type = window.createTextEditorDecorationType({
      borderColor: hueOf(action).colour,
      borderStyle: 'solid',
      borderWidth: '0 0 2px 0',
      // Digits inside words would make them hard to read: the number is in the hover.
    });
    this.types.set(action, type);
    return type;
  }
}

function rangeOf(document: TextDocument, { start, end }: { readonly start: number; readonly end: number }): Range {
  return new Range(document.positionAt(start), document.positionAt(end));
}

/** The tokens of the first `length` characters. */
function clipped(tokens: readonly ActionToken[], length: number): ActionToken[] {
  let left = length;
  return tokens.flatMap((token) => {
    const text = token.text.slice(0, Math.max(0, left));
    left -= token.text.length;
    return text === '' ? [] : [{ ...token, text }];
  });
}
