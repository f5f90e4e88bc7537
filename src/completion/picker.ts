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
import { type Alternative, type CodePreview, currentModel, previewActions } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { banning, bansOf, type Control, free, pinning } from './control.ts';
import type { CompletionEvent } from './events.ts';
import { followsWords, nameIn, rowGroups } from './follows.ts';
import { type Place, placeOf } from './place.ts';
import { ask, offerAt } from './provider.ts';
import { overlap } from './remainder.ts';
import { type ActionRow, foldedRows, otherCodes } from './rows.ts';
import { symbolIcons } from './symbols.ts';
import { typicalTexts } from './typical.ts';
import { modeOf, type Names, oneLine, percent } from './words.ts';

interface AlternativePick extends QuickPickItem {
  readonly action?: number;
  readonly choose?: () => unknown;
}

const pin: QuickInputButton = { iconPath: new ThemeIcon('pin'), tooltip: t('Pin: every completion begins with it') };
const ban: QuickInputButton = { iconPath: new ThemeIcon('circle-slash'), tooltip: t('Ban: no completion uses it') };
const unfold: QuickInputButton = {
  iconPath: new ThemeIcon('unfold'),
  tooltip: t('Show each action that writes the same here'),
};
const page: QuickInputButton = { iconPath: new ThemeIcon('open-preview'), tooltip: t('Open Its Page') };

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
  /** By code what it writes elsewhere, and by name the icon of what it stands for, as far as they are known. */
  private typical: ReadonlyMap<number, string> = new Map();
  private symbols: ReadonlyMap<string, string> = new Map();
  /** The line up to the cursor. */
  private readonly before: string;
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
    const { active } = editor.selection;
    this.before = editor.document.lineAt(active).text.slice(0, active.character);
    quick.title = t('Latent Actions');
    quick.placeholder = t('Enter inserts what the action writes; the editor shows it meanwhile');
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
      this.learnMore();
    } catch (error) {
      if (this.source.token.isCancellationRequested) return;
      this.quick.hide();
      throw error;
    }
  }

  /** What is good to know of the rows comes when it is there; without it the list is the same. */
  private learnMore(): void {
    const { document, selection } = this.editor;
    const again = () => {
      if (!this.source.token.isCancellationRequested) this.list(this.quick.activeItems[0]?.action);
    };
    const typical = async () => {
      const { model } = await this.studio.request(currentModel, {});
      if (model !== null) this.typical = await typicalTexts(this.studio, model);
    };
    const symbols = async () => {
      this.symbols = await symbolIcons(document, selection.active);
    };
    for (const learn of [typical, symbols])
      learn().then(again, (error: unknown) => this.studio.log.debug(`Less is said of actions: ${String(error)}`));
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
    const groups = rowGroups(foldedRows(this.previews), this.before, this.editor.document.languageId);
    const items = groups.flatMap(({ follows, rows }): AlternativePick[] => {
      const { title, icon } = followsWords[follows];
      const all = rows.flatMap((row): AlternativePick[] => {
        const { preview, others } = row;
        if (!this.unfolded.has(preview.like)) return [this.row(row, icon)];
        const each = [preview, ...others];
        return each.map((one) => this.row({ preview: one, probability: one.probability, others: [] }, icon));
      });
      return [{ label: title, kind: QuickPickItemKind.Separator }, ...all];
    });
    this.quick.items = [...modes, ...items];
    this.quick.busy = false;
    const rows = items.filter(({ action }) => action !== undefined);
    this.quick.activeItems = [rows.find(({ action }) => action === at) ?? rows[0]];
  }

  /** What it would write here, then what it writes elsewhere, and its number last. @param usual icon of a name that nobody knows */
  private row({ preview: { action, label, text }, probability, others }: ActionRow, usual: string): AlternativePick {
    const { value } = this.control;
    const marked =
      (value.mode === 'pinned' && value.action === action && '$(pinned) ') ||
      (bansOf(value).includes(action) && '$(circle-slash) ') ||
      '';
    const icon = this.symbols.get(nameIn(text, this.before) ?? '') ?? usual;
    const writes = text === '' ? t('ends here') : oneLine(text);
    const elsewhere = label === null || label === '' ? (this.typical.get(action) ?? '') : label;
    const numbers = [String(action), otherCodes(others)].filter(Boolean).join(' ');
    return {
      action,
      label: `${marked}$(${icon}) ${writes}`,
      description: [percent(probability), elsewhere, numbers].filter(Boolean).join('   '),
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
        label: `${check(value.mode === 'free')}${t('Free')}`,
        description: t('the policy chooses every action'),
        alwaysShow: true,
        choose: () => this.control.set(free),
      },
    ];
    if (value.mode !== 'free') rows.push({ label: `$(check) ${modeOf(value, names)}`, alwaysShow: true });
    rows.push({
      label: t('Sequence…'),
      description: t('the first actions of every completion, such as 17 3 3 41'),
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
