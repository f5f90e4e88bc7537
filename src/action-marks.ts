/**
 * Marks in an editor which latent action every visible token comes from, its hue under the token, its number behind it; or only the
 * tokens where the model holds another for much likelier than what was written, as Go players mark a better move.
 */
import {
  commands,
  type Disposable,
  OverviewRulerLane,
  type Range,
  type TextEditor,
  type TextEditorDecorationType,
  ThemeColor,
  Range as VscodeRange,
  window,
  workspace,
} from 'vscode';
import { hueOf, type LocatedToken, locateActions } from '../server/protocol/index.ts';
import { reportFailure } from './commands.ts';
import { studioErrors } from './errors.ts';
import { t } from './l10n.ts';
import type { Studio } from './studio.ts';

/** Characters before the visible text that are sent, and most that are marked at once. */
const contextCharacters = 4096;
const mostCharacters = 60_000;
/** Milliseconds without scrolling or typing before marks are made anew. */
const patience = 250;

/** So much likelier, in nats, another token has to be for a mark: twenty times. Less is taste. */
const muchBetter = 3;

interface Marked {
  readonly editor: TextEditor;
  /** Only where another token is much likelier. */
  readonly better: boolean;
  /** Only this action; null for all. */
  readonly action: number | null;
}

export class ActionMarks implements Disposable {
  private readonly kinds = new Map<number, TextEditorDecorationType>();
  private readonly listening: Disposable[];
  private marked: Marked | undefined;
  private timer: NodeJS.Timeout | undefined;
  private asking: AbortController | undefined;
  /** A page in front of the editor hides which one it was. */
  private last: TextEditor | undefined = window.activeTextEditor;

  constructor(private readonly studio: Studio) {
    this.listening = [
      window.onDidChangeActiveTextEditor((editor) => {
        this.last = editor ?? this.last;
      }),
      window.onDidChangeTextEditorVisibleRanges(({ textEditor }) => this.soon(textEditor)),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (this.marked?.editor.document === document) this.soon(this.marked.editor);
      }),
      window.onDidChangeVisibleTextEditors((editors) => {
        if (this.marked !== undefined && !editors.includes(this.marked.editor)) this.clear();
      }),
    ];
    studio.context.subscriptions.push(this);
  }

  /**
   * Marks the open editor; marks follow what is visible, until {@link clear}.
   *
   * @param action only this one; null for all
   * @param better only where another token is much likelier
   * @throws studio.noEditor, and whatever the engine throws
   */
  async mark(action: number | null, better = false): Promise<void> {
    const editor = await this.editor();
    this.clear();
    this.marked = { editor, action, better };
    await commands.executeCommand('setContext', 'cola.actionsMarked', true);
    try {
      const found = await this.update();
      const all = better
        ? t('Another token is much likelier at {found} places', { found })
        : t('{found} tokens', { found });
      const what = action === null ? all : t('Action {action} fires at {found} tokens', { action, found });
      window.setStatusBarMessage(t('{what} of the visible text. Escape clears the marks.', { what }), 6000);
    } catch (error) {
      this.clear();
      throw error;
    }
  }

  clear(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.asking?.abort();
    this.marked = undefined;
    for (const kind of this.kinds.values()) kind.dispose();
    this.kinds.clear();
    void commands.executeCommand('setContext', 'cola.actionsMarked', false);
  }

  dispose(): void {
    this.clear();
    for (const each of this.listening) each.dispose();
  }

  /** From a page, the editor beside it is meant, or the one behind it. @throws studio.noEditor */
  private async editor(): Promise<TextEditor> {
    const visible = window.activeTextEditor ?? window.visibleTextEditors[0];
    if (visible !== undefined) return visible;
    const document = this.last?.document;
    if (document === undefined || document.isClosed) throw studioErrors.noEditor();
    return window.showTextDocument(document);
  }

  private soon(editor: TextEditor): void {
    if (this.marked?.editor !== editor) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.update().catch((error: unknown) => {
        this.clear();
        void reportFailure(this.studio, error);
      });
    }, patience);
  }

  /** @returns how many tokens are marked */
  private async update(): Promise<number> {
    const { marked } = this;
    if (marked === undefined) return 0;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const { editor, action, better } = marked;
    const { document } = editor;
    const { version } = document;
    const visible = editor.visibleRanges;
    if (visible.length === 0) return 0;
    const start = document.offsetAt(visible[0].start);
    const end = Math.min(start + mostCharacters, document.offsetAt(visible[visible.length - 1].end));
    const begin = wholeStart(document.getText(), Math.max(0, start - contextCharacters));
    const text = document.getText(new VscodeRange(document.positionAt(begin), document.positionAt(end)));
    const source = better ? ('better' as const) : ('policy' as const);
    const { tokens, labels } = await this.studio.request(locateActions, { text, from: start - begin, source });
    if (asking.signal.aborted || document.version !== version) return 0;
    const places = new Map<number, { range: Range; hoverMessage: string }[]>();
    let found = 0;
    for (const token of tokens) {
      if (token.end === token.start || (action !== null && token.action !== action)) continue;
      if (better && (token.instead?.nats ?? 0) < muchBetter) continue;
      const range = new VscodeRange(document.positionAt(begin + token.start), document.positionAt(begin + token.end));
      const label = labels[token.action];
      const share = `${Math.round(100 * token.probability)} %`;
      const called = label === null || label === undefined ? '' : ` (${label})`;
      const named = t('Latent action {0}{1}, {2}', token.action, called, share);
      const hoverMessage = token.instead === undefined || !better ? named : `${betterWords(token.instead)} ${named}`;
      places.set(token.action, [...(places.get(token.action) ?? []), { range, hoverMessage }]);
      found++;
    }
    for (const [code, kind] of this.kinds) if (!places.has(code)) editor.setDecorations(kind, []);
    for (const [code, options] of places) editor.setDecorations(this.kindOf(code), options);
    return found;
  }

  /** The hue is a line under the token and a mark in the ruler; the number says the same without colour. */
  private kindOf(code: number): TextEditorDecorationType {
    const known = this.kinds.get(code);
    if (known !== undefined) return known;
    const { colour } = hueOf(code);
    const kind = window.createTextEditorDecorationType({
      borderWidth: '0 0 2px 0',
      borderStyle: 'solid',
      borderColor: colour,
      backgroundColor: `${colour}22`,
      overviewRulerColor: colour,
      overviewRulerLane: OverviewRulerLane.Right,
      after: {
        contentText: String(code),
        color: new ThemeColor('editorCodeLens.foreground'),
        textDecoration: 'none; font-size: 0.7em; vertical-align: super',
        margin: '0 1px 0 1px',
      },
    });
    this.kinds.set(code, kind);
    return kind;
  }
}

/** What would be likelier, with its blanks visible. */
function betterWords({ text, nats }: NonNullable<LocatedToken['instead']>): string {
  const shown = text.replaceAll(' ', '·').replaceAll(/\r?\n/g, '⏎').replaceAll('\t', '→');
  return t('"{0}" is {1} times as likely here. The policy takes:', shown, Math.round(Math.exp(Math.min(nats, 12))));
}

/** Never between the halves of a character. */
function wholeStart(text: string, offset: number): number {
  return /[\udc00-\udfff]/.test(text[offset] ?? '') ? offset + 1 : offset;
}
