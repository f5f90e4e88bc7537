/** The list of all latent actions: what each would write, as ghost text while the cursor is on it, inserted by Enter. */
import {
  CancellationTokenSource,
  commands,
  type Disposable,
  type QuickInputButton,
  type QuickPick,
  type QuickPickItem,
  QuickPickItemKind,
  Range,
  type TextEditor,
  type TextEditorDecorationType,
  ThemeColor,
  ThemeIcon,
  window,
  workspace,
} from 'vscode';
import { type Alternative, type CodePreview, previewActions } from '../../server/protocol/index.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { banning, bansOf, type Control, free, pinning } from './control.ts';
import type { CompletionEvent } from './events.ts';
import { type Place, placeOf } from './place.ts';
import { ask, offerAt } from './provider.ts';
import { overlap } from './remainder.ts';
import { type ActionRow, foldedRows, otherCodes } from './rows.ts';
import { actionName, modeOf, type Names, oneLine, percent } from './words.ts';

interface AlternativePick extends QuickPickItem {
  readonly action?: number;
  readonly choose?: () => unknown;
}

const pin: QuickInputButton = { iconPath: new ThemeIcon('pin'), tooltip: 'Pin: every completion begins with it' };
const ban: QuickInputButton = { iconPath: new ThemeIcon('circle-slash'), tooltip: 'Ban: no completion uses it' };
const unfold: QuickInputButton = {
  iconPath: new ThemeIcon('unfold'),
  tooltip: 'Show each action that writes the same here',
};
const page: QuickInputButton = { iconPath: new ThemeIcon('open-preview'), tooltip: 'Open Its Page' };

/** The cursor rests so long on a row before its text is computed to the end. */
const restMilliseconds = 60;

export class ActionPicker implements Disposable {
  private readonly quick: QuickPick<AlternativePick> = window.createQuickPick<AlternativePick>();
  private readonly ghost: TextEditorDecorationType = window.createTextEditorDecorationType({
    after: { color: new ThemeColor('editorGhostText.foreground'), fontStyle: 'italic' },
  });
  private readonly source = new CancellationTokenSource();
  private readonly whole = new Map<number, Promise<Alternative | undefined>>();
  private readonly place: Place;
  private readonly version: number;
  private readonly disposables: Disposable[];
  private timer: NodeJS.Timeout | undefined;
  private previews: readonly CodePreview[] = [];
  /** What leads the rows whose codes are shown each. */
  private readonly unfolded = new Set<number>();

  constructor(
    private readonly studio: Studio,
    private readonly editor: TextEditor,
    private readonly control: Control,
    private readonly notePreviews: (codes: readonly CodePreview[]) => void,
    private readonly fire: (event: CompletionEvent) => void,
    private readonly failed: (error: unknown) => void,
    private readonly closed: () => void,
  ) {
    const { quick } = this;
    this.place = placeOf(editor.document, editor.selection.active);
    this.version = editor.document.version;
    quick.title = 'Latent Actions';
    quick.placeholder = 'Enter inserts what the action writes; the editor shows it meanwhile';
    quick.matchOnDescription = true;
    quick.busy = true;
    quick.items = this.modes();
    this.disposables = [
      quick,
      this.ghost,
      this.source,
      quick.onDidChangeActive(([row]) => this.rest(row)),
      quick.onDidAccept(() => void this.accept().catch(this.failed)),
      quick.onDidTriggerItemButton(({ item, button }) => this.button(item, button)),
      quick.onDidHide(() => this.dispose()),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (document === editor.document && document.version !== this.version) quick.hide();
      }),
    ];
    quick.show();
  }

  /** Fills the list. */
  async load(): Promise<void> {
    const { prefix, suffix } = this.place;
    const fill = setting('cola.completion.fillInTheMiddle', this.editor.document);
    try {
      const { codes } = await this.studio.request(previewActions, { prefix, suffix, fill }, this.source.token);
      this.previews = codes;
      this.notePreviews(codes);
      this.list();
    } catch (error) {
      if (this.source.token.isCancellationRequested) return;
      this.quick.hide();
      throw error;
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.source.cancel();
    for (const disposable of this.disposables) disposable.dispose();
    this.closed();
  }

  /** @param at the action whose row the cursor is on; the first row without */
  private list(at?: number): void {
    const modes = this.modes();
    const rows = foldedRows(this.previews).flatMap((row): AlternativePick[] => {
      const { preview, others } = row;
      if (!this.unfolded.has(preview.like)) return [this.row(row)];
      return [preview, ...others].map((each) => this.row({ preview: each, probability: each.probability, others: [] }));
    });
    this.quick.items = [...modes, { label: 'most likely first', kind: QuickPickItemKind.Separator }, ...rows];
    this.quick.busy = false;
    this.quick.activeItems = [rows.find(({ action }) => action === at) ?? rows[0]];
  }

  private row({ preview: { action, label, text }, probability, others }: ActionRow): AlternativePick {
    const { value } = this.control;
    const marked =
      (value.mode === 'pinned' && value.action === action && '$(pinned) ') ||
      (bansOf(value).includes(action) && '$(circle-slash) ') ||
      '';
    const writes = text === '' ? 'ends here' : oneLine(text);
    return {
      action,
      label: `${marked}${actionName(action, label, text)}`,
      description: [percent(probability), writes, otherCodes(others)].filter(Boolean).join('   '),
      buttons: [...(others.length > 0 ? [unfold] : []), pin, ban, page],
    };
  }

  private modes(): AlternativePick[] {
    const { value } = this.control;
    const names: Names = (action) => {
      const { label = null, text = '' } = this.previews.find((code) => code.action === action) ?? {};
      return { label, text };
    };
    const check = (on: boolean) => (on ? '$(check) ' : '');
    const rows: AlternativePick[] = [
      {
        label: `${check(value.mode === 'free')}Free`,
        description: 'the policy chooses every action',
        alwaysShow: true,
        choose: () => this.control.set(free),
      },
    ];
    if (value.mode !== 'free') rows.push({ label: `$(check) ${modeOf(value, names)}`, alwaysShow: true });
    rows.push({
      label: 'Sequence…',
      description: 'the first actions of every completion, such as 17 3 3 41',
      choose: () => commands.executeCommand('cola.setActionSequence'),
    });
    return rows;
  }

  private button({ action }: AlternativePick, button: QuickInputButton): void {
    if (action === undefined) return;
    if (button === page) {
      this.quick.hide();
      void commands.executeCommand('cola.showActions', { action });
      return;
    }
    if (button === unfold) {
      const { like } = this.previews.find((code) => code.action === action) ?? {};
      if (like !== undefined) this.unfolded.add(like);
      this.list(action);
      return;
    }
    this.control.set(button === pin ? pinning(this.control.value, action) : banning(this.control.value, action));
    this.list(action);
  }

  /** The whole completion that begins with an action, asked for once. */
  private completion(action: number): Promise<Alternative | undefined> {
    const known = this.whole.get(action);
    if (known !== undefined) return known;
    const control = { mode: 'pinned', action } as const;
    const { token } = this.source;
    const asked = ask(this.studio, this.editor.document, this.place, control, 1, token).then(([first]) => first);
    this.whole.set(action, asked);
    asked.catch(() => this.whole.delete(action));
    return asked;
  }

  /** What the row writes is shown at once as far as it is known, and whole when the cursor stays. */
  private rest(row: AlternativePick | undefined): void {
    clearTimeout(this.timer);
    const { action } = row ?? {};
    this.draw(this.previews.find((code) => code.action === action)?.text ?? '');
    if (action === undefined) return;
    this.timer = setTimeout(() => {
      this.completion(action).then(
        (whole) => {
          if (whole !== undefined && this.quick.activeItems[0]?.action === action) this.draw(whole.text);
        },
        // The list says what is wrong when it is used.
        () => {},
      );
    }, restMilliseconds);
  }

  private draw(text: string): void {
    const { document } = this.editor;
    const position = document.positionAt(this.place.offset);
    const contentText = text.replaceAll('\n', ' ⏎ ').replaceAll(' ', '\u00a0');
    this.editor.setDecorations(
      this.ghost,
      text === '' ? [] : [{ range: new Range(position, position), renderOptions: { after: { contentText } } }],
    );
  }

  private async accept(): Promise<void> {
    const [row] = this.quick.activeItems;
    if (row === undefined) return;
    const { action } = row;
    if (action === undefined) {
      this.quick.hide();
      await row.choose?.();
      return;
    }
    this.quick.busy = true;
    const whole = await this.completion(action);
    const { document } = this.editor;
    if (document.version !== this.version) return;
    this.quick.hide();
    if (whole === undefined) return;
    const position = document.positionAt(this.place.offset);
    const rest = document.lineAt(position).text.slice(position.character);
    const replaced = new Range(position, position.translate(0, overlap(whole.text, rest)));
    if (!(await this.editor.edit((edit) => edit.replace(replaced, whole.text)))) return;
    const control = { mode: 'pinned', action } as const;
    const offer = offerAt(this.studio, document, this.place, control, 'picker', [whole]);
    this.fire({ kind: 'picked', offer, index: 0 });
  }
}
